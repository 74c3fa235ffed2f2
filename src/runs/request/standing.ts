import { membersOf as groupOfTeam, type Policy } from "#policy/policy.ts";
import { type Place as Routed, route } from "#policy/route.ts";
import type { Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import { membersOf } from "#runs/approval/ask.ts";
import type { Core } from "#runs/core.ts";
import type { Heard } from "#runs/heard.ts";
import type { Refusal } from "#runs/refusal.ts";
import { sameAccount } from "#runs/seat.ts";
import type { View } from "#runs/view.ts";
import { turnAway } from "./turned-away.ts";

/** Whether and for which team a person may speak to us somewhere. */
export interface Standing {
  readonly policy: Policy;
  readonly team: string;
  /** Position of what chose the team: the mapping of the channel, or the team itself. */
  readonly at: string;
  /** The same as a sentence that begins small. */
  readonly because: string;
}

interface Refused {
  readonly refused: Refusal;
}

/** In a direct message of somebody in several teams: the ones that were verified just now. */
interface Choose {
  readonly choose: readonly string[];
}

type Where = Pick<Heard, "account" | "place" | "shared" | "direct">;

/**
 * Whether this person may speak to us here, and for which team. Only ids count: the channel's and the person's. A direct
 * message has no channel of a team: there it is the person's one membership, or theirs to choose. Anything that cannot be
 * known is a refusal. `team`: what a direct message is about already, a run's or a choice; the membership is looked at again.
 */
export async function standing(
  core: Core,
  heard: Where,
  team: string | null = null,
): Promise<Standing | Refused | Choose> {
  const current = core.policy();
  if (!current.ok) return { refused: { code: "policy_unavailable", problem: current.problem } };
  if (heard.shared) return { refused: { code: "shared_channel" } };
  if (heard.account.kind !== "member") return { refused: { code: "guest" } };
  const { policy } = current;
  if (heard.direct) return team === null ? ofPerson(core, policy, heard) : standingIn(core, policy, heard, team);
  const routed = route(policy, asPolicyNames(heard.place));
  if ("deny" in routed) return { refused: { code: "no_mapping", channel: heard.place.channel, fix: routed.fix } };
  const because = `${what(heard.place)} to team ${routed.team} (${routed.at})`;
  return member(core, policy, heard, { team: routed.team, at: routed.at, because });
}

/** Why this person may ask for nothing here; `null`: they may, for a team or for one that they are yet to choose. */
export async function barred(core: Core, heard: Heard): Promise<View | null> {
  const here = await standing(core, heard);
  if (!("refused" in here)) return null;
  await turnAway(core, heard, null, here.refused);
  return { kind: "refused", refusal: here.refused };
}

const asPolicyNames = ({ provider, channel }: Place): Routed =>
  provider === "linear" ? { provider, team: channel } : { provider: "slack", channel };

const what = ({ provider, channel }: Place): string =>
  provider === "linear" ? `tickets of ${channel} belong` : "this channel belongs";

/** As a member of one team, wherever it is said. */
export function standingIn(
  core: Core,
  policy: Policy,
  heard: Pick<Where, "account">,
  team: string,
): Promise<Standing | Refused> {
  const at = Object.hasOwn(policy.teams, team) ? (policy.teams[team]?.at ?? "") : "";
  return member(core, policy, heard, { team, at, because: `you chose team ${team} for this message (${at})` });
}

async function member(
  core: Core,
  policy: Policy,
  heard: Pick<Where, "account">,
  of: Omit<Standing, "policy">,
): Promise<Standing | Refused> {
  const group = groupOfTeam(policy, of.team);
  if (group === null) return { refused: { code: "not_a_member", team: of.team, group: "nobody" } };
  const is = await isMember(core, policy, heard.account, group);
  if (is === null) return { refused: { code: "directory_unavailable" } };
  return is ? { policy, ...of } : { refused: { code: "not_a_member", team: of.team, group } };
}

/** `null`: it cannot be known now. */
async function isMember(core: Core, policy: Policy, account: Account, group: string): Promise<boolean | null> {
  try {
    const members = await membersOf(core, policy, account.workspace, group);
    return members.some((one) => sameAccount(one, account));
  } catch (cause) {
    core.log("the directory could not be read", { group, error: String(cause) });
    return null;
  }
}

/** The one membership, or the verified ones to choose from. One that cannot be read may be another: nothing is guessed. */
async function ofPerson(core: Core, policy: Policy, heard: Where): Promise<Standing | Refused | Choose> {
  const teams = Object.values(policy.teams).sort((a, b) => (a.name < b.name ? -1 : 1));
  const asked = await Promise.all(
    teams.map(async (team) => ({ team, is: await isMember(core, policy, heard.account, team.members) })),
  );
  const mine = asked.filter(({ is }) => is === true).map(({ team }) => team);
  const unread = asked.some(({ is }) => is === null);
  const [only] = mine;
  if (only === undefined) return { refused: unread ? { code: "directory_unavailable" } : { code: "no_membership" } };
  if (mine.length > 1 || unread) return { choose: mine.map(({ name }) => name) };
  return { policy, team: only.name, at: only.at, because: `${only.name} is your only team (${only.at})` };
}

/** Asks the directory what `standing` will ask it, so that the answer is on its way. Whether it comes is said there. */
export function foresee(core: Core, place: Place): void {
  const current = core.policy();
  if (!current.ok) return;
  const routed = route(current.policy, asPolicyNames(place));
  const group = "deny" in routed ? null : groupOfTeam(current.policy, routed.team);
  if (group !== null) void membersOf(core, current.policy, place.workspace, group).catch(() => undefined);
}

import type { Policy } from "#policy/policy.ts";
import type { Place } from "#ports/chat.ts";
import type { Account, ExternalId } from "#ports/directory.ts";
import { membersNow, membersOf } from "#runs/approval/ask.ts";
import type { Approval } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { mayRead } from "#runs/may-read.ts";
import { accountsOfAuthors } from "#runs/record/authors.ts";
import type { Run } from "#runs/run.ts";
import { askedOf } from "#runs/seat.ts";

/**
 * Which of these runs this person may read, in the same order. Channels and groups are asked live; one that does not
 * answer lets nobody in, and is logged.
 */
export const readable = (core: Core, viewer: Account, runs: readonly Run[]): Promise<readonly Run[]> =>
  sift(core, viewer, runs, { auditors: true });

/** Whether this person may act on what came of a run: who may read it, but for auditors, who do nothing else. */
export const takesPart = async (core: Core, person: Account, run: Run): Promise<boolean> =>
  (await sift(core, person, [run], { auditors: false })).length > 0;

async function sift(
  core: Core,
  viewer: Account,
  runs: readonly Run[],
  o: { readonly auditors: boolean },
): Promise<readonly Run[]> {
  if (viewer.kind !== "member" || runs.length === 0) return [];
  const silent = new Set<string>();
  /** `null`: nobody could say. */
  const asked = async <T>(what: string, ask: () => Promise<T>): Promise<T | null> => {
    try {
      return await ask();
    } catch (cause) {
      silent.add(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`);
      return null;
    }
  };
  const people = new Map<string, Promise<readonly ExternalId[] | null>>();
  const peopleAt = (run: Run, place: Place): Promise<readonly ExternalId[] | null> => {
    const { provider, workspace, channel } = place;
    const key = provider === "slack" ? `${workspace} ${channel}` : run.id;
    const there = people.get(key) ?? asked(`${provider} ${key}`, () => peopleOf(core, run, place));
    people.set(key, there);
    return there;
  };
  /** Where it was asked for, and where its people follow and answer it. One of the two that is silent takes nothing from the other. */
  const placesOf = async (run: Run): Promise<readonly ExternalId[]> => {
    const places = run.mirror === null ? [run.place] : [run.place, run.mirror];
    return (await Promise.all(places.map((place) => peopleAt(run, place)))).flatMap((there) => there ?? []);
  };
  const current = core.policy();
  const policy = current.ok ? current.policy : null;
  const auditors = o.auditors ? await asked("auditors", () => auditorsNow(core, policy, viewer.workspace)) : null;
  // Nothing else is asked for those who may read all of them.
  if (mayRead({ viewer, place: null, asked: [], auditors }) !== null) return runs;

  const inPlace = await Promise.all(
    runs.map(async (run) => mayRead({ viewer, place: await placesOf(run), asked: [], auditors: null }) !== null),
  );
  const others = runs.filter((_, index) => !inPlace[index]).map(({ id }) => id);
  const approvals: ReadonlyMap<string, readonly Approval[]> =
    policy === null ? new Map() : await core.stores.approvals.ofRuns(others);
  const approversOf = async (run: Run): Promise<readonly ExternalId[]> => {
    const asks = (approvals.get(run.id) ?? []).flatMap((approval) => approval.asks);
    const found = await Promise.all(
      asks.map((ask) => policy && asked(ask.from, () => membersNow(core, policy, viewer.workspace, ask))),
    );
    return asks.flatMap((ask, index) => askedOf(ask, found[index] ?? null));
  };
  const may = await Promise.all(
    runs.map(
      async (run, index) =>
        inPlace[index] === true ||
        mayRead({ viewer, place: null, asked: await approversOf(run), auditors: null }) !== null,
    ),
  );
  if (silent.size > 0) core.log("who may read a run could not be asked", { of: [...silent] });
  return runs.filter((_, index) => may[index]);
}

async function auditorsNow(
  core: Core,
  policy: Policy | null,
  workspace: string,
): Promise<readonly ExternalId[] | null> {
  return policy === null || policy.auditors === null ? null : membersOf(core, policy, workspace, policy.auditors);
}

/** A ticket has no members that we could ask about: whoever wrote in it stands for it. */
async function peopleOf(core: Core, run: Run, place: Place): Promise<readonly ExternalId[]> {
  const { provider, workspace, channel } = place;
  if (provider === "slack") return core.directory.channelMembers({ provider, workspace, id: channel });
  return accountsOfAuthors(core, run);
}

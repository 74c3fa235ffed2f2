import type { LinkRole, LinkRule } from "#policy/linked.ts";
import { linksWanted } from "#policy/policy.ts";
import type { Account } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import { hold } from "#runs/approval/hold.ts";
import type { Core } from "#runs/core.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { Person, Run } from "#runs/run.ts";
import { queueOf, type RunState } from "#runs/state.ts";

/** An account that policy wants linked and that a person has not. */
export interface Unlinked {
  readonly person: Person;
  readonly rule: LinkRule;
}

type Asked = Pick<Run, "team" | "policyDigest">;

/** What the policy that the run began under and the one in force ask for together: narrowing holds at once. */
export async function wanted(
  core: Pick<Core, "policy" | "stores">,
  { team, policyDigest }: Asked,
  role: LinkRole,
): Promise<readonly LinkRule[]> {
  const current = core.policy();
  const pinned = await core.stores.policies.get(policyDigest);
  const now = current.ok ? linksWanted(current.policy, team, role) : [];
  const then = pinned === null ? [] : linksWanted(pinned, team, role);
  return [...now, ...then.filter(({ on }) => !now.some((one) => one.on === on))];
}

/** The first of these accounts that one of these people has not linked; `null`: all have. */
export async function unlinkedOf(
  core: Pick<Core, "stores" | "linkable">,
  tx: Tx,
  rules: readonly LinkRule[],
  people: readonly Person[],
): Promise<Unlinked | null> {
  for (const person of rules.length === 0 ? [] : people) {
    const accounts = await core.stores.people.identities(tx, person.id);
    // Only the place that runs work with counts: an account on another server is somebody else's word.
    const rule = rules.find(({ on }) => {
      const place = core.linkable?.find(({ provider }) => provider === on);
      return !accounts.some((one) => one.provider === on && one.workspace === place?.workspace);
    });
    if (rule !== undefined) return { person, rule };
  }
  return null;
}

/** What whoever speaks has yet to link before they may be an author of the run; `null`: nothing. */
export async function speakerUnlinked(core: Core, account: Account, run: Run): Promise<Unlinked | null> {
  const rules = await wanted(core, run, "authors");
  if (rules.length === 0) return null;
  return core.store.tx(async (tx) => {
    const person = await core.stores.people.resolve(tx, core.orgId, account, account.name);
    return unlinkedOf(core, tx, rules, [person]);
  });
}

/** What that person is told: whose words or whose answer does not count until then. */
export const notLinked = ({ rule }: Unlinked, what: "words" | "answer"): Refusal => ({
  code: "not_linked",
  provider: rule.on,
  rule: rule.ref.at,
  what,
});

/**
 * Whether the run waits until its authors have linked what policy wants: then nothing is made, nothing leaves, and who has to
 * do what is said once. It goes on by itself.
 */
export async function heldForLinks(core: Core, run: Run): Promise<boolean> {
  const rules = await wanted(core, run, "authors");
  if (rules.length === 0) return false;
  const lack = await core.store.tx(async (tx) =>
    unlinkedOf(core, tx, rules, await core.stores.people.authors(tx, run.id)),
  );
  if (lack === null) return false;
  const { person, rule } = lack;
  await hold(core, run, waitsFor(core, lack), [], {
    fault: "policy",
    next: `${person.name} has to link their ${NAMES[rule.on]} account: say link ${rule.on} to us in Slack. Then ask again.`,
  });
  return true;
}

const NAMES = { github: "GitHub", linear: "Linear" } as const;

function waitsFor(core: Pick<Core, "linkable">, { person, rule }: Unlinked): string {
  const account = NAMES[rule.on];
  const here = core.linkable?.some(({ provider, by }) => provider === rule.on && by !== null) === true;
  return `Policy wants ${person.name}'s ${account} account linked first (${rule.ref.at}), so nothing is made until it is. ${
    here
      ? `They say "link ${rule.on}" to me in Slack, and the run goes on by itself.`
      : `Accounts of ${account} cannot be linked here: whoever runs this service can change that.`
  }`;
}

/** Where a run may be held for it. */
const HELD: readonly RunState[] = ["requested", "queued", "publishing"];
/** Of one person; whatever else waits looks for itself within a minute. */
const WOKEN_MOST = 50;

/** Runs of this person that may have waited for a link look again now. */
export async function wakeHeld(core: Core, person: Person): Promise<void> {
  const runs = await core.stores.runs.byRequester(core.orgId, person.id, WOKEN_MOST);
  const held = runs.filter(({ state }) => HELD.includes(state));
  if (held.length === 0) return;
  await core.store.tx(async (tx) => {
    for (const { id, state } of held) await core.engine.wake(tx, id, queueOf(state));
  });
}

import type { Ask, RuleRef } from "#policy/decision.ts";
import type { Tx } from "#ports/store.ts";
import { type Approval, type Author, type CastVote, covers, GATE_WORDS, outvoted } from "#runs/approval.ts";
import { boundToo, stillBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { authorsWithAccounts, isOn } from "#runs/record/authors.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";

/** What policy asks about an act, and the rules that do. */
export interface Asked {
  readonly asks: readonly Ask[];
  readonly rules: readonly RuleRef[];
}

/**
 * Whether a yes to this question is one to all that policy asks now. The one place where a yes is looked at for use: it dies
 * when the rules that ask have changed, and is counted anew without those who have become authors since, for whoever steers
 * a run may not have approved what they steer. That it is lost is said once.
 */
export async function answers(core: Core, run: Run, approval: Approval, now: Asked): Promise<boolean> {
  if (approval.status !== "approved") return false;
  if (!covers(approval, now.asks) || !stillBound(core, run, approval, now)) {
    await say(core, run, approval, null);
    return false;
  }
  return counts(core, run, approval);
}

/**
 * Whether a yes to the start was one to what policy asks now about the run as a whole, beside whatever else it was about. One
 * that was none to this still counts for what it was given to.
 */
export async function answeredAtStart(core: Core, run: Run, now: Asked): Promise<boolean> {
  for (const one of await core.stores.approvals.ofRun(run.id)) {
    const same = one.gate === "start" && one.status === "approved" && covers(one, now.asks);
    if (same && boundToo(core, run, one, now) && (await counts(core, run, one))) return true;
  }
  return false;
}

/** Whether its votes count still; said when they do not. */
async function counts(core: Core, run: Run, approval: Approval): Promise<boolean> {
  const lost = await lostTo(core, run, approval);
  if (lost.length > 0) await say(core, run, approval, lost);
  return lost.length === 0;
}

/** The first of them that answers, in their order; `null`: none does. */
export async function answering(
  core: Core,
  run: Run,
  approvals: readonly Approval[],
  now: Asked,
): Promise<Approval | null> {
  for (const one of approvals) if (await answers(core, run, one, now)) return one;
  return null;
}

/** The votes of a yes that count no more, so that it is none; none when it stands. */
export function lostTo(core: Core, run: Pick<Run, "id">, approval: Approval): Promise<readonly CastVote[]> {
  return core.store.tx(async (tx) => {
    const authors = await authorsWithAccounts(core, tx, run);
    const votes = await core.stores.approvals.votes(tx, approval.id);
    return outvoted(approval, votes, ({ account }) =>
      authors.flatMap(({ person, accounts }): Author[] => {
        const there = accounts.filter((one) => isOn(one, account));
        return there.length === 0 ? [{ person, account: null }] : there.map((one) => ({ person, account: one }));
      }),
    );
  });
}

/** `lost`: the votes that count no more; `null`: all of them, because policy asks otherwise by now. */
async function say(core: Core, run: Run, approval: Approval, lost: readonly CastVote[] | null): Promise<void> {
  await core.store.tx(async (tx) => {
    if (!(await core.stores.inbox.insertDone(tx, "lost-yes", approval.id))) return;
    const votes =
      lost ?? (await core.stores.approvals.votes(tx, approval.id)).filter((one) => one.choice === "approve");
    const names = (of: readonly CastVote[]) => [...new Set(of.map(({ person }) => person.name))].join(" and ");
    const why = lost === null ? "the rule that asks has changed since" : await whyLost(core, tx, run, lost, names);
    const text = `The yes to ${GATE_WORDS[approval.gate]} by ${names(votes)} counts no more: ${why}. It is asked again before it is used.`;
    await record(core, tx, run.id, null, [{ kind: "notice", text }]);
    await tell(core, tx, run, "status");
  });
  core.nudge();
}

async function whyLost(
  core: Core,
  tx: Tx,
  run: Run,
  lost: readonly CastVote[],
  names: (of: readonly CastVote[]) => string,
): Promise<string> {
  const authors = new Set((await core.stores.people.authors(tx, run.id)).map(({ id }) => id));
  const joined = lost.filter(({ person }) => authors.has(person.id));
  return joined.length > 0
    ? `${names(joined)} added to this run after it, and no author may approve`
    : "an author of this run may be the same person under another account, which is not linked";
}

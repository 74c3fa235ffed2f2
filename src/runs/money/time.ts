import { answers } from "#runs/approval/answers.ts";
import { stands } from "#runs/approval/yes.ts";
import type { Approval } from "#runs/approval.ts";
import { moreTimeOf } from "#runs/budget-added.ts";
import type { Core } from "#runs/core.ts";
import { allow } from "#runs/decision/allow.ts";
import { scopeNow } from "#runs/decision/narrow.ts";
import type { Run } from "#runs/run.ts";

/** How long a run may work, in milliseconds. */
export interface Time {
  /** Its limit as it holds now, with what people have added, never above the ceiling. */
  readonly ownMs: number;
  /** What people could still add: its limit once more, below the ceiling. */
  readonly moreMs: number;
}

export async function timeOf(core: Core, run: Run): Promise<Time> {
  const most = above(core, run);
  const ownMs = most(moreOf(await added(core, run)));
  return { ownMs, moreMs: most(ownMs) - ownMs };
}

/**
 * How long a run works that an answer brings back, before what policy has taken of its limit since it was admitted: all of
 * its time anew; where its time was what people were asked about, what their yes adds, and nothing without one.
 */
export async function timeAnew(core: Core, run: Run): Promise<number> {
  if (run.scope === null) throw new Error(`run ${run.id} has no scope`);
  const { runtimeMs } = run.scope.limits;
  const asked = (await core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate !== "host").at(-1);
  if (asked === undefined || moreTimeOf(asked) === null) return runtimeMs;
  const all = await added(core, run);
  const most = above(core, run);
  const given = most(moreOf(all)) - most(moreOf(all.filter(({ id }) => id !== asked.id)));
  return given + runtimeMs - scopeNow(core, run).limits.runtimeMs;
}

/** The limit and so much more, as far as the ceiling lets it. */
function above(core: Core, run: Run): (moreMs: number) => number {
  const limit = scopeNow(core, run).limits.runtimeMs;
  const current = core.policy();
  const ceiling = current.ok ? current.policy.ceiling.limits.runtimeMs : limit;
  return (moreMs) => Math.max(limit, Math.min(limit + moreMs, ceiling));
}

const moreOf = (yes: readonly Approval[]): number => yes.reduce((sum, one) => sum + (moreTimeOf(one) ?? 0), 0);

/** What people have said yes to, as far as both policies would still have them asked. */
async function added(core: Core, run: Run): Promise<readonly Approval[]> {
  const yes = (await core.stores.approvals.ofRun(run.id)).filter(
    (one) => one.gate === "budget" && one.status === "approved" && moreTimeOf(one) !== null,
  );
  if (yes.length === 0) return [];
  const decision = await allow(core, run, [{ subject: "action", action: "run.extend" }]);
  if (decision.outcome !== "ask") return [];
  const good: Approval[] = [];
  for (const one of yes) {
    if (stands(core, one, [], null, decision.asks) && (await answers(core, run, one, decision))) good.push(one);
  }
  return good;
}

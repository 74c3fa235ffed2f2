import { answers } from "#runs/approval/answers.ts";
import { stands } from "#runs/approval/yes.ts";
import { moreOf } from "#runs/budget-added.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, allow } from "#runs/decision/allow.ts";
import { scopeNow } from "#runs/decision/narrow.ts";
import { decidedAnew } from "#runs/record/decided-anew.ts";
import type { Run } from "#runs/run.ts";
import type { Amount } from "#runs/stores.ts";
import { settleMoney } from "./settle-money.ts";
import { allotmentOf, hasMonths, heldNow, type Month, monthAt, monthsOf } from "./shares.ts";

/** What a run may spend, and why it is no more. */
export interface Budget {
  readonly amount: Amount;
  /** What its own limits and people's answers give it. */
  readonly own: Amount;
  /** The month that leaves it less than that. */
  readonly by: { readonly usd: Month | null; readonly tokens: Month | null };
  /** What policy says of more by now; `null`: people have added nothing. */
  readonly more: Answer | null;
  /** What people could still add: its limits once more, below the ceiling and within the months. */
  readonly room: Amount;
}

const NOTHING: Amount = { usd: 0, tokens: 0 };
const NO_MONTH = { usd: null, tokens: null } as const;

/**
 * Allots a run what it may spend now, under the lock of all who share the money: the least of what its own limits and
 * people's answers give it and of what is left of its team's and its person's month beside other runs at work.
 */
export async function allotted(core: Core, run: Run): Promise<Budget> {
  const { own, next, more } = await ownBudget(core, run);
  const held = await heldNow(core, run);
  const within = (most: Amount, base: Amount): Amount => ({
    usd: Math.max(0, Math.floor((most.usd - base.usd) * 100) / 100),
    tokens: Math.max(0, most.tokens - base.tokens),
  });
  // Without a policy that can be read there is no model to call: nothing new is promised.
  if (held === null) return { amount: own, own, by: NO_MONTH, more, room: { usd: 0, tokens: 0 } };
  const before = await core.stores.shares.allotted(run.id);
  if (before !== null && same(before, own) && !hasMonths(held)) {
    return { amount: own, own, by: NO_MONTH, more, room: within(next, own) };
  }
  if (hasMonths(held)) await settleMoney(core);
  return core.store.tx(async (tx) => {
    const use = await core.stores.shares.use(tx, run, monthAt(core.clock.now()));
    const months = monthsOf(held, use);
    const { amount, by } = allotmentOf(own, months, use.own);
    if (before === null || !same(before, amount)) await core.stores.shares.allot(tx, run, amount);
    return { amount, own, by, more, room: within(allotmentOf(next, months, use.own).amount, own) };
  });
}

/** The same for a grant. Whether more than its limits still counts is recorded where that is news. */
export async function allotNow(core: Core, run: Run): Promise<Amount> {
  const { amount, more } = await allotted(core, run);
  if (more !== null) await decidedAnew(core, run, [{ about: "budget", subject: "run.extend", decision: more }]);
  return amount;
}

const same = (a: Amount, b: Amount): boolean => a.usd === b.usd && a.tokens === b.tokens;

/**
 * What the run's limits leave it now, with what people have added, as far as both policies would still have them asked
 * and never above the ceiling; and what it would be with one more yes.
 */
async function ownBudget(core: Core, run: Run): Promise<Pick<Budget, "own" | "more"> & { readonly next: Amount }> {
  const { costUsd, tokens: most } = scopeNow(core, run).limits;
  const limits = { usd: costUsd, tokens: most };
  const current = core.policy();
  if (!current.ok) return { own: limits, next: limits, more: null };
  const { ceiling } = current.policy;
  const above = (of: Amount, more: Amount): Amount => ({
    usd: Math.max(limits.usd, Math.min(of.usd + more.usd, ceiling.limits.costUsd)),
    tokens: Math.max(limits.tokens, Math.min(of.tokens + more.tokens, ceiling.limits.tokens)),
  });
  const { all, more } = await added(core, run);
  const own = above(limits, all);
  return { own, next: above(own, limits), more };
}

/** What people have said yes to, as far as it counts. */
async function added(core: Core, run: Run): Promise<Pick<Budget, "more"> & { readonly all: Amount }> {
  const yes = (await core.stores.approvals.ofRun(run.id)).filter(
    ({ gate, status }) => gate === "budget" && status === "approved",
  );
  if (yes.length === 0) return { all: NOTHING, more: null };
  const decision = await allow(core, run, [{ subject: "action", action: "run.extend" }]);
  if (decision.outcome !== "ask") return { all: NOTHING, more: decision };
  let all: Amount = NOTHING;
  for (const one of yes) {
    if (!stands(core, one, [], null, decision.asks) || !(await answers(core, run, one, decision))) continue;
    const more = moreOf(one);
    all = { usd: all.usd + more.usd, tokens: all.tokens + more.tokens };
  }
  return { all, more: decision };
}

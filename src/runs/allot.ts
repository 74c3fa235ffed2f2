import { z } from "zod";
import { allow } from "./allow.ts";
import { type Approval, covers } from "./approval.ts";
import type { Core } from "./core.ts";
import { scopeNow } from "./narrow.ts";
import type { Run } from "./run.ts";
import { allotmentOf, heldNow, type Month, monthAt, monthsOf } from "./shares.ts";
import type { Amount } from "./stores.ts";

const amount = z.strictObject({ usd: z.number().nonnegative(), tokens: z.number().int().nonnegative() });

/** What a yes to more budget gives, as it stands under the question's digest. */
export const BudgetSubject = z.strictObject({ spent: amount, budget: amount, more: amount });

/** What a run may spend, and why it is no more. */
export interface Allotted {
  readonly amount: Amount;
  /** What its own limits and people's answers give it. */
  readonly own: Amount;
  /** The month that leaves it less than that. */
  readonly by: { readonly usd: Month | null; readonly tokens: Month | null };
}

/**
 * Allots a run what it may spend now, under the lock of all who share the money: the least of what its own limits and
 * people's answers give it and of what is left of its team's and its person's month beside other runs at work.
 */
export async function allotted(core: Core, run: Run): Promise<Allotted> {
  const own = await ownBudget(core, run);
  const held = await heldNow(core, run);
  // Without a policy that can be read there is no model to call: nothing new is promised.
  if (held === null) return { amount: own, own, by: { usd: null, tokens: null } };
  const before = await core.stores.shares.allotted(run.id);
  const monthly = [
    "per_month.cost_usd",
    "per_month.tokens",
    "per_person_month.cost_usd",
    "per_person_month.tokens",
  ] as const;
  if (before !== null && same(before, own) && monthly.every((name) => held(name) === null)) {
    return { amount: own, own, by: { usd: null, tokens: null } };
  }
  return core.store.tx(async (tx) => {
    const use = await core.stores.shares.use(tx, run, monthAt(core.clock.now()));
    const { amount, by } = allotmentOf(own, monthsOf(held, use), use.own);
    if (before === null || !same(before, amount)) await core.stores.shares.allot(tx, run, amount);
    return { amount, own, by };
  });
}

/** The same for a grant. */
export const allotNow = async (core: Core, run: Run): Promise<Amount> => (await allotted(core, run)).amount;

const same = (a: Amount, b: Amount): boolean => a.usd === b.usd && a.tokens === b.tokens;

/**
 * What the run's limits leave it now, with what people have added, as far as both policies would still have them asked
 * and never above the ceiling.
 */
async function ownBudget(core: Core, run: Run): Promise<Amount> {
  const { costUsd: usd, tokens } = scopeNow(core, run).limits;
  const added = (await core.stores.approvals.ofRun(run.id)).filter(
    ({ gate, status }) => gate === "budget" && status === "approved",
  );
  const current = core.policy();
  if (added.length === 0 || !current.ok) return { usd, tokens };
  const decision = await allow(core, run, [{ subject: "action", action: "run.extend" }]);
  if (decision.outcome !== "ask") return { usd, tokens };
  const given = added.filter((one) => covers(one, decision.asks)).map(moreOf);
  const { limits: most } = current.policy.ceiling;
  const sum = (kind: keyof Amount) => given.reduce((all, more) => all + more[kind], 0);
  return {
    usd: Math.max(usd, Math.min(usd + sum("usd"), most.costUsd)),
    tokens: Math.max(tokens, Math.min(tokens + sum("tokens"), most.tokens)),
  };
}

function moreOf({ subject }: Approval): Amount {
  const asked = BudgetSubject.safeParse(subject);
  return asked.success ? asked.data.more : { usd: 0, tokens: 0 };
}

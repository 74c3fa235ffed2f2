import { z } from "zod";
import type { Approval } from "./approval.ts";
import type { RunFacts } from "./facts.ts";
import type { Amount } from "./stores.ts";

const amount = z.strictObject({ usd: z.number().nonnegative(), tokens: z.number().int().nonnegative() });

/** What a yes to more budget gives, as it stands under the question's digest. */
export const BudgetSubject = z.object({ spent: amount, budget: amount, more: amount });

/** What a question about the budget asks for; nothing where it asks for something else. */
export function moreOf({ subject }: Pick<Approval, "subject">): Amount {
  const asked = BudgetSubject.safeParse(subject);
  return asked.success ? asked.data.more : { usd: 0, tokens: 0 };
}

/** Dollars that people have added to a run's own limit. */
export const addedUsd = ({ approvals }: Pick<RunFacts, "approvals">): number =>
  approvals
    .filter(({ gate, status }) => gate === "budget" && status === "approved")
    .reduce((sum, one) => sum + moreOf(one).usd, 0);

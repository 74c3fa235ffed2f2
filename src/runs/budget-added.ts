import { z } from "zod";
import type { Approval } from "./approval.ts";
import type { RunFacts } from "./facts.ts";
import type { Amount } from "./stores.ts";

const amount = z.strictObject({ usd: z.number().nonnegative(), tokens: z.number().int().nonnegative() });

/** What a yes to more money and tokens gives, as it stands under the question's digest. */
export const BudgetSubject = z.object({ spent: amount, budget: amount, more: amount });

/** What a question about the budget asks for; nothing where it asks for something else. */
export function moreOf({ subject }: Pick<Approval, "subject">): Amount {
  const asked = BudgetSubject.safeParse(subject);
  return asked.success ? asked.data.more : { usd: 0, tokens: 0 };
}

const ms = z.number().int().positive();

/** What a yes to more time gives, as it stands under the question's digest: what the run had, and what is added. */
export const TimeSubject = z.object({ timeMs: ms, moreMs: ms });

/** What a question about a run's time asks for; `null`: it is about something else. */
export function moreTimeOf({ gate, subject }: Pick<Approval, "gate" | "subject">): number | null {
  const asked = gate === "budget" ? TimeSubject.safeParse(subject) : null;
  return asked?.success === true ? asked.data.moreMs : null;
}

/** What has come to its end, in words that a sentence begins with. */
export const isUsedUp = (asked: Pick<Approval, "gate" | "subject">): string =>
  moreTimeOf(asked) === null ? "The budget is spent" : "Its time is used up";

/** Dollars that people have added to a run's own limit. */
export const addedUsd = ({ approvals }: Pick<RunFacts, "approvals">): number =>
  approvals
    .filter(({ gate, status }) => gate === "budget" && status === "approved")
    .reduce((sum, one) => sum + moreOf(one).usd, 0);

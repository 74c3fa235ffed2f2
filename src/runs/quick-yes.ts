import type { RuleRef } from "#policy/decision.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { Choice } from "./approval.ts";
import { askedOf, isIn, type OpenAsk } from "./seat.ts";

/** One person's answer to one question. */
export interface Answered {
  readonly asks: readonly OpenAsk[];
  readonly openedAt: Date;
  readonly account: ExternalId;
  readonly choice: Choice;
  readonly at: Date;
}

/** A rule whose questions are answered faster than they can be read. */
export interface QuickRule {
  /** As it stood when it was last answered. */
  readonly rule: Pick<RuleRef, "at" | "text">;
  readonly answers: number;
  /** Of them, a yes within `QUICK_MS` of the question. */
  readonly quick: number;
}

export const QUICK_MS = 5_000;
/** Fewer answers say nothing about a rule. */
const LEAST_ANSWERS = 20;
const MOST_QUICK = 0.95;

/**
 * The rules that nobody seems to read what they ask about, the surest sign first: out of at least twenty answers more than
 * 95 % were a yes in under five seconds. An answer counts for every ask of its question that was its person's to answer. A
 * rule is known by its file and its text: what is written above it moves it.
 */
export function quickRules(answered: readonly Answered[]): readonly QuickRule[] {
  const rules = new Map<string, { rule: RuleRef; last: Date; answers: number; quick: number }>();
  for (const { asks, openedAt, account, choice, at } of answered) {
    const isQuick = choice === "approve" && at.getTime() - openedAt.getTime() < QUICK_MS;
    for (const [key, rule] of rulesOf(asks, account)) {
      const seen = rules.get(key) ?? { rule, last: at, answers: 0, quick: 0 };
      const isNewer = at >= seen.last;
      rules.set(key, {
        rule: isNewer ? rule : seen.rule,
        last: isNewer ? at : seen.last,
        answers: seen.answers + 1,
        quick: seen.quick + (isQuick ? 1 : 0),
      });
    }
  }
  return [...rules.values()]
    .filter(({ answers, quick }) => answers >= LEAST_ANSWERS && quick / answers > MOST_QUICK)
    .toSorted((a, b) => b.quick / b.answers - a.quick / a.answers || b.answers - a.answers)
    .map(({ rule: { at, text }, answers, quick }) => ({ rule: { at, text }, answers, quick }));
}

/** Each once: one rule may ask several groups, as code owners are. */
function rulesOf(asks: readonly OpenAsk[], account: ExternalId): ReadonlyMap<string, RuleRef> {
  const theirs = asks.filter((ask) =>
    isIn(account, askedOf(ask, { members: ask.members, escalated: ask.escalated?.members ?? [] })),
  );
  return new Map(theirs.map(({ rule }) => [`${rule.at.replace(/(:\d+)+$/, "")} ${rule.text}`, rule]));
}

import type { Ask, Decision, RuleRef, TraceLine } from "#policy/decision.ts";
import { mergeAsks } from "./ask.ts";

/** Drops repeats of the same rule: one may speak of many objects. */
function distinct(rules: readonly RuleRef[]): RuleRef[] {
  return rules.filter((rule, i) => rules.findIndex((other) => other.at === rule.at && other.text === rule.text) === i);
}

/** What one object's rules came to. */
export type Verdict = {
  readonly rules: readonly RuleRef[];
} & (
  | { readonly outcome: "allow" }
  | { readonly outcome: "ask"; readonly asks: readonly Ask[] }
  | { readonly outcome: "deny"; readonly reason: string }
);

const WEIGHT = { allow: 0, ask: 1, deny: 2 } as const;

/** The worst outcome of many. A rule that was written says more than the absence of one, so its reason is preferred. */
export function worst(
  verdicts: readonly Verdict[],
  rest: { readonly trace: readonly TraceLine[]; readonly digest: string },
): Decision {
  const only = verdicts[0];
  if (only !== undefined && verdicts.length === 1 && only.outcome !== "ask") {
    // Written out: nearly every decision comes by here, and to spread the two takes four times as long.
    const { trace, digest } = rest;
    const { outcome, rules } = only;
    return outcome === "deny"
      ? { trace, digest, outcome, reason: only.reason, rules }
      : { trace, digest, outcome, rules };
  }
  const outcome = verdicts.reduce<Verdict["outcome"]>(
    (worse, { outcome: one }) => (WEIGHT[one] > WEIGHT[worse] ? one : worse),
    "allow",
  );
  const decisive = verdicts.filter((verdict) => verdict.outcome === outcome);
  const rules = distinct(decisive.flatMap((verdict) => verdict.rules));
  if (outcome === "deny") {
    const reasons = decisive.flatMap((verdict) => (verdict.outcome === "deny" ? [verdict.reason] : []));
    return {
      ...rest,
      rules,
      outcome,
      reason: reasons.includes("rule") ? "rule" : (reasons.toSorted()[0] ?? "no_rule"),
    };
  }
  if (outcome === "ask") {
    return {
      ...rest,
      rules,
      outcome,
      asks: mergeAsks(decisive.flatMap((verdict) => (verdict.outcome === "ask" ? verdict.asks : []))),
    };
  }
  return { ...rest, rules, outcome };
}

import { decide } from "./decide.ts";
import type { PolicyRequest } from "./decision.ts";
import type { Policy } from "./policy.ts";

/** A decision as it was recorded. */
export interface RecordedDecision {
  readonly run: string;
  /** ISO 8601. */
  readonly at: string;
  readonly about: string;
  readonly request: PolicyRequest;
  readonly outcome: "allow" | "ask" | "deny";
}

export interface SimulatedChange {
  readonly decision: RecordedDecision;
  readonly now: "allow" | "ask" | "deny";
  readonly rules: readonly { readonly at: string; readonly text: string }[];
}

export interface Simulation {
  readonly replayed: number;
  readonly changes: readonly SimulatedChange[];
}

/** Puts recorded decisions to another policy: what would have been answered differently. */
export function simulate(policy: Policy, decisions: readonly RecordedDecision[]): Simulation {
  const changes = decisions.flatMap((decision): SimulatedChange[] => {
    const { outcome, rules } = decide(policy, decision.request);
    if (outcome === decision.outcome) return [];
    return [{ decision, now: outcome, rules: rules.map(({ at, text }) => ({ at, text })) }];
  });
  return { replayed: decisions.length, changes };
}

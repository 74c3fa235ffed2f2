import { decide } from "#policy/decide/decide.ts";
import type { PolicyRequest, RuleRef } from "#policy/decision.ts";
import type { Policy } from "#policy/policy.ts";

/** What a decision was about, in its own words, and what decided it. */
export interface Told {
  readonly subject: string;
  readonly reason: string | null;
  readonly rules: readonly RuleRef[];
}

/** A decision as it was recorded. */
export interface RecordedDecision {
  readonly run: string;
  /** ISO 8601. */
  readonly at: string;
  /** Of a wall: "egress", "relay", "model". */
  readonly about: string;
  /** `null`: the record has not all that was decided about, or nothing that a rule decides; it cannot be put again. */
  readonly request: PolicyRequest | null;
  /** Of what cannot be put again, what the record has of it: a limit, with the line that says it. */
  readonly told?: Told | undefined;
  /** Digests of the policies that decided: the one in force, and the one that the run was begun under. Absent: not known. */
  readonly policies?: readonly string[] | undefined;
  readonly outcome: "allow" | "ask" | "deny";
}

export type Replayable = RecordedDecision & { readonly request: PolicyRequest };

export interface SimulatedChange {
  readonly decision: Replayable;
  readonly now: "allow" | "ask" | "deny";
  readonly rules: readonly { readonly at: string; readonly text: string }[];
}

export interface Simulation {
  readonly replayed: number;
  /** How many could not be put again, by what they are about. */
  readonly notReplayed: Readonly<Record<string, number>>;
  readonly changes: readonly SimulatedChange[];
}

/** Puts recorded decisions to another policy: what would have been answered differently. */
export function simulate(policy: Policy, decisions: readonly RecordedDecision[]): Simulation {
  const replayable = decisions.filter((one): one is Replayable => one.request !== null);
  const changes = replayable.flatMap((decision): SimulatedChange[] => {
    const { outcome, rules } = decide(policy, decision.request);
    if (outcome === decision.outcome) return [];
    // The gateway never waits for a person: what policy asks about, it refuses.
    if (decision.about === "egress" && decision.outcome === "deny" && outcome === "ask") return [];
    return [{ decision, now: outcome, rules: rules.map(({ at, text }) => ({ at, text })) }];
  });
  return { replayed: replayable.length, notReplayed: notReplayed(decisions), changes };
}

export function notReplayed(decisions: readonly RecordedDecision[]): Readonly<Record<string, number>> {
  const lost = Map.groupBy(
    decisions.filter(({ request }) => request === null),
    ({ about }) => about,
  );
  return Object.fromEntries([...lost].map(([about, some]) => [about, some.length]));
}

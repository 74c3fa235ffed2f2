import type { RuleRef } from "#policy/decision.ts";
import type { Excerpt } from "#policy/excerpt.ts";
import type { Remedy } from "#policy/explain/remedy.ts";
import type { RunFacts } from "./facts.ts";

/** A rule with what its file said when it decided. */
export interface ShownRule {
  readonly ref: RuleRef;
  /** Of the policy that it stands in; `null`: that policy was not kept. */
  readonly commit: string | null;
  /** `null`: built in, or its file was not kept. */
  readonly excerpt: Excerpt | null;
}

/** One thing that was decided, and all that a person can do about it. */
export interface Reason {
  /** "start", "host", "command" … and what it was about. */
  readonly about: string;
  readonly subject: string;
  readonly outcome: "allow" | "ask" | "deny";
  readonly reason: string | null;
  readonly rules: readonly ShownRule[];
  /** Where it is enforced, without repeats; empty: not known. "protocol": only where the agent asks. */
  readonly points: readonly string[];
  /** What would make it allowed by the policy in force; `null`: it is allowed. */
  readonly remedy: Remedy | null;
  readonly trial: NonNullable<RunFacts["decisions"][number]["trial"]> | null;
}

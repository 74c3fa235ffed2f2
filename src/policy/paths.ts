import type { RuleRef } from "./decision.ts";

/** A path rule that the relay and the publisher apply to every commit. Globs: `*` one segment part, `**` any depth. */
export interface PathRule {
  readonly effect: "allow" | "ask" | "deny";
  readonly globs: readonly string[];
  readonly except: readonly string[];
  /** "group:product" for `ask`; `null` otherwise. */
  readonly from: string | null;
  readonly rule: RuleRef;
}

import type { RuleRef } from "./decision.ts";

/** One granted way out. "intercept" when it names methods, paths or a secret; "tunnel" is not inspected. */
export interface EgressRule {
  /** Lower-case ASCII. `*.x`: one label; `**.x`: any depth; the apex is never implied. */
  readonly host: string;
  readonly ports: readonly number[];
  readonly mode: "tunnel" | "intercept";
  /** Empty: any. */
  readonly methods: readonly string[];
  /** Globs; empty: any. */
  readonly paths: readonly string[];
  /** CIDR ranges in which a private answer is accepted. */
  readonly private: readonly string[];
  readonly maxBodyBytes: number | null;
  readonly secret: { readonly name: string; readonly header: string } | null;
  readonly rule: RuleRef;
}

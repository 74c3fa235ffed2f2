/** Where a rule stands: "teams/marketing.yaml:8:5", relative to the policy folder. */
export type Position = string;

/** A rule as people read it, with the place that said so. */
export interface RuleRef {
  readonly at: Position;
  /** One line, as written: "ask git.path src/components/** from group:product". */
  readonly text: string;
  /** The author's own reason (`why:`), if any. */
  readonly why: string | null;
}

/** A question to named people. Several must each be met. */
export interface Ask {
  /** "group:product". */
  readonly from: string;
  readonly quorum: number;
  /** Whether an author of the run may vote. */
  readonly self: boolean;
  readonly expiresMs: number;
  /** How long or how often a yes holds. */
  readonly grants: { readonly for: "run" | "once" };
  readonly rule: RuleRef;
}

/** The forest of things a request may touch. One request may touch many; the worst outcome is the answer. */
export type PolicyObject =
  | { readonly subject: "git.repo"; readonly repo: string }
  | { readonly subject: "git.branch"; readonly repo: string; readonly branch: string }
  | { readonly subject: "git.path"; readonly repo: string; readonly path: string }
  | { readonly subject: "command"; readonly command: string }
  | { readonly subject: "action"; readonly action: string; readonly draft?: boolean }
  | { readonly subject: "model"; readonly model: string }
  | { readonly subject: "tool"; readonly tool: string }
  | {
      readonly subject: "egress";
      readonly host: string;
      readonly port: number;
      readonly method: string | null;
      readonly path: string | null;
    };

export interface PolicyRequest {
  readonly team: string;
  readonly objects: readonly PolicyObject[];
}

/** One considered object with what decided it. */
export interface TraceLine {
  readonly object: PolicyObject;
  readonly outcome: "allow" | "ask" | "deny";
  readonly rules: readonly RuleRef[];
  /** Where it is enforced: "intake", "sandbox", "gateway", "relay", "publish", or "protocol" (advisory). */
  readonly point: string;
}

export type Decision = {
  /** Rules that led to the outcome; empty only for "no_rule". */
  readonly rules: readonly RuleRef[];
  readonly trace: readonly TraceLine[];
  /** Of the compiled policy that answered. */
  readonly digest: string;
} & (
  | { readonly outcome: "allow" }
  | { readonly outcome: "ask"; readonly asks: readonly Ask[] }
  | {
      readonly outcome: "deny";
      /**
       * "rule", "no_rule", "no_team", "bad_path", "bad_authority", "port", "method", "path"; callers add their own, like
       * "not_a_member" or "policy_unavailable".
       */
      readonly reason: string;
    }
);

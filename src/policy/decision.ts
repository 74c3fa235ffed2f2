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
  /** "group:product", or "codeowners": the owners that the repository names for the paths in question. */
  readonly from: string;
  /** Of "codeowners": the paths whose owners are asked. */
  readonly paths?: readonly string[];
  readonly quorum: number;
  /** Whether an author of the run may vote. */
  readonly self: boolean;
  readonly expiresMs: number;
  readonly remindMs: number;
  /** After this long without an answer the run is handed off. */
  readonly giveUpMs: number;
  /** Whose yes counts too when this much time has passed. */
  readonly escalate: { readonly afterMs: number; readonly to: string } | null;
  /** Whether a person who is asked may name another to answer in their place. */
  readonly delegate: boolean;
  /** What a yes is bound to beside the exact bytes it was asked for: the commit the run started from, the whole policy. */
  readonly binds: readonly ("base" | "policy")[];
  /** "step_up": the chat account alone is not enough. */
  readonly assurance: "chat" | "step_up";
  /** How long or how often a yes holds; `null`: no such bound. */
  readonly grants: { readonly for: "run" | "once"; readonly uses: number | null; readonly ms: number | null };
  readonly rule: RuleRef;
}

/** The forest of things a request may touch. One request may touch many; the worst outcome is the answer. */
export type PolicyObject =
  | { readonly subject: "git.repo"; readonly repo: string }
  | { readonly subject: "git.branch"; readonly repo: string; readonly branch: string }
  | { readonly subject: "git.path"; readonly repo: string; readonly path: string }
  | {
      readonly subject: "git.size";
      readonly repo: string;
      readonly files: number;
      /** Added and removed. */
      readonly lines: number;
      readonly bytes: number;
    }
  | { readonly subject: "command"; readonly command: string }
  | { readonly subject: "action"; readonly action: string; readonly draft?: boolean }
  | { readonly subject: "model"; readonly model: string }
  | { readonly subject: "secret.name"; readonly secret: string }
  | { readonly subject: "tool"; readonly tool: string }
  /** One of the gateway's own doors: a registry, a model's API, a forge. */
  | { readonly subject: "preset"; readonly preset: string }
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
  readonly points: readonly string[];
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
       * "rule", "no_rule", "no_team", "bad_path", "bad_authority", "port", "method", "path", "evaluator_failed";
       * callers add their own, like "not_a_member" or "policy_unavailable".
       */
      readonly reason: string;
    }
);

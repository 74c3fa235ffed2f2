import type { RuleRef } from "#policy/decision.ts";
import type { EgressRule } from "#policy/egress.ts";
import type { PathRule } from "#policy/paths.ts";
import type { Secret } from "./secret.ts";

/** One way out of a sandbox. */
export interface GrantedRule extends EgressRule {
  /** ISO 8601, UTC. After it the rule grants nothing. Absent: as long as the token. */
  readonly until?: string;
}

/** What one sandbox may do through the gateway. Idempotent by `sandbox`; a newer one replaces the older whole. */
export interface Grant {
  /** Key of the sandbox the token is bound to. */
  readonly sandbox: string;
  readonly run: string;
  /** The fence: a grant with a lower epoch than the one in force is refused. */
  readonly epoch: number;
  /** SHA-256 of the token, hex. The gateway never stores the token. */
  readonly tokenHash: string;
  /** ISO 8601, UTC. After it the token answers "run_over". */
  readonly expiresAt: string;
  readonly egress: readonly GrantedRule[];
  /** What people may add to `egress` while the run goes on. A refusal inside it tells the client to try again later. */
  readonly askable?: readonly EgressRule[];
  /** Model name globs; empty: no model calls. */
  readonly models: readonly string[];
  /** Spent by the run over all its sandboxes. */
  readonly budget: { readonly usd: number; readonly tokens: number };
  /** Read-only access to the operator's package registry. */
  readonly registry: boolean;
  /**
   * What stands for each secret inside the sandbox: SHA-256, hex, of an opaque value of 32 random bytes. The gateway
   * swaps it for the real one in the header that a rule declares, on that rule's hosts; seen elsewhere it is an incident.
   */
  readonly secrets?: readonly { readonly name: string; readonly placeholderHash: string }[];
  /** Bytes the sandbox may send out through tunnels and proxied requests, in total. Absent: 20 MB. */
  readonly uploadBytes?: number;
  readonly git: {
    /** "owner/name". */
    readonly repo: string;
    /** The one ref that may be pushed: "agent/<run>". `null`: read only. */
    readonly branch: string | null;
    /** Commit the branch starts from. Every commit after it is held to `paths`. */
    readonly base: string;
    readonly paths: readonly PathRule[];
    /** Largest push, in bytes. */
    readonly maxBytes: number;
  } | null;
}

export interface Usage {
  readonly usd: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
  readonly calls: number;
}

/** One decision or one metered call; exactly one line each. `id` is unique for ever, so that a repeat is dropped. */
export type AuditLine = {
  readonly id: string;
  readonly at: string;
  readonly run: string | null;
  readonly sandbox: string | null;
} & (
  | {
      readonly kind: "egress";
      /** "connect", "http", "git", "model", "registry". */
      readonly via: string;
      readonly host: string;
      readonly port: number;
      readonly method: string | null;
      readonly outcome: "allow" | "deny";
      /** "rule", "no_rule", "ip_class", "ip_literal", "self_connection", "port", "bad_authority", "run_over" … */
      readonly reason: string;
      /** `file:line:col` of the rule that said so. */
      readonly rule: string | null;
    }
  | {
      readonly kind: "closed";
      readonly host: string;
      readonly sentBytes: number;
      readonly receivedBytes: number;
      readonly durationMs: number;
    }
  | {
      readonly kind: "model";
      readonly model: string;
      readonly status: number;
      readonly usage: Usage;
      /** Dated price table used. */
      readonly prices: string;
      readonly durationMs: number;
    }
  | {
      readonly kind: "push";
      readonly branch: string;
      readonly oid: string;
      readonly outcome: "allow" | "deny";
      readonly reason: string;
      readonly rule: string | null;
      readonly detail: string | null;
      /** What it touches, commit by commit, each path once. Absent when something else decided, and of very many. */
      readonly paths?: readonly string[];
      /** Whether a person must approve some of them before they are published. */
      readonly asks?: boolean;
    }
);

export interface FileChange {
  readonly path: string;
  readonly status: "added" | "modified" | "deleted" | "renamed";
  /** `null` for binary files. */
  readonly additions: number | null;
  readonly deletions: number | null;
}

export interface Changes {
  readonly base: string;
  readonly head: string;
  readonly commits: readonly { readonly oid: string; readonly subject: string }[];
  readonly files: readonly FileChange[];
  /** Unified diff, cut at `maxBytes`. */
  readonly patch: string;
  readonly truncated: boolean;
  /** What the scanner found in added lines; the values themselves are never in here. */
  readonly secrets: readonly { readonly path: string; readonly line: number; readonly rule: string }[];
  /** Paths the relay let through that a person must approve before they are published, over every commit after `base`. */
  readonly asks: readonly { readonly path: string; readonly from: string; readonly rule: RuleRef }[];
}

/** The control plane's side of the gateway: grants in, audit out. All calls are idempotent. */
export interface Gateway {
  /** For `SandboxSpec.gateway`. */
  readonly address: string;
  /** "The control plane lives." Unheard for a minute, the gateway denies what is new; for ten, it ends itself. */
  lease(): Promise<void>;
  grant(grant: Grant): Promise<void>;
  /** The token is dead and its tunnels are cut when this resolves. Absent is success. */
  revoke(sandbox: string): Promise<void>;
  /** PEM of the installation's own authority. Inspected hosts answer under it, so programs inside must trust it. */
  certificate(): Promise<string>;
  /** Brings the relay's mirror of a repository up to date. `ref`'s commit, or throws GatewayError("not_found"). */
  mirror(repo: { name: string; cloneUrl: string; credential: Secret | null }, ref: string): Promise<{ oid: string }>;
  /** A text file of the mirror at a commit. `null` when there is none; throws "invalid" when it is larger or no text. */
  file(repo: string, oid: string, path: string, maxBytes: number): Promise<string | null>;
  /** Makes the run's own bare repository if absent, its branch at `at`. A door closed by `closePush` opens again. */
  openRepository(run: string, repo: string, branch: string, at: string): Promise<void>;
  /** No push is accepted after this resolves. The branch's commit then, and where it lies on disk. */
  closePush(run: string): Promise<{ oid: string | null; gitDir: string }>;
  changes(run: string, base: string, head: string, maxBytes: number): Promise<Changes>;
  /** Deletes the run's repository, grants and counters. */
  forget(run: string): Promise<void>;
  usage(run: string): Promise<Usage>;
  /**
   * Lines after `from` (0: all that are kept), then live. `next` is the cursor to store. Asking for another line says
   * that the one before is stored: what everybody has stored is not kept for ever. Throws when the gateway goes away.
   */
  audit(from: number, signal: AbortSignal): AsyncIterable<{ readonly next: number; readonly line: AuditLine }>;
  /** The cursor of the last line there is: who has stored it has stored everything that was decided before this call. */
  audited(): Promise<number>;
}

export type GatewayErrorCode = "not_found" | "unavailable" | "stale" | "invalid";

export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

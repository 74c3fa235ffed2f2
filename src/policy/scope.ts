import type { EgressRule } from "./egress.ts";
import type { PathRule } from "./paths.ts";

export interface Limits {
  readonly costUsd: number;
  readonly tokens: number;
  readonly runtimeMs: number;
  readonly uploadBytes: number;
  readonly concurrentRuns: number;
}

/** A command of ours whose exit code is evidence. */
export interface Check {
  readonly name: string;
  readonly command: string;
  readonly timeoutMs: number;
  readonly required: boolean;
}

/** Everything a run may touch, compiled from policy for one team and one repository, and pinned when it starts. */
export interface Scope {
  readonly team: string;
  readonly repo: string;
  /** "agent/<run>". */
  readonly branch: string;
  readonly paths: readonly PathRule[];
  readonly egress: readonly EgressRule[];
  readonly models: readonly string[];
  readonly registry: boolean;
  readonly limits: Limits;
  readonly setup: readonly string[];
  readonly checks: readonly Check[];
  readonly policy: { readonly commit: string; readonly digest: string };
}

import type { EgressRule } from "./egress.ts";
import type { PathRule } from "./paths.ts";

/** The least a run's sandbox has to be. */
export interface SandboxNeeds {
  /** Names; empty: any. */
  readonly providers: readonly string[];
  readonly images: readonly string[];
  /** "none": whatever there is. */
  readonly isolation: "none" | "process" | "container" | "microvm";
  /** `null`: what the provider gives by itself. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  readonly diskBytes: number | null;
}

/** The same of two policies at once. `null`: no name is in both. */
export type SandboxWanted = Omit<SandboxNeeds, "providers" | "images"> & {
  readonly [Key in "providers" | "images"]: SandboxNeeds[Key] | null;
};

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
  /** File globs: run only when one of these was changed. Empty: always. */
  readonly paths: readonly string[];
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
  readonly sandbox: SandboxWanted;
  readonly setup: readonly string[];
  /**
   * Those that the repository names itself at the commit the run starts from, which no policy takes back. Absent: none, or
   * unknown in a scope that an older release kept.
   */
  readonly ownSetup?: readonly string[];
  readonly checks: readonly Check[];
  /** The recipe that it is held to. Absent: none, or unknown in a scope that an older release kept. */
  readonly recipe?: string;
  readonly policy: { readonly commit: string; readonly digest: string };
}

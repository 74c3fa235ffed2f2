import type { Secret } from "./secret.ts";

/** What a provider was seen to do, never what its vendor claims. A run whose policy needs more is refused. */
export interface Capabilities {
  /** "process": namespaces over a shared kernel. */
  readonly isolation: "none" | "process" | "container" | "microvm";
  /** "enforced": held from outside the sandbox, default deny, raw addresses and DNS included. */
  readonly egress: "none" | "advisory" | "enforced";
  readonly limits: Readonly<Record<"cpu" | "memory" | "pids" | "disk", "hard" | "advisory" | "none">>;
}

/** Something that stands in the way, with the line that mends it. */
export interface Problem {
  readonly what: string;
  readonly fix: string;
}

export interface SandboxSpec {
  /** Idempotency key, durable before `create` is called. */
  readonly key: string;
  /** Read-only files the work needs beside the base system, by name: see `images/`. Found under `imageDir`. */
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The only way out: the address of the gateway ("unix:/path"), or `null` for none at all. */
  readonly gateway: string | null;
  /** PEM of authorities that programs inside trust beside the system's. No part of what makes two specs the same. */
  readonly trust?: string;
  /**
   * What a sandbox shows the gateway when it reaches it over a network, where nobody can vouch for it. Held inside, out
   * of environments and command lines. No part of what makes two specs the same.
   */
  readonly token?: Secret;
  /** `cpus` and `diskMiB` absent: as much as there is. A provider that cannot hold it to one of them refuses. */
  readonly limits: {
    readonly memoryMiB: number;
    readonly pids: number;
    /** Processors' worth of time. */
    readonly cpus?: number;
    readonly diskMiB?: number;
  };
  /** Wall clock since creation; held by the provider even when we are dead. */
  readonly ttlMs: number;
}

export interface SandboxInfo {
  readonly id: string;
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: "running" | "stopped";
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface Command {
  readonly argv: readonly string[];
  /** Absolute, inside the sandbox. Default: `workdir`. */
  readonly cwd?: string;
  /** Added to a clean environment (PATH, HOME, LANG, the proxy variables without a token). */
  readonly env?: Readonly<Record<string, string>>;
}

export interface ExecResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Each stream cut at 1 MiB; `truncated` says so. */
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
  readonly timedOut: boolean;
  readonly durationMs: number;
}

export interface ProcessInfo {
  readonly procId: string;
  readonly state: "running" | "exited";
  /** What could be learnt of the end; `oom` when the kernel or a limit killed it for memory. */
  readonly exit: { readonly code: number | null; readonly signal: string | null; readonly oom: boolean } | null;
  readonly startedAt: Date;
}

/** "in" is what was written to the process; it is journalled like its output. */
export type Stream = "in" | "out" | "err";

export interface Sandbox {
  readonly id: string;
  readonly key: string;
  /** Absolute paths inside. */
  readonly workdir: string;
  readonly home: string;
  readonly imageDir: string;
  /** Where processes inside find the gateway, e.g. "http://127.0.0.1:3128". */
  readonly gatewayUrl: string;
  info(): Promise<SandboxInfo>;
  /** Bounded: at most 10 minutes. A non-zero exit is a result, not an error; a timeout kills the whole group. */
  exec(command: Command, o: { timeoutMs: number; signal?: AbortSignal }): Promise<ExecResult>;
  /** Long-lived; survives us. Idempotent by `procId`: a second start of the same id returns the first. */
  start(procId: string, command: Command): Promise<ProcessInfo>;
  processes(): Promise<readonly ProcessInfo[]>;
  /**
   * Bytes from an absolute offset; the same offset gives the same bytes. With `follow`, ends only when the process
   * has exited and all is read. Otherwise throws "unavailable": a dropped connection is never an end of output.
   */
  output(
    procId: string,
    stream: Stream,
    from: number,
    o: { follow: boolean; signal: AbortSignal },
  ): AsyncIterable<Uint8Array>;
  /**
   * Appends to the process's input at byte `at`. What the journal already holds from there on must be the same bytes
   * and is not written again, so a repeat after a crash is harmless; other bytes throw "conflict".
   */
  input(procId: string, at: number, data: Uint8Array): Promise<void>;
  /** The whole process group, and with "KILL" every descendant. A finished process is fine. */
  kill(procId: string, signal: "TERM" | "INT" | "KILL"): Promise<void>;
  /** Kills every process started here, whatever session or group it moved to; the sandbox itself stays. */
  killAll(): Promise<void>;
  /** Resolved inside; escapes, devices and FIFOs throw "denied_path". */
  read(path: string, o: { maxBytes: number }): Promise<Uint8Array>;
  /** Atomic replace; parents are made. */
  write(path: string, data: Uint8Array | string, o?: { mode?: number }): Promise<void>;
}

export interface SandboxProvider {
  readonly name: string;
  preflight(): Promise<{ capabilities: Capabilities; problems: readonly Problem[] }>;
  /**
   * Idempotent by `spec.key`: the same key and spec give the same sandbox, another spec throws "conflict". Resolves
   * when usable and egress was probed from inside. On a throw nothing is left, except "unknown_outcome": list first.
   */
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /** After a crash. "gone"/"not_found": it will never return. "unavailable": unknown, try later. Starts nothing. */
  attach(id: string): Promise<Sandbox>;
  /** Complete, stopped ones included. Every given label must match. */
  list(labels: Readonly<Record<string, string>>): Promise<readonly SandboxInfo[]>;
  /** Idempotent; absent is success. Resolves when processes, files and network are gone. */
  destroy(id: string): Promise<void>;
}

export type SandboxErrorCode =
  | "not_found"
  | "gone"
  | "conflict"
  | "unavailable"
  | "timeout"
  | "unsupported"
  | "denied_path"
  | "too_large"
  | "policy_unenforceable"
  | "invalid"
  | "unknown_outcome";

export class SandboxError extends Error {
  override readonly name = "SandboxError";
  readonly code: SandboxErrorCode;

  constructor(code: SandboxErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

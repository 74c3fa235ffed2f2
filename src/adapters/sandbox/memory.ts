import { createHash } from "node:crypto";
import { digest } from "#policy/digest.ts";
import { type Clock, systemClock } from "#ports/clock.ts";
import {
  type Capabilities,
  type Command,
  type Sandbox,
  SandboxError,
  type SandboxInfo,
  type SandboxProvider,
  type SandboxSpec,
} from "#ports/sandbox.ts";
import { type Program, playing } from "./memory-process.ts";
import { checkHeld, checkLimit, checkProcId, checkSpec } from "./spec.ts";

const WORKDIR = "/workspace";
const HOME = "/home/agent";
const ROOTS = [WORKDIR, HOME, "/tmp"];
/** Each stream of `exec`, in bytes; the port's number. */
const EXEC_BYTES = 1024 * 1024;

interface Stored {
  readonly spec: SandboxSpec;
  readonly specDigest: string;
  readonly createdAt: Date;
  readonly sandbox: Sandbox;
  /** Resolves when every program has ended. */
  end(): Promise<void>;
}

export interface MemoryOptions {
  /** What a command does. `null`: no such program, exit 127. Nothing of the host is ever run. */
  readonly program?: (argv: readonly string[]) => Program | null;
  readonly clock?: Clock;
  /** What it says that it holds a sandbox to. Nothing that runs in it uses any of it. */
  readonly limits?: Partial<Capabilities["limits"]>;
}

/**
 * The reference provider: files in a Map, programs are functions. Keeps everything until it is destroyed or its time
 * to live is over, which is looked at on every call. A second caller that holds the same provider is "a fresh process".
 */
export function memorySandboxes(o: MemoryOptions = {}): SandboxProvider {
  const clock = o.clock ?? systemClock;
  const live = new Map<string, Stored>();

  const expire = () => {
    for (const [id, one] of live) {
      if (clock.now().getTime() >= one.createdAt.getTime() + one.spec.ttlMs) void drop(id);
    }
  };
  const drop = (id: string): Promise<void> => {
    const ended = live.get(id)?.end();
    live.delete(id);
    return ended ?? Promise.resolve();
  };

  const capabilities: Capabilities = {
    isolation: "none",
    egress: "enforced",
    limits: { cpu: "none", memory: "none", pids: "none", disk: "none", ...o.limits },
  };

  return {
    name: "memory",
    preflight: async () => ({ capabilities, problems: [] }),
    async create(spec, signal) {
      signal.throwIfAborted();
      checkSpec(spec);
      checkHeld(spec, capabilities, "memory");
      expire();
      const id = `mem_${createHash("sha256").update(spec.key).digest("hex").slice(0, 20)}`;
      const { trust: _, token: __, ...compared } = spec;
      const specDigest = digest(compared);
      const old = live.get(id);
      if (old !== undefined && old.specDigest !== specDigest) {
        throw new SandboxError("conflict", `sandbox ${spec.key} exists with another spec`);
      }
      if (old !== undefined) return old.sandbox;
      const stored = open(id, spec, specDigest, clock, o.program ?? (() => null), () => live.has(id));
      live.set(id, stored);
      return stored.sandbox;
    },
    async attach(id) {
      expire();
      const stored = live.get(id);
      if (stored === undefined) throw new SandboxError("not_found", `no sandbox ${id}`);
      return stored.sandbox;
    },
    async list(labels) {
      expire();
      const matching = [...live.values()].filter(({ spec }) =>
        Object.entries(labels).every(([name, value]) => spec.labels[name] === value),
      );
      return Promise.all(matching.map(({ sandbox }) => sandbox.info()));
    },
    destroy: (id) => drop(id),
  };
}

function open(
  id: string,
  spec: SandboxSpec,
  specDigest: string,
  clock: Clock,
  program: (argv: readonly string[]) => Program | null,
  exists: () => boolean,
): Stored {
  const createdAt = clock.now();
  const files = new Map<string, { data: Uint8Array; mode: number }>();
  const running = playing({ now: () => clock.now(), files });
  const alive = () => {
    if (!exists()) throw new SandboxError("gone", `sandbox ${id} was destroyed`);
  };
  const resolved = (command: Command) => ({
    argv: command.argv,
    cwd: command.cwd ?? WORKDIR,
    env: { PATH: "/usr/bin:/bin", HOME, LANG: "C.UTF-8", TERM: "dumb", ...command.env },
    program: program(command.argv),
  });
  let execs = 0;

  const sandbox: Sandbox = {
    id,
    key: spec.key,
    workdir: WORKDIR,
    home: HOME,
    imageDir: "/opt/image",
    gatewayUrl: "http://127.0.0.1:3128",
    async info(): Promise<SandboxInfo> {
      alive();
      const expiresAt = new Date(createdAt.getTime() + spec.ttlMs);
      return { id, key: spec.key, labels: spec.labels, state: "running", createdAt, expiresAt };
    },
    async exec(command, limits) {
      alive();
      checkLimit(limits.timeoutMs);
      limits.signal?.throwIfAborted();
      execs += 1;
      const began = performance.now();
      const process = running.start(`exec-${execs}`, resolved(command), { listed: false, stdin: "empty" });
      let timedOut = false;
      const timer = setTimeout(() => {
        timedOut = true;
        process.kill("SIGKILL");
      }, limits.timeoutMs);
      const abort = () => process.kill("SIGKILL");
      limits.signal?.addEventListener("abort", abort, { once: true });
      const exit = await process.ended;
      clearTimeout(timer);
      limits.signal?.removeEventListener("abort", abort);
      limits.signal?.throwIfAborted();
      const [out, err] = [process.streams.out.bytes(), process.streams.err.bytes()];
      return {
        exitCode: exit.code,
        signal: exit.signal,
        stdout: Buffer.from(out.subarray(0, EXEC_BYTES)).toString("utf8"),
        stderr: Buffer.from(err.subarray(0, EXEC_BYTES)).toString("utf8"),
        truncated: out.length > EXEC_BYTES || err.length > EXEC_BYTES,
        timedOut,
        durationMs: performance.now() - began,
      };
    },
    async start(procId, command) {
      alive();
      checkProcId(procId);
      return (running.get(procId) ?? running.start(procId, resolved(command), { listed: true, stdin: "open" })).info();
    },
    async processes() {
      alive();
      return running.all().map((process) => process.info());
    },
    async *output(procId, stream, from, { follow, signal }) {
      signal.throwIfAborted();
      alive();
      const process = running.known(procId);
      const journal = process.streams[stream];
      for (let at = from; ; ) {
        const chunk = journal.bytes().slice(at);
        if (chunk.length > 0) {
          at += chunk.length;
          yield chunk;
        } else if (!follow || process.info().state === "exited") {
          if (!exists()) throw new SandboxError("gone", `sandbox ${id} was destroyed`);
          return;
        } else {
          await process.changed(signal);
        }
      }
    },
    async input(procId, at, data) {
      alive();
      running.known(procId).input(at, data);
    },
    async kill(procId, signal) {
      alive();
      running.known(procId).kill(`SIG${signal}`);
      if (signal === "KILL") await running.known(procId).ended;
    },
    async killAll() {
      alive();
      await running.killAll();
    },
    async read(path, { maxBytes }) {
      alive();
      const file = files.get(inside(path));
      if (file === undefined) throw new SandboxError("not_found", `no file ${path}`);
      if (file.data.length > maxBytes) throw new SandboxError("too_large", `${path} is larger than ${maxBytes} bytes`);
      return file.data.slice();
    },
    async write(path, data, options) {
      alive();
      files.set(inside(path), { data: Uint8Array.from(Buffer.from(data)), mode: options?.mode ?? 0o644 });
    },
  };
  return { spec, specDigest, createdAt, sandbox, end: () => running.killAll() };
}

function inside(path: string): string {
  const segments = path.split("/");
  const within = ROOTS.some((root) => path.startsWith(`${root}/`));
  if (!within || segments.includes("..") || segments.includes(".") || path.includes("\0") || path.endsWith("/")) {
    throw new SandboxError("denied_path", `${JSON.stringify(path)} is not a file below ${ROOTS.join(", ")}`);
  }
  return path;
}

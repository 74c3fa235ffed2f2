import { isIP } from "node:net";
import { type ProcessInfo, SandboxError, type Stream } from "#ports/sandbox.ts";
import { freshBytes } from "#runner/input.ts";

export interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly oom: boolean;
}

/** What a scripted program sees. */
export interface ProgramContext {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What is written to the process, in order; ends at once for `exec`. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Aborts when the process is killed; the reason is the signal's name. */
  readonly signal: AbortSignal;
  readonly files: Map<string, { data: Uint8Array; mode: number }>;
  out(data: Uint8Array | string): void;
  err(data: Uint8Array | string): void;
  /** Takes a port of the sandbox's loopback until the program ends. */
  listen(port: number): "listening" | "EADDRINUSE";
  /** What a connection is told. The sandbox's own loopback is all the network there is. */
  connect(host: string, port: number): "connected" | "ECONNREFUSED" | "ENETUNREACH" | "EAI_AGAIN";
}

/** A program as a function: its exit code, or the whole end when a limit killed it. A throw is exit 1. */
export type Program = (ctx: ProgramContext) => Promise<number | Exit>;

interface Growing {
  bytes(): Uint8Array;
  append(data: Uint8Array | string): void;
}

export interface PlayedProcess {
  readonly streams: Readonly<Record<Stream, Growing>>;
  readonly ended: Promise<Exit>;
  info(): ProcessInfo;
  input(at: number, data: Uint8Array): void;
  kill(signal: string): void;
  /** Resolves at the next output, input or end. */
  changed(signal: AbortSignal): Promise<void>;
}

interface Resolved {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly program: Program | null;
}

interface House {
  readonly now: () => Date;
  readonly files: ProgramContext["files"];
  /** Ports of the loopback that are taken. */
  readonly ports: Set<number>;
}

/** The process table and the loopback of one in-memory sandbox. */
export function playing(o: Omit<House, "ports">) {
  const house: House = { ...o, ports: new Set() };
  const listed = new Map<string, PlayedProcess>();
  const everything = new Set<PlayedProcess>();
  return {
    get: (procId: string) => listed.get(procId),
    all: () => [...listed.values()],
    known(procId: string): PlayedProcess {
      const process = listed.get(procId);
      if (process === undefined) throw new SandboxError("not_found", `no process ${procId}`);
      return process;
    },
    start(procId: string, command: Resolved, o: { listed: boolean; stdin: "open" | "empty" }): PlayedProcess {
      const process = play(procId, command, o.stdin, house);
      everything.add(process);
      void process.ended.then(() => everything.delete(process));
      if (o.listed) listed.set(procId, process);
      return process;
    },
    async killAll(): Promise<void> {
      const doomed = [...everything];
      for (const process of doomed) process.kill("SIGKILL");
      await Promise.all(doomed.map((process) => process.ended));
    },
  };
}

function play(procId: string, command: Resolved, stdin: "open" | "empty", house: House): PlayedProcess {
  const mine = new Set<number>();
  const startedAt = house.now();
  const killed = new AbortController();
  let exit: Exit | null = null;
  let wake = Promise.withResolvers<void>();
  const changed = () => {
    wake.resolve();
    wake = Promise.withResolvers<void>();
  };
  const streams = { in: growing(changed), out: growing(changed), err: growing(changed) };
  const untilChange = (signal: AbortSignal) => {
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    return Promise.race([wake.promise, aborted.promise]).finally(() => signal.removeEventListener("abort", abort));
  };

  async function* read(): AsyncGenerator<Uint8Array> {
    for (let at = 0; stdin === "open" && exit === null; ) {
      const chunk = streams.in.bytes().slice(at);
      at += chunk.length;
      if (chunk.length > 0) yield chunk;
      else await untilChange(killed.signal);
    }
  }
  const context: ProgramContext = {
    argv: command.argv,
    env: command.env,
    cwd: command.cwd,
    stdin: read(),
    signal: killed.signal,
    files: house.files,
    out: (data) => (exit === null ? streams.out.append(data) : undefined),
    err: (data) => (exit === null ? streams.err.append(data) : undefined),
    listen(port) {
      if (exit !== null || house.ports.has(port)) return "EADDRINUSE";
      house.ports.add(port);
      mine.add(port);
      return "listening";
    },
    connect(host, port) {
      if (isIP(host) === 0 && host !== "localhost") return "EAI_AGAIN";
      if (!/^(localhost$|127\.|::1$)/.test(host)) return "ENETUNREACH";
      return house.ports.has(port) ? "connected" : "ECONNREFUSED";
    },
  };
  const run = async (): Promise<Exit> => {
    if (command.program === null) {
      context.err(`cannot start ${command.argv[0] ?? ""}: ENOENT\n`);
      return { code: 127, signal: null, oom: false };
    }
    const end = await command.program(context);
    return typeof end === "number" ? { code: end, signal: null, oom: false } : end;
  };
  const died = new Promise<Exit>((resolve) => {
    killed.signal.addEventListener("abort", () =>
      resolve({ code: null, signal: String(killed.signal.reason), oom: false }),
    );
  });
  const failed = (error: unknown): Exit => {
    context.err(`${error instanceof Error ? error.message : String(error)}\n`);
    return { code: 1, signal: null, oom: false };
  };
  const ended = Promise.race([died, run().catch(failed)]).then((end) => {
    exit = end;
    for (const port of mine) house.ports.delete(port);
    changed();
    return end;
  });

  return {
    streams,
    ended,
    changed: untilChange,
    info: () => ({ procId, state: exit === null ? "running" : "exited", exit, startedAt }),
    input(at, data) {
      const append = freshBytes(streams.in.bytes().length, at, data, (from, to) => streams.in.bytes().slice(from, to));
      if (append.kind === "conflict") throw new SandboxError("conflict", append.why);
      if (append.bytes.length === 0) return;
      if (exit !== null) throw new SandboxError("invalid", `process ${procId} has ended and reads no input`);
      streams.in.append(append.bytes);
    },
    kill(signal) {
      if (exit === null) killed.abort(signal);
    },
  };
}

function growing(changed: () => void): Growing {
  let held: Uint8Array = new Uint8Array();
  return {
    bytes: () => held,
    append(data) {
      held = Buffer.concat([held, Buffer.from(data)]);
      changed();
    },
  };
}

import { mkdirSync, writeFileSync } from "node:fs";
import { type Child, killEverything, killFamily, type Launch, type Place, startChild } from "./child.ts";
import { freshBytes } from "./input.ts";
import { type Journal, openJournal } from "./journal.ts";
import { CHUNK_BYTES, EXEC_BYTES, type Reply, type Request, RunnerError } from "./protocol.ts";
import { signalled } from "./tree.ts";

/** What one process may write to one of its journals before it is killed, in bytes. */
const JOURNAL_BYTES = 256 * 1024 * 1024;
/** Input that waits for a process to read it, in bytes. */
const WAITING_INPUT_BYTES = 16 * 1024 * 1024;

interface Process {
  readonly procId: string;
  readonly child: Child;
  readonly startedAt: number;
  readonly journals: Readonly<Record<"in" | "out" | "err", Journal>>;
  exit: { code: number | null; signal: string | null } | null;
}

/** Long-lived processes with journals below `folder`, and short ones without. */
export function processes(o: { place: Place; folder: string; ended: (procId: string) => void }) {
  const table = new Map<string, Process>();
  const execs = new Set<Child>();
  // Two runners never share a mark, even where they share a process table.
  const nonce = `${process.pid}-${Date.now().toString(36)}`;
  let execsSoFar = 0;

  const known = (procId: string): Process => {
    const one = table.get(procId);
    if (one === undefined) throw new RunnerError("not_found", `no process ${procId}`);
    return one;
  };
  const info = (one: Process): Reply<"start"> => ({
    procId: one.procId,
    state: one.exit === null ? "running" : "exited",
    exit: one.exit,
    startedAt: one.startedAt,
  });

  function start(procId: string, launch: Launch): Reply<"start"> {
    const running = table.get(procId);
    if (running !== undefined) return info(running);
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(procId)) throw new RunnerError("invalid", `${procId} is no process id`);
    const folder = `${o.folder}/${procId}`;
    mkdirSync(folder, { recursive: true });
    const journals = {
      in: openJournal(`${folder}/in`),
      out: openJournal(`${folder}/out`),
      err: openJournal(`${folder}/err`),
    };
    let child: Child | null = null;
    let over = false;
    const into = (journal: Journal) => (data: Buffer) => {
      if (over) return;
      journal.append(data);
      if (journal.size() <= JOURNAL_BYTES) return;
      over = true;
      journals.err.append(Buffer.from(`\nkilled: more than ${JOURNAL_BYTES} bytes of output\n`));
      if (child !== null) void killFamily(o.place, child);
    };
    const options = {
      mark: `${nonce}/${procId}`,
      stdin: "pipe",
      out: into(journals.out),
      err: into(journals.err),
    } as const;
    child = startChild(o.place, launch, options);
    const one: Process = { procId, child, startedAt: Date.now(), journals, exit: null };
    table.set(procId, one);
    void child.ended.then((end) => {
      one.exit = end;
      writeFileSync(`${folder}/exit.json`, `${JSON.stringify({ ...end, endedAt: Date.now() })}\n`);
      for (const journal of Object.values(journals)) journal.end();
      o.ended(procId);
    });
    return info(one);
  }

  async function exec(request: Request<"exec">, signal: AbortSignal): Promise<Reply<"exec">> {
    const began = performance.now();
    const [out, err] = [cut(EXEC_BYTES), cut(EXEC_BYTES)];
    execsSoFar += 1;
    const mark = `${nonce}/exec/${execsSoFar}`;
    const child = startChild(o.place, request, { mark, stdin: "ignore", out: out.take, err: err.take });
    execs.add(child);
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      void killFamily(o.place, child);
    }, request.timeoutMs);
    const abort = () => void killFamily(o.place, child);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    const end = await child.ended;
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
    if (timedOut || signal.aborted) await killFamily(o.place, child);
    execs.delete(child);
    return {
      exitCode: end.code,
      signal: end.signal,
      stdout: out.text(),
      stderr: err.text(),
      truncated: out.truncated() || err.truncated(),
      timedOut,
      durationMs: Math.round(performance.now() - began),
    };
  }

  async function output(request: Request<"output">, signal: AbortSignal): Promise<Reply<"output">> {
    const one = known(request.procId);
    const journal = one.journals[request.stream];
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(Math.min(request.waitMs, 60_000))]);
    while (journal.size() <= request.from && one.exit === null && !deadline.aborted && request.waitMs > 0) {
      await journal.grown(deadline);
    }
    const exited = one.exit !== null;
    const data = journal.slice(request.from, CHUNK_BYTES);
    return { data: data.toString("base64"), ended: exited && request.from + data.length >= journal.size() };
  }

  function input({ procId, at, data }: Request<"input">): null {
    const one = known(procId);
    const journal = one.journals.in;
    const append = freshBytes(journal.size(), at, Buffer.from(data, "base64"), (from, to) =>
      journal.slice(from, to - from),
    );
    if (append.kind === "conflict") throw new RunnerError("conflict", append.why);
    if (append.bytes.length === 0) return null;
    if (one.exit !== null || one.child.stdin === null) {
      throw new RunnerError("invalid", `process ${procId} has ended and reads no input`);
    }
    if (one.child.stdin.writableLength > WAITING_INPUT_BYTES) {
      throw new RunnerError("unavailable", `process ${procId} does not read its input`);
    }
    journal.append(append.bytes);
    one.child.stdin.write(append.bytes);
    return null;
  }

  async function kill({ procId, signal }: Request<"kill">): Promise<null> {
    const one = known(procId);
    if (signal !== "KILL") {
      if (one.exit === null && one.child.pid !== 0) signalled(-one.child.pid, `SIG${signal}`);
      return null;
    }
    await killFamily(o.place, one.child);
    await one.child.ended;
    return null;
  }

  async function killAll(): Promise<null> {
    const running = [...table.values()].map((one) => one.child);
    await killEverything(o.place, [...running, ...execs]);
    await Promise.all(running.map((child) => child.ended));
    return null;
  }

  return { start, exec, output, input, kill, killAll, all: () => [...table.values()].map(info) };
}

/** Keeps the first `max` bytes. */
function cut(max: number) {
  const pieces: Buffer[] = [];
  let size = 0;
  let dropped = false;
  return {
    take(data: Buffer) {
      const kept = data.subarray(0, max - size);
      if (kept.length < data.length) dropped = true;
      if (kept.length > 0) pieces.push(kept);
      size += kept.length;
    },
    text: () => Buffer.concat(pieces).toString("utf8"),
    truncated: () => dropped,
  };
}

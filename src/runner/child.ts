import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import type { Readable } from "node:stream";
import { closeWriteEnds, type Pipe } from "./pipes.ts";
import { familyOf, MARK, markOf, processTable, signalled } from "./tree.ts";

/** Where and as what the runner lives. Given by the one who starts it. */
export interface Place {
  /** True only as the sole tenant of a pid namespace: then every process in sight but pid 1 is ours to end. */
  readonly soleTenant: boolean;
  readonly workdir: string;
  readonly pipe: () => Pipe;
  /** The clean environment of every process. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Launch {
  readonly argv: readonly string[];
  readonly cwd: string | null;
  readonly env: Readonly<Record<string, string>>;
}

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
}

export interface Child {
  /** 0 when it could not be started. */
  readonly pid: number;
  readonly mark: string;
  readonly stdin: ChildProcess["stdin"];
  /** After the exit, and after the output that was under way has been read. */
  readonly ended: Promise<Ended>;
}

/** Output that follows an exit belongs to it until this long nothing came: a child in the background may hold the pipe. */
const QUIET_MS = 100;
const LONGEST_DRAIN_MS = 2_000;
/** The kernel should take a tool before it takes the runner, which is everybody's parent. */
const OOM_SCORE = "500";

/**
 * Starts a program in its own session and group with a clean environment. A program that cannot be started is a child
 * that ended with 127 and said why on `err`, as a shell would.
 */
export function startChild(
  place: Place,
  launch: Launch,
  o: { mark: string; stdin: "pipe" | "ignore"; out: (data: Buffer) => void; err: (data: Buffer) => void },
): Child {
  const [program, ...args] = launch.argv;
  const failed = (why: string): Child => {
    o.err(Buffer.from(`cannot start ${program ?? "nothing"}: ${why}\n`));
    return { pid: 0, mark: o.mark, stdin: null, ended: Promise.resolve({ code: 127, signal: null }) };
  };
  if (program === undefined || program === "") return failed("the command is empty");
  const pipes: Pipe[] = [];
  let child: ChildProcess;
  try {
    pipes.push(place.pipe());
    pipes.push(place.pipe());
    child = spawn(program, args, {
      cwd: launch.cwd ?? place.workdir,
      env: { ...place.env, ...launch.env, [MARK]: o.mark },
      detached: true,
      stdio: [o.stdin, ...pipes.map((pipe) => pipe.write)],
    });
  } catch (error) {
    // A NUL byte, an argument list the kernel refuses or no pipe to be had throw at once instead of becoming an event.
    for (const pipe of pipes) pipe.read.destroy();
    return failed(error instanceof Error ? error.message : String(error));
  } finally {
    closeWriteEnds(pipes);
  }
  child.stdin?.on("error", () => undefined); // A reader that went away shows in its exit.
  if (child.pid !== undefined) preferForOom(child.pid);
  let received = 0;
  const streams = pipes.map((pipe) => pipe.read);
  for (const [at, take] of [o.out, o.err].entries()) {
    streams[at]?.on("data", (data: Buffer) => {
      received += data.length;
      take(data);
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    child.once("error", (error) => {
      if (child.pid !== undefined) return;
      o.err(Buffer.from(`cannot start ${program}: ${(error as NodeJS.ErrnoException).code ?? error.message}\n`));
      resolve({ code: 127, signal: null });
    });
    child.once("exit", (code, signal) => {
      const end = { code, signal };
      void drained(streams, () => received).then(() => resolve(end));
    });
  });
  return { pid: child.pid ?? 0, mark: o.mark, stdin: child.stdin, ended };
}

/** Resolves when both pipes are at their end, or quiet. */
function drained(streams: readonly Readable[], received: () => number): Promise<void> {
  return new Promise((resolve) => {
    const deadline = performance.now() + LONGEST_DRAIN_MS;
    let timer: NodeJS.Timeout;
    const open = () => streams.some((stream) => !stream.readableEnded && !stream.destroyed);
    const finish = () => {
      clearTimeout(timer);
      resolve();
    };
    const look = () => {
      if (!open()) return finish();
      const before = received();
      // One turn of the loop after the timer, so that bytes already in the pipe are counted even when we were starved.
      timer = setTimeout(() => {
        setImmediate(() =>
          setImmediate(() => (received() === before || performance.now() > deadline ? finish() : look())),
        );
      }, QUIET_MS);
    };
    for (const stream of streams) stream.once("end", () => (open() ? undefined : finish()));
    look();
  });
}

function preferForOom(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch (error) {
    // It has ended already, or this place does not let us: then it is only less well aimed.
    if (!["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

/** Kills the child and everything that came from it; resolves when none of it is left. */
export async function killFamily(place: Place, child: Child): Promise<void> {
  if (child.pid === 0) return;
  const options = { self: process.pid, orphans: place.soleTenant, markOf };
  await until(() => {
    const family = familyOf(processTable(), child.pid, child.mark, options);
    for (const row of family) signalled(row.pid, "SIGKILL");
    return family.length === 0;
  });
}

/** Kills whatever came from any of `children`; as the sole tenant, whatever runs at all. */
export async function killEverything(place: Place, children: readonly Child[]): Promise<void> {
  if (!place.soleTenant) {
    await Promise.all(children.map((child) => killFamily(place, child)));
    return;
  }
  await until(() => {
    const rest = processTable().filter((row) => row.pid !== 1 && row.pid !== process.pid);
    // -1 is everyone but us and pid 1, in one step of the kernel: a fork bomb cannot outrun it.
    if (rest.length > 0) signalled(-1, "SIGKILL");
    return rest.length === 0;
  });
}

/** The kernel has no event for "gone"; between looks it gets time to end what it was told to. */
async function until(done: () => boolean): Promise<void> {
  for (let wait = 1; !done(); wait = Math.min(wait * 2, 20)) {
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

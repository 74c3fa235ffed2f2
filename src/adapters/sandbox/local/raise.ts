import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, renameSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import path from "node:path";
import type { Readable } from "node:stream";
import { SandboxError, type SandboxErrorCode } from "#ports/sandbox.ts";
import { FILES } from "./box.ts";
import { ask } from "./control.ts";
import { end, hasEnded, type Identity, identityOf } from "./identity.ts";

/** A supervisor that was asked to end gets this long before it is killed. */
const DESTROY_MS = 10_000;

/** A supervisor that has been started and does not know its sandbox yet. */
export interface Recruit {
  /** Resolves when the sandbox at `dir` is ready; throws what went wrong, or the signal's reason. */
  serve(dir: string, signal: AbortSignal): Promise<void>;
  /** Before it serves: its log goes into this folder. */
  keepLogIn(folder: string): void;
  /** There is nothing to do for it after all. */
  dismiss(): void;
  readonly identity: () => Identity | null;
}

/**
 * Starts a supervisor's program; its error stream goes to the file `log`. Once it serves it lives on without us, before
 * that it ends with us. `spare`: it need not be quick, nobody waits for it yet.
 */
function recruit(node: string, runtime: string, logFile: string, spare: boolean): Recruit {
  const log = openSync(logFile, "a", 0o600);
  const child = spawn(node, [path.join(runtime, "supervisor.cjs"), logFile, ...(spare ? ["spare"] : [])], {
    detached: true,
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
    stdio: ["pipe", log, log, "pipe"],
  });
  closeSync(log);
  child.unref();
  child.stdin?.on("error", () => undefined); // It shows in the missing word.
  const failed = new Promise<never>((_, reject) => child.once("error", reject));
  failed.catch(() => undefined); // Heard by `serve`, if it is ever called.
  const [stdin, answer] = [child.stdin as Socket, (child.stdio as readonly unknown[])[3] as Socket];
  for (const socket of [stdin, answer]) socket.unref(); // A spare must not keep us from ending.
  const word = wholeText(answer);
  let file = logFile;
  return {
    keepLogIn(folder) {
      const kept = path.join(folder, FILES.log);
      renameSync(file, kept);
      file = kept;
    },
    dismiss() {
      stdin.end();
      rmSync(file, { force: true });
    },
    identity: () => (child.pid === undefined ? null : identityOf(child.pid)),
    async serve(dir, signal) {
      answer.ref();
      stdin.end(`${dir}\n`);
      const text = await Promise.race([word, failed, abortOf(signal)]);
      if (text === "") throw new SandboxError("unavailable", "the supervisor ended before the sandbox was ready");
      const said: { ready: true } | { code: SandboxErrorCode; message: string } = JSON.parse(text);
      if (!("ready" in said)) throw new SandboxError(said.code, said.message);
    },
  };
}

export interface Recruits {
  /** One that is there, or a new one. */
  next(): Recruit;
  /** Has one started ahead of need: most sandboxes are followed by another. */
  prepareSpare(): void;
}

/**
 * Supervisors for the sandboxes of `stateDir`. A spare one saves its start and costs its memory, so it waits `spareMs`
 * and no longer; 0: there is none.
 */
export function recruits(node: string, runtime: string, stateDir: string, spareMs: number): Recruits {
  let spare: { recruit: Recruit; timer: NodeJS.Timeout } | null = null;
  const start = (isSpare: boolean) =>
    recruit(node, runtime, path.join(stateDir, `.log-${randomBytes(6).toString("hex")}`), isSpare);
  return {
    next() {
      const ready = spare;
      spare = null;
      if (ready === null) return start(false);
      clearTimeout(ready.timer);
      if (ready.recruit.identity() !== null) return ready.recruit;
      ready.recruit.dismiss();
      return start(false);
    },
    prepareSpare() {
      if (spare !== null || spareMs === 0) return;
      const one = start(true);
      const timer = setTimeout(() => {
        one.dismiss();
        spare = null;
      }, spareMs);
      timer.unref();
      spare = { recruit: one, timer };
    },
  };
}

function wholeText(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    stream.setEncoding("utf8").on("data", (piece: string) => {
      text += piece;
    });
    stream.once("close", () => resolve(text));
    stream.once("error", () => resolve(text));
  });
}

function abortOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** Asks first, so that it cleans up; one that does not answer is killed. */
export async function endSupervisor(dir: string, supervisor: Identity): Promise<void> {
  try {
    await ask(dir, "destroy", {}, { withinMs: DESTROY_MS });
    if (await hasEnded(supervisor, DESTROY_MS)) return;
  } catch {
    // It is starting, ending or stuck: in each case what follows is right.
  }
  await end(supervisor, DESTROY_MS);
}

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
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
  /** There is nothing to do for it after all. */
  dismiss(): void;
  readonly identity: () => Identity | null;
}

/** Starts a supervisor's program; its error stream goes to the log file in `folder`. It lives on without us. */
export function recruit(node: string, runtime: string, folder: string): Recruit {
  const log = openSync(path.join(folder, FILES.log), "a", 0o600);
  const child = spawn(node, [path.join(runtime, "supervisor.cjs")], {
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
  const word = wholeText((child as ChildProcess & { stdio: readonly unknown[] }).stdio[3] as Readable);
  return {
    dismiss: () => void child.stdin?.end(),
    identity: () => (child.pid === undefined ? null : identityOf(child.pid)),
    async serve(dir, signal) {
      child.stdin?.end(`${dir}\n`);
      const text = await Promise.race([word, failed, abortOf(signal)]);
      if (text === "") throw new SandboxError("unavailable", "the supervisor ended before the sandbox was ready");
      const said: { ready: true } | { code: SandboxErrorCode; message: string } = JSON.parse(text);
      if (!("ready" in said)) throw new SandboxError(said.code, said.message);
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

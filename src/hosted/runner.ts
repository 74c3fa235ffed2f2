import { type ChildProcess, spawn } from "node:child_process";
import type { Duplex } from "node:stream";
import { onLines } from "#runner/lines.ts";
import type { RunnerConfig } from "#runner/main.ts";
import { LINE_BYTES, parseUpward } from "#runner/protocol.ts";

/** What the runner said to one call. The control plane, and not we, holds it against its shape. */
export type Answer =
  | { readonly body: unknown }
  | { readonly error: { readonly code: string; readonly message: string } };

export interface Runner {
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  call(op: string, request: unknown): { readonly answer: Promise<Answer>; cancel(): void };
}

const LOST: Answer = { error: { code: "unavailable", message: "the runner inside has ended" } };

/** Starts the runner beside us. `as`: the user that it and everything from it is; `null`: our own. */
export function startRunner(program: string, config: Omit<RunnerConfig, "link">, as: number | null): Runner {
  const child: ChildProcess = spawn(process.execPath, [program, JSON.stringify({ ...config, link: 3 })], {
    cwd: "/",
    env: {},
    stdio: ["ignore", "inherit", "inherit", "pipe"],
    ...(as === null ? {} : { uid: as, gid: as }),
  });
  const link = (child.stdio as readonly unknown[])[3] as Duplex;
  const waiting = new Map<number, (answer: Answer) => void>();
  const ready = Promise.withResolvers<void>();
  let calls = 0;
  let over = false;
  onLines(link, LINE_BYTES, (line) => {
    const message = parseUpward(line);
    if (message.kind === "ready") return ready.resolve();
    if (message.kind === "exited") return;
    const { id } = message;
    waiting.get(id)?.(
      message.kind === "reply" ? { body: message.body } : { error: { code: message.code, message: message.message } },
    );
    waiting.delete(id);
  });
  link.on("error", () => link.destroy());
  const ended = new Promise<void>((resolve) => {
    const finish = () => {
      over = true;
      ready.reject(new Error("the runner ended before it was ready"));
      for (const settle of waiting.values()) settle(LOST);
      waiting.clear();
      resolve();
    };
    child.once("exit", finish).once("error", finish);
  });
  ready.promise.catch(() => undefined); // Who waits for it hears of it; nobody has to.
  return {
    ready: ready.promise,
    ended,
    call(op, request) {
      if (over) return { answer: Promise.resolve(LOST), cancel: () => undefined };
      calls += 1;
      const id = calls;
      const say = (message: unknown) => void link.write(`${JSON.stringify(message)}\n`);
      const answer = new Promise<Answer>((resolve) => {
        waiting.set(id, resolve);
        say({ id, op, request });
      });
      return { answer, cancel: () => say({ cancel: id }) };
    },
  };
}

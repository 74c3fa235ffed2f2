import type { Duplex } from "node:stream";
import { SandboxError } from "#ports/sandbox.ts";
import { onLines } from "#runner/lines.ts";
import {
  CALLS,
  type Downward,
  LINE_BYTES,
  type Op,
  parseUpward,
  type Reply,
  type Request,
  type Upward,
} from "#runner/protocol.ts";

export interface RunnerLink {
  /** Resolves when the runner takes calls; rejects when it ends before. */
  readonly ready: Promise<void>;
  call<O extends Op>(op: O, request: Request<O>, signal: AbortSignal): Promise<Reply<O>>;
}

interface Waiting {
  settle(message: Extract<Upward, { kind: "reply" | "error" }>): void;
  lost(why: Error): void;
}

/**
 * Calls to the runner over one connection. Everything that comes back is held to its shape: a runner that says anything
 * else is not ours any more, and the connection is cut.
 */
export function runnerLink(stream: Duplex, o: { exited: (procId: string) => void }): RunnerLink {
  const waiting = new Map<number, Waiting>();
  const ready = Promise.withResolvers<void>();
  ready.promise.catch(() => undefined); // Who waits for it hears of it; nobody has to.
  let calls = 0;
  let closed: Error | null = null;

  onLines(stream, LINE_BYTES, (line) => {
    try {
      const message = parseUpward(line);
      if (message.kind === "ready") ready.resolve();
      else if (message.kind === "exited") o.exited(message.procId);
      else {
        const one = waiting.get(message.id);
        waiting.delete(message.id);
        one?.settle(message);
      }
    } catch (cause) {
      stream.destroy(new Error("the runner broke the protocol", { cause }));
    }
  });
  const lost = (why: Error) => {
    closed = why;
    ready.reject(why);
    for (const one of waiting.values()) one.lost(why);
    waiting.clear();
  };
  stream.once("error", (cause) =>
    lost(new SandboxError("unavailable", `the runner is lost: ${cause.message}`, { cause })),
  );
  stream.once("close", () => lost(closed ?? new SandboxError("unavailable", "the runner has ended")));

  return {
    ready: ready.promise,
    call(op, request, signal) {
      if (closed !== null) return Promise.reject(closed);
      calls += 1;
      const id = calls;
      const send = (message: Downward) => stream.write(`${JSON.stringify(message)}\n`);
      const cancel = () => send({ cancel: id });
      return new Promise<Reply<typeof op>>((resolve, reject) => {
        waiting.set(id, {
          lost: reject,
          settle(message) {
            if (message.kind === "error") return reject(new SandboxError(message.code, message.message));
            try {
              resolve(CALLS[op].reply(message.body, op) as Reply<typeof op>);
            } catch (cause) {
              stream.destroy(new Error("the runner broke the protocol", { cause }));
              reject(cause);
            }
          },
        });
        signal.addEventListener("abort", cancel, { once: true });
        send({ id, op, request });
      }).finally(() => signal.removeEventListener("abort", cancel));
    },
  };
}

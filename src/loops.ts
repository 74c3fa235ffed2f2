import { setTimeout as pause } from "node:timers/promises";
import type { Core } from "#runs/core.ts";

/** Runs `body` until it is told to stop; what it throws is said, and it begins again after a second. */
export function loop(
  say: Core["log"],
  what: string,
  body: (signal: AbortSignal) => Promise<void>,
): () => Promise<void> {
  const leaving = new AbortController();
  const done = (async () => {
    while (!leaving.signal.aborted) {
      try {
        await body(leaving.signal);
      } catch (error) {
        if (leaving.signal.aborted) return;
        say(`${what} failed and goes on in a second`, { error: String(error) });
        await pause(1_000, undefined, { signal: leaving.signal }).catch(() => undefined);
      }
    }
  })();
  return async () => {
    leaving.abort();
    await done;
  };
}

/** A bell: `wait` ends when it rings, at the latest after `ms`. A ring while nobody waits is not lost. */
export function waker(): { wake: () => void; wait: (ms: number, signal: AbortSignal) => Promise<void> } {
  let rung = false;
  let ring: (() => void) | null = null;
  return {
    wake() {
      rung = true;
      ring?.();
    },
    async wait(ms, signal) {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          ring = () => {
            clearTimeout(timer);
            resolve();
          };
          signal.addEventListener("abort", () => ring?.(), { once: true });
        });
        ring = null;
      }
      rung = false;
    },
  };
}

/** What was begun and nobody waits for: `over` resolves when all of it is done. What is added must not reject. */
export function underWay(): { add: (work: Promise<void>) => void; over: () => Promise<void> } {
  const going = new Set<Promise<void>>();
  return {
    add(work) {
      const one = work.finally(() => going.delete(one));
      going.add(one);
    },
    async over() {
      while (going.size > 0) await Promise.all(going);
    },
  };
}

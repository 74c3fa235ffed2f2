import { SandboxError } from "#ports/sandbox.ts";
import { VendorError } from "./vendor.ts";

export interface Patience {
  /** Resolves after `ms`; rejects with the signal's reason. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longest that one call waits for the platform's leave, altogether. */
const LONGEST_MS = 120_000;
/** A throttle that does not say when. */
const UNTOLD_MS = 1_000;

/**
 * Makes the call again when the platform says that it has too many: it did nothing, so nothing is done twice. Throws
 * "unavailable" when that goes on for longer than two minutes.
 */
export async function calmly<T>({ pause }: Patience, call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let waited = 0, turn = 0; ; turn += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof VendorError) || error.kind !== "throttled") throw error;
      const ms = error.retryAfterMs ?? UNTOLD_MS * 2 ** Math.min(turn, 5);
      if (waited + ms > LONGEST_MS) {
        const why = `Daytona has too many calls of ours and wants ${Math.ceil(ms / 1000)} s more`;
        throw new SandboxError("unavailable", why, { cause: error });
      }
      waited += ms;
      await pause(ms, signal);
    }
  }
}

/** Waits for `promise` until the signal aborts; then throws its reason, and what comes of the promise is nobody's. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  promise.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

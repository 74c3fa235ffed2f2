import { setTimeout as pause } from "node:timers/promises";

/** How often a surface that tells nobody of its changes is looked at. */
const LOOK_MS = 40;

/**
 * The first answer of `look` that is not null or false. For what has no event to await: other processes, files, HTTP.
 * Throws when it does not come within `ms`, with what was awaited and the last failure of `look` where it throws.
 */
export async function until<T>(
  what: string,
  look: () => T | null | false | Promise<T | null | false>,
  ms = 60_000,
): Promise<T> {
  for (const end = performance.now() + ms; ; await pause(LOOK_MS)) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (performance.now() > end) throw new Error(`not within ${ms / 1_000} s: ${what}`);
  }
}

/**
 * How long an answer may be used again. Membership must be live: a person who left a group a moment ago may not vote,
 * so this only joins the few calls that one click makes.
 */
const HOLD_MS = 2_000;
const HOLD_MOST_MS = 5_000;
/** Reading is another matter than voting: a page that is open asks with each change of its run. */
export const READ_MOST_MS = 30_000;
/** Entries kept; far above what two seconds of a busy workspace can ask. */
const ENTRIES = 1_000;

/**
 * Calls under way are shared; answers are kept for `cacheMs` (default 2 s, at most `mostMs`, which is 5 s), failures not
 * at all.
 */
export function heldAnswers(o: {
  readonly cacheMs?: number | undefined;
  readonly mostMs?: typeof READ_MOST_MS;
  readonly now?: (() => number) | undefined;
}) {
  const holdMs = Math.min(o.cacheMs ?? HOLD_MS, o.mostMs ?? HOLD_MOST_MS);
  const now = o.now ?? Date.now;
  const held = new Map<string, { readonly until: number; readonly answer: Promise<unknown> }>();
  return <T>(key: string, call: () => Promise<T>): Promise<T> => {
    const at = now();
    const kept = held.get(key);
    if (kept && at < kept.until) return kept.answer as Promise<T>;
    const answer = call();
    if (held.size >= ENTRIES) held.clear();
    held.set(key, { until: at + holdMs, answer });
    answer.catch(() => {
      if (held.get(key)?.answer === answer) held.delete(key);
    });
    return answer;
  };
}

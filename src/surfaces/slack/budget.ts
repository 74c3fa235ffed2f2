/** How much a change matters. Slack allows about 50 edits a minute; the last tokens are for what people wait for. */
export type Urgency = "state" | "receipt" | "task" | "heartbeat";

/** Tokens that must be there for each: the rest is kept for what is more urgent. */
const NEEDS: Readonly<Record<Urgency, number>> = { state: 1, receipt: 2, task: 4, heartbeat: 7 };

export interface Rate {
  readonly perMinute: number;
  /** Tokens at most. In any minute `burst + perMinute` calls are possible: keep that under Slack's tier. */
  readonly burst: number;
}

/** Tier 3 is 50 a minute and more (docs.slack.dev/apis/web-api/rate-limits). Posts are left to Slack's own answer. */
const RATES: Readonly<Record<string, Rate>> = { "chat.update": { perMinute: 40, burst: 10 } };

const GAP_LEAST_MS = 3_000;
/** A run counts as active this long after its last edit. */
const ACTIVE_MS = 60_000;
/** Edits a minute that steps of all runs together may use. */
const STEPS_PER_MINUTE = 30;

export interface Budget {
  /**
   * 0: go ahead, a token is taken. Otherwise nothing is taken; ask again after this many milliseconds. Whoever asks
   * before their turn keeps it.
   */
  take(method: string, urgency: Urgency, key: string): number;
  /** Slack said so: nothing of this method until then. Other methods go on. */
  limited(method: string, forMs: number): void;
}

/** One workspace's allowance, per method, kept in this process. */
export function budget(now: () => number, rates: Readonly<Record<string, Rate>> = RATES): Budget {
  const buckets = new Map<string, { tokens: number; at: number }>();
  const closedUntil = new Map<string, number>();
  const lastOf = new Map<string, number>();
  /** When the last of those who wait has its turn, by method and urgency. */
  const lines = new Map<string, number>();
  /** Each one's turn, by line and key. */
  const turns = new Map<string, number>();

  function gapMs(at: number): number {
    for (const [key, last] of lastOf) if (at - last > ACTIVE_MS) lastOf.delete(key);
    return Math.max(GAP_LEAST_MS, Math.ceil((lastOf.size * 60) / STEPS_PER_MINUTE) * 1_000);
  }

  return {
    take(method, urgency, key) {
      const at = now();
      const closed = (closedUntil.get(method) ?? 0) - at;
      if (closed > 0) return closed;
      const rate = rates[method];
      if (!rate) return 0;
      const gap = gapMs(at);
      const since = at - (lastOf.get(key) ?? Number.NEGATIVE_INFINITY);
      if ((urgency === "task" || urgency === "heartbeat") && since < gap) return gap - since;
      const bucket = buckets.get(method) ?? { tokens: rate.burst, at };
      const perMs = rate.perMinute / 60_000;
      const tokens = Math.min(rate.burst, bucket.tokens + (at - bucket.at) * perMs);
      // A burst smaller than the reserve must still let everything through when it is full.
      const needed = Math.min(NEEDS[urgency], rate.burst);
      if (tokens < needed) {
        buckets.set(method, { tokens, at });
        // They stand in line: sent away until the same moment, hundreds would be rendered again for one token.
        const line = `${method} ${urgency}`;
        const mine = turns.get(`${line} ${key}`) ?? 0;
        if (mine > at) return Math.ceil(mine - at);
        const turn = Math.max(at + (needed - tokens) / perMs, (lines.get(line) ?? 0) + 1 / perMs);
        lines.set(line, turn);
        for (const [who, passed] of turns) if (passed <= at) turns.delete(who);
        turns.set(`${line} ${key}`, turn);
        return Math.ceil(turn - at);
      }
      buckets.set(method, { tokens: tokens - 1, at });
      lastOf.set(key, at);
      return 0;
    },
    limited(method, forMs) {
      closedUntil.set(method, Math.max(closedUntil.get(method) ?? 0, now() + forMs));
    },
  };
}

import type { InboxRow, InboxStore } from "#runs/stores.ts";

/** How often one delivery is tried before a person has to look. */
const TRIES_MOST = 5;
/**
 * How long a delivery stays a process's own when nothing more is heard of it. Linear wants a first sign within ten
 * seconds: another process looks each two, and has three left.
 */
const CLAIM_MS = 5_000;
/** So often a process says that it still works. */
const BEAT_MS = 1_000;
/** What failed is left for so many claims, and for as many more each time. */
const REST = 6;
const AT_ONCE = 20;

/** Works off what the inbox holds of one source: each row until it is done, or given up aloud. */
export interface Deliveries {
  /** Keeps what was told, as this process's own, which is to `start` it. `false`: it was told before. Throws when it is not kept. */
  keep(id: string, body: unknown): Promise<boolean>;
  /**
   * Does the work of one row that is kept, once at a time, and holds it for as long as that takes. Never rejects: the row stays for the next time, or is given up.
   * `failed`: it could not be done, for the `tried`-th time, `forGood` when that was the last; must not throw.
   */
  start(
    id: string,
    work: () => Promise<unknown>,
    failed?: (forGood: boolean, tried: number) => Promise<void>,
  ): Promise<void>;
  /** Takes up what a crash or a failure left and is nobody's, by `again`. Resolves when all of it was tried; how many rows there were. */
  redrive(again: (row: InboxRow) => Promise<void>): Promise<number>;
  /** Resolves when everything that was started is over. */
  drain(): Promise<void>;
}

export function deliveries(o: {
  readonly source: string;
  /** In the log's words: "Slack". */
  readonly name: string;
  readonly inbox: InboxStore;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** Default 5 s. Less than nothing: what one process has is anybody's, and what failed is due at once. */
  readonly claimMs?: number | undefined;
  /** Rows worked on at once, where nobody waits for what comes of one: answers come before the work. Default: all. */
  readonly atOnce?: number;
}): Deliveries {
  const { source, name, inbox, log, claimMs = CLAIM_MS, atOnce = Number.POSITIVE_INFINITY } = o;
  const inTurn = turns(atOnce);
  const tries = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  let beat: NodeJS.Timeout | null = null;

  /** The claim runs out by itself; the work goes on, or is done again. */
  const untold = (cause: unknown) => log("the inbox did not take a word", { source, error: String(cause) });

  function begin(id: string, work: Promise<void>): void {
    running.set(id, work);
    beat ??= setInterval(() => void inbox.hold(source, [...running.keys()], claimMs).catch(untold), BEAT_MS);
  }

  function end(id: string): void {
    running.delete(id);
    if (running.size > 0 || beat === null) return;
    clearInterval(beat);
    beat = null;
  }

  async function drive(...[id, work, failed]: Parameters<Deliveries["start"]>): Promise<void> {
    try {
      await work();
      await inbox.done(source, id);
      tries.delete(id);
    } catch (error) {
      const tried = (tries.get(id) ?? 0) + 1;
      tries.set(id, tried);
      const forGood = tried >= TRIES_MOST;
      log(`a ${name} delivery ${forGood ? "is given up: look at it" : "failed and will be tried again"}`, {
        level: "error",
        delivery: id,
        tried,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      if (forGood) tries.delete(id);
      await (forGood ? inbox.done(source, id) : inbox.later(source, id, REST * tried * claimMs)).catch(untold);
      await failed?.(forGood, tried);
    }
  }

  return {
    keep: (id, body) => inbox.insertOnce(source, id, body, claimMs),
    start(...of) {
      const [id] = of;
      const work = inTurn(() => drive(...of)).finally(() => end(id));
      begin(id, work);
      return work;
    },
    async redrive(again) {
      const rows = await inbox.unfinished(source, claimMs, AT_ONCE);
      const ours = rows.filter((row) => row.source === source && !running.has(row.deliveryId));
      await Promise.all(ours.map(again));
      return ours.length;
    },
    async drain() {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}

/** Runs what it is given, `most` at a time, in order. */
function turns(most: number): (work: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  let busy = 0;
  return async (work) => {
    if (busy >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else busy += 1;
    try {
      await work();
    } finally {
      // The place goes to whoever is next.
      const next = waiting.shift();
      if (next === undefined) busy -= 1;
      else next();
    }
  };
}

import type { InboxRow, InboxStore } from "#runs/stores.ts";

/** How often one delivery is tried before a person has to look. */
const TRIES_MOST = 5;
const LEFT_BEHIND_MS = 30_000;
const AT_ONCE = 20;

/** Works off what the inbox holds of one source: each row until it is done, or given up aloud. */
export interface Deliveries {
  /**
   * Does the work of one row that is kept, once at a time. Never rejects: the row stays for the next time, or is given up.
   * `failed`: it could not be done, for the `tried`-th time, `forGood` when that was the last; must not throw.
   */
  start(
    id: string,
    work: () => Promise<unknown>,
    failed?: (forGood: boolean, tried: number) => Promise<void>,
  ): Promise<void>;
  /** Takes up what a crash or a failure left, by `again`. Resolves when all of it was tried; how many rows there were. */
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
  /** Older rows are of a process that is gone: their work takes milliseconds. Default 30 s. */
  readonly leftBehindMs?: number | undefined;
  /** Rows worked on at once, where nobody waits for what comes of one: answers come before the work. Default: all. */
  readonly atOnce?: number;
}): Deliveries {
  const { source, name, inbox, log, leftBehindMs = LEFT_BEHIND_MS, atOnce = Number.POSITIVE_INFINITY } = o;
  const inTurn = turns(atOnce);
  const tries = new Map<string, number>();
  const running = new Map<string, Promise<void>>();

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
      if (forGood) {
        tries.delete(id);
        await inbox
          .done(source, id)
          .catch((cause) => log("the inbox did not take a done", { delivery: id, error: String(cause) }));
      }
      await failed?.(forGood, tried);
    }
  }

  return {
    start(...of) {
      const [id] = of;
      const work = inTurn(() => drive(...of)).finally(() => running.delete(id));
      running.set(id, work);
      return work;
    },
    async redrive(again) {
      const rows = await inbox.unfinished(source, leftBehindMs, AT_ONCE);
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

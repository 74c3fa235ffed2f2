import type { PullRequestChange } from "#ports/repo-host.ts";
import type { Ground } from "./ground.ts";
import { repositoryRecords } from "./ground.ts";
import { decidedNumbers, isMarked, mark, readPull } from "./pulls.ts";

/** Tells the outside what people decided, each change until it was taken once. */
export interface Teller {
  /** There may be something new to tell. Resolves after a round over all that is untold; never rejects. */
  round(): Promise<void>;
  /** No further round begins; resolves when the one under way is over. */
  stop(): Promise<void>;
}

/**
 * What is untold is read from the records, so that a crash loses nothing: a decision that has landed and has no mark
 * is told again, under the same delivery id.
 */
export function teller(
  ground: Ground,
  o: {
    onChange: (change: PullRequestChange) => Promise<void>;
    /** A change was not taken (`null`: the records could not be read). Tried again after `nextMs`. */
    onFailure: (error: unknown, change: PullRequestChange | null, nextMs: number) => void;
    retryMs: (failures: number) => number;
  },
): Teller {
  let running: Promise<void> | null = null;
  let again = false;
  let stopped = false;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;

  async function tellAll(): Promise<boolean> {
    let current: PullRequestChange | null = null;
    let taken = true;
    try {
      for (const change of await untold(ground)) {
        if (stopped) return true;
        current = change;
        try {
          await o.onChange(change);
          await mark(ground, change.repo, change.number, "told");
        } catch (error) {
          taken = false;
          o.onFailure(error, change, o.retryMs(failures));
        }
      }
    } catch (error) {
      taken = false;
      o.onFailure(error, current, o.retryMs(failures));
    }
    return taken;
  }

  async function rounds(): Promise<void> {
    do {
      again = false;
      const taken = await tellAll();
      clearTimeout(timer);
      if (!taken && !stopped) {
        timer = setTimeout(() => void round(), o.retryMs(failures));
        timer.unref();
      }
      failures = taken ? 0 : failures + 1;
    } while (again && !stopped);
  }

  function round(): Promise<void> {
    if (stopped) return Promise.resolve();
    again = running !== null;
    running ??= rounds().finally(() => {
      running = null;
    });
    return running;
  }

  return {
    round,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** Changes that have happened and were never taken, oldest decision first. */
async function untold(ground: Ground): Promise<readonly PullRequestChange[]> {
  const found: { at: string; change: PullRequestChange }[] = [];
  for (const { name: repo } of await repositoryRecords(ground)) {
    for (const number of await decidedNumbers(ground, repo)) {
      if (await isMarked(ground, repo, number, "told")) continue;
      const decision = (await readPull(ground, repo, number))?.decision ?? null;
      if (decision === null) continue;
      const { deliveryId, kind, by, mergeOid, at } = decision;
      found.push({ at, change: { deliveryId, repo, number, kind, by: by.name, oid: mergeOid } });
    }
  }
  return found.sort((a, b) => a.at.localeCompare(b.at)).map(({ change }) => change);
}

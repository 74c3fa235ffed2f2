import type { PgBoss } from "pg-boss";
import { sql } from "#db/drizzle.ts";
import { asDb, type Db, rows, store } from "#db/store.ts";
import { Fenced } from "#runs/run.ts";
import { announce, DEAD, HEARTBEAT_S, inside, type Job, type JobData, type QueueName } from "./boss.ts";

export interface WorkerOptions {
  readonly boss: PgBoss;
  readonly db: Db;
  readonly queue: QueueName;
  /** Jobs at a time. */
  readonly slots: number;
  /** After this long the signal is aborted and the run queued again, before the queue's own limit ends the job. */
  readonly longestMs: number;
  handle(job: Job, signal: AbortSignal): Promise<void>;
  /** Queues the job's run again, inside the transaction that completes it. `null`: the job itself goes back. */
  readonly again: ((db: Db, job: Job) => Promise<void>) | null;
  readonly onError: (error: Error) => void;
}

export interface Worker {
  readonly queue: QueueName;
  /** Looks for jobs now; while it looks, once more afterwards. */
  poke(): void;
  /** Says that it lives. Jobs that were taken away meanwhile are aborted. */
  heartbeat(): Promise<void>;
  /** Fetches no more; what runs is aborted with `abort`, or left to finish. Resolves when nothing is held. */
  close(abort: boolean): Promise<void>;
  /** Hands over what has not finished: someone else may run it from now on, and the epoch fences us. */
  abandon(): Promise<void>;
}

interface Held {
  readonly job: Job;
  readonly abort: AbortController;
  /** No longer ours to settle. */
  lost: boolean;
  done: Promise<void>;
}

/**
 * Runs jobs of one queue. Over pg-boss's fetch, complete, fail and touch, not its `work`: that one sleeps after every
 * job, so that a wake during a turn waits for the next poll, and polls once per slot.
 */
export function startWorker(o: WorkerOptions): Worker {
  const held = new Map<string, Held>();
  let open = true;
  let wanted = false;
  let fetching: Promise<void> | null = null;
  let heardAt = Date.now();

  function poke(): void {
    wanted = true;
    if (!open || fetching || held.size >= o.slots) return;
    fetching = fetch()
      .catch(o.onError)
      .finally(() => {
        fetching = null;
        if (wanted) poke();
      });
  }

  async function fetch(): Promise<void> {
    while (open && wanted && held.size < o.slots) {
      wanted = false;
      const free = o.slots - held.size;
      // The group is the run: without it, a wake of a run that is active stands at the head of the queue, its fetch
      // breaks the unique key, and pg-boss reports an empty queue to everyone (12.35, `fetch` and SQLSTATE 23505).
      const jobs = await o.boss.fetch<JobData>(o.queue, {
        batchSize: free,
        includeMetadata: true,
        groupConcurrency: 1,
      });
      for (const job of jobs) hold(job);
      if (jobs.length === free) wanted = true;
    }
  }

  function hold(job: Job): void {
    if (held.size === 0) heardAt = Date.now();
    const entry: Held = { job, abort: new AbortController(), lost: false, done: Promise.resolve() };
    held.set(job.id, entry);
    if (!open) entry.abort.abort(new Error("the worker drains"));
    entry.done = carry(entry)
      .catch(o.onError)
      .finally(() => {
        held.delete(job.id);
        poke();
      });
  }

  async function carry(entry: Held): Promise<void> {
    const { job, abort } = entry;
    const limit = setTimeout(() => abort.abort(new Error("the turn is handed on")), o.longestMs);
    let failure: unknown = null;
    try {
      if (!abort.signal.aborted) await o.handle(job, abort.signal);
    } catch (error) {
      failure = error ?? new Error("a handler failed without saying why");
    } finally {
      clearTimeout(limit);
    }
    if (entry.lost) return;
    if (abort.signal.aborted) return giveBack(entry);
    // Someone else has the run; this job has nothing left to do.
    if (failure === null || failure instanceof Fenced) {
      await o.boss.complete(o.queue, attempt(job));
      return;
    }
    o.onError(asError(failure));
    await retry(job, asError(failure));
  }

  /** Completes the job and queues its run again, both or neither: another worker starts within milliseconds. */
  async function giveBack(entry: Held): Promise<void> {
    entry.lost = true;
    const { again } = o;
    await store(o.db).tx(async (tx) => {
      const db = inside(asDb(tx));
      if (again) {
        await o.boss.complete(o.queue, attempt(entry.job), null, { db });
        return again(asDb(tx), entry.job);
      }
      await o.boss.fail(o.queue, attempt(entry.job), { message: "the worker drained" }, { db });
      await announce(asDb(tx), o.queue);
    });
  }

  /** A wake meanwhile is a job of its own and does not wait for this one's pause. */
  async function retry(job: Job, error: Error): Promise<void> {
    await store(o.db).tx(async (tx) => {
      const db = inside(asDb(tx));
      await o.boss.fail(o.queue, attempt(job), { message: error.message }, { db });
      if (job.retryCount < job.retryLimit) {
        await o.boss.update({ name: o.queue, options: { id: job.id, startAfter: pauseS(job.retryCount), db } });
      }
      await announce(asDb(tx), DEAD);
    });
  }

  function lose(entry: Held, why: string): void {
    entry.lost = true;
    entry.abort.abort(new Error(why));
  }

  async function heartbeat(): Promise<void> {
    const mine = [...held.values()].filter((entry) => !entry.lost);
    if (mine.length === 0) return;
    try {
      const pairs = mine.map(({ job }) => `${job.id}:${job.retryCount}`);
      const touched = await o.db.execute(sql`
        update pgboss.job set heartbeat_on = clock_timestamp()
        where name = ${o.queue} and state = 'active'
          and id = any(${sql.param(mine.map(({ job }) => job.id))}::uuid[])
          and id::text || ':' || retry_count = any(${sql.param(pairs)}::text[])
        returning id`);
      heardAt = Date.now();
      const ours = new Set(rows<{ id: string }>(touched).map((row) => row.id));
      for (const entry of mine) {
        if (!ours.has(entry.job.id) && held.has(entry.job.id)) lose(entry, "another worker has this job");
      }
    } catch (error) {
      o.onError(asError(error));
      // Unheard for so long, the jobs are someone else's by now.
      if (Date.now() - heardAt > HEARTBEAT_S * 1_000) for (const entry of mine) lose(entry, "the database is away");
    }
  }

  return {
    queue: o.queue,
    poke,
    heartbeat,
    async close(abort) {
      open = false;
      await fetching;
      if (abort) for (const entry of held.values()) entry.abort.abort(new Error("the worker drains"));
      await Promise.all([...held.values()].map((entry) => entry.done));
    },
    async abandon() {
      open = false;
      for (const entry of [...held.values()].filter((entry) => !entry.lost)) {
        await giveBack(entry);
        entry.abort.abort(new Error("the worker drains"));
      }
    },
  };
}

/** Settling names the attempt, so that a worker that slept cannot settle its successor's. */
const attempt = (job: Job) => ({ id: job.id, retryCount: job.retryCount });

const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/** 1, 2, 4 … 30 s, in seconds. */
const pauseS = (retries: number): number => Math.min(2 ** retries, 30);

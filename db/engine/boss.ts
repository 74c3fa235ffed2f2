import type { SQL } from "drizzle-orm";
import { fromDrizzle, type JobWithMetadata, PgBoss, type Queue as QueueOptions, type Db as Statements } from "pg-boss";
import { sql } from "#db/drizzle.ts";
import type { Database } from "#db/open.ts";
import { type Db, rows } from "#db/store.ts";
import { QUEUES, type Queue } from "#ports/engine.ts";

/** What a job says: everything else is in the run's row. */
export interface JobData {
  readonly runId: string;
}
export type Job = JobWithMetadata<JobData>;

/** Jobs whose retries are used up. Its own retries go on for days: a run must not be forgotten. */
export const DEAD = "dead";
export type QueueName = Queue | typeof DEAD;
export const QUEUE_NAMES: readonly QueueName[] = [...QUEUES, DEAD];

/** pg-boss accepts nothing shorter. A worker that has not been heard for this long has lost its jobs. */
export const HEARTBEAT_S = 10;

/** How long a job may be active, in seconds; pg-boss caps it at a day, so a long turn comes back to the queue before. */
const EXPIRES_S: Record<QueueName, number> = { tick: 120, agent: 24 * 3600, control: 900, dead: 120 };

const DAY_S = 24 * 3600;

function optionsOf(name: QueueName): Omit<QueueOptions, "name" | "policy"> {
  return {
    expireInSeconds: EXPIRES_S[name],
    heartbeatSeconds: HEARTBEAT_S,
    retryDelay: 0,
    retryBackoff: false,
    deleteAfterSeconds: DAY_S,
    ...(name === DEAD ? { retryLimit: 10_000 } : { deadLetter: DEAD }),
  };
}

const NOBODY = "00000000-0000-0000-0000-000000000000";

/**
 * pg-boss without its own clockwork. Its monitor caches which keys are active and its fetch then skips those keys
 * until the cache is renewed, so that a wake during a turn would start up to a minute late (12.35: `singletonsActive`);
 * `pulse.ts` does the little that is left of the monitor's work.
 */
export async function startBoss(database: Database, onError: (error: Error) => void): Promise<PgBoss> {
  const boss = new PgBoss({
    db: database.boss,
    backend: database.kind,
    supervise: false,
    schedule: false,
    flowIntervalSeconds: DAY_S,
    bamIntervalSeconds: 600,
  });
  boss.on("error", onError);
  // Alone: its own lock is taken after `create schema`, where a second starting replica fails.
  await database.alone(async () => {
    await boss.start();
    // The dead letter queue first: the others name it.
    for (const name of [DEAD, ...QUEUES] as const) {
      await boss.createQueue(name, { policy: name === DEAD ? "standard" : "stately", ...optionsOf(name) });
      await boss.updateQueue(name, optionsOf(name));
      // So that pg-boss knows the queue: the first `send` would look it up outside of its transaction, and on PGlite,
      // which has one connection, wait for itself.
      await boss.touch(name, NOBODY);
    }
  });
  return boss;
}

/** Lets pg-boss run its statements inside a transaction of ours. */
export const inside = (db: Db): Statements =>
  fromDrizzle({ execute: async (query) => ({ rows: [...rows(await db.execute(query as SQL))] }) }, sql);

/** Tells every worker, when `db` commits, that a queue has something. */
export async function announce(db: Db, queue: QueueName): Promise<void> {
  await db.execute(sql`select pg_notify('countersign_jobs', ${queue})`);
}

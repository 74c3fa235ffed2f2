import type { PgBoss } from "pg-boss";
import { sql } from "#db/drizzle.ts";
import { type Db, rows } from "#db/store.ts";
import type { Queue } from "#ports/engine.ts";
import { announce, inside } from "./boss.ts";

/** A queued job can only vanish by being fetched; that often in a row does not happen. */
const TRIES = 10;

/**
 * Queues the run when `db` commits. One queued job per run and queue: if there is one, it serves this wake too. Then
 * its row is held until the commit, because a worker that fetched it before would read the run as it was and finish,
 * and nobody would come for what is written here.
 */
export async function wake(boss: PgBoss, db: Db, runId: string, queue: Queue, retries: number): Promise<void> {
  for (let left = TRIES; left > 0; left -= 1) {
    const id = await boss.send(
      queue,
      { runId },
      { singletonKey: runId, group: { id: runId }, retryLimit: retries, db: inside(db) },
    );
    if (id !== null || (await holdQueued(db, runId, queue))) return announce(db, queue);
  }
  throw new Error(`Run ${runId} could not be queued on ${queue}.`);
}

/** Only a job that is due counts: a retry that waits for its time does not run soon. */
async function holdQueued(db: Db, runId: string, queue: Queue): Promise<boolean> {
  const held = await db.execute(sql`
    select id from pgboss.job
    where name = ${queue} and singleton_key = ${runId} and state = 'created' and start_after <= clock_timestamp()
    for share`);
  return rows(held).length > 0;
}

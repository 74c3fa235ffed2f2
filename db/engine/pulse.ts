import type { PgBoss } from "pg-boss";
import { sql } from "#db/drizzle.ts";
import { type Db, rows } from "#db/store.ts";
import { announce, QUEUE_NAMES, type QueueName } from "./boss.ts";

interface Lapsed {
  readonly queue: QueueName;
  readonly id: string;
  readonly retryCount: number;
}

const names = () => sql`any(${sql.param([...QUEUE_NAMES])}::text[])`;

/** Queues with a job that is due: what a lost NOTIFY, or a pause that is over, leaves to be found. One statement. */
export async function readyQueues(db: Db): Promise<readonly QueueName[]> {
  const found = await db.execute(sql`
    select distinct name from pgboss.job
    where name = ${names()} and state < 'active' and start_after <= clock_timestamp()`);
  return rows<{ name: QueueName }>(found).map((row) => row.name);
}

/**
 * Puts the jobs of dead workers back: no heartbeat for its time, or active for too long. `everything`: all active
 * jobs, for a process that knows it is alone. Says so to every worker, as pg-boss's own monitor does not.
 */
export async function reap(boss: PgBoss, db: Db, everything = false): Promise<number> {
  const found = await db.execute(sql`
    select name as queue, id, retry_count as "retryCount" from pgboss.job
    where name = ${names()} and state = 'active' and (${everything}
      or heartbeat_on + heartbeat_seconds * interval '1 second' < clock_timestamp()
      or started_on + expire_seconds * interval '1 second' < clock_timestamp())`);
  const lapsed = rows<Lapsed>(found);
  for (const { queue, id, retryCount } of lapsed) {
    await boss.fail(queue, { id, retryCount }, { message: "its worker died" });
  }
  if (lapsed.length > 0) for (const queue of QUEUE_NAMES) await announce(db, queue);
  return lapsed.length;
}

/** Jobs that are over and can tell nobody anything any more. */
export async function forget(db: Db): Promise<void> {
  await db.execute(sql`
    delete from pgboss.job where name = ${names()} and (
      (state = 'completed' and completed_on < clock_timestamp() - interval '1 hour')
      or (state > 'completed' and completed_on < clock_timestamp() - interval '14 days'))`);
}

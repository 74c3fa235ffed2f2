import { type Engine, type EngineStats, type Handlers, QUEUES, type Queue } from "#ports/engine.ts";
import { advance } from "./cursors.ts";
import { sql } from "./drizzle.ts";
import { DEAD, type Job, QUEUE_NAMES, type QueueName, startBoss } from "./engine/boss.ts";
import { forget, readyQueues, reap } from "./engine/pulse.ts";
import { wake } from "./engine/wake.ts";
import { startWorker, type Worker } from "./engine/worker.ts";
import type { Database } from "./open.ts";
import { asDb, rows, store } from "./store.ts";

export interface EngineOptions {
  readonly database: Database;
  readonly orgId: string;
  /** Jobs at a time in this process. An agent's slot mostly waits. */
  readonly slots?: Partial<Record<Queue, number>>;
  /** Failures and deaths that one job survives before its run is handed off. 20 unless told. */
  readonly retries?: number;
  /** Heartbeats, and the look for what no NOTIFY has said. 2 s unless told; must stay well under 10 s. */
  readonly pulseMs?: number;
}

const SLOTS: Record<QueueName, number> = { tick: 8, agent: 16, control: 4, dead: 2 };
/** A turn returns to the queue after six hours, far from pg-boss's limit of a day. */
const LONGEST_MS = 6 * 3_600_000;
const FORGET_MS = 600_000;

/**
 * Durable dispatch on pg-boss, on Postgres or PGlite. A worker that dies is noticed within 10 s and a pulse; a PGlite
 * process is alone, so what its predecessor had active starts again at once.
 */
export async function pgBossEngine(o: EngineOptions): Promise<Engine> {
  const { database } = o;
  const { db, onError } = database;
  const retries = o.retries ?? 20;
  const boss = await startBoss(database, onError);
  const workers: Worker[] = [];
  const timers: NodeJS.Timeout[] = [];
  const stops: (() => void)[] = [];
  let pulsing: Promise<void> | null = null;
  /** `performance.now()`. */
  let looked: number | null = null;

  const poke = (queue: string | null) => {
    for (const worker of workers) if (queue === null || worker.queue === queue) worker.poke();
  };

  function every(ms: number, job: () => Promise<void>): void {
    let running = false;
    timers.push(
      setInterval(() => {
        if (running) return;
        running = true;
        job()
          .catch(onError)
          .finally(() => {
            running = false;
          });
      }, ms),
    );
  }

  async function pulse(): Promise<void> {
    await Promise.all(workers.map((worker) => worker.heartbeat()));
    if (database.kind === "postgres") await reap(boss, db);
    for (const queue of await readyQueues(db)) poke(queue);
    looked = performance.now();
  }

  return {
    wake: (tx, runId, queue) => wake(boss, asDb(tx), runId, queue, retries),

    async work(handlers) {
      if (database.kind === "pglite") await reap(boss, db, true);
      for (const queue of QUEUE_NAMES) {
        workers.push(
          startWorker({
            boss,
            db,
            queue,
            slots: (queue !== DEAD && o.slots?.[queue]) || SLOTS[queue],
            longestMs: LONGEST_MS,
            handle: (job, signal) => handle(handlers, queue, job, signal),
            again: queue === DEAD ? null : (to, job) => wake(boss, to, job.data.runId, queue, retries),
            onError,
          }),
        );
      }
      stops.push(database.on("countersign_jobs", { notified: poke, missed: () => poke(null) }));
      every(o.pulseMs ?? 2_000, () => {
        pulsing = pulse();
        return pulsing;
      });
      every(FORGET_MS, () => forget(db));
      poke(null);
      looked = performance.now();
    },

    async schedule(name, everyMs, job) {
      every(everyMs, async () => {
        // Whoever first moves the cursor into this slot of time has it; the clock is the database's.
        const [row] = rows<{ slot: string | number }>(
          await db.execute(sql`select floor(extract(epoch from clock_timestamp()) * 1000 / ${everyMs}) as slot`),
        );
        if (row && (await advance(db, o.orgId, `schedule:${name}`, Number(row.slot)))) await job();
      });
    },

    async drain(ms) {
      for (const timer of timers.splice(0)) clearInterval(timer);
      for (const stop of stops.splice(0)) stop();
      // Heartbeats go on while handlers finish.
      const beat = setInterval(() => {
        for (const worker of workers) worker.heartbeat().catch(onError);
      }, 2_000);
      const closed = Promise.all(workers.map((worker) => worker.close(worker.queue === "agent")));
      let late: NodeJS.Timeout | undefined;
      const patience = new Promise<void>((resolve) => {
        late = setTimeout(resolve, ms);
      });
      await Promise.race([closed, patience]);
      clearTimeout(late);
      clearInterval(beat);
      await pulsing?.catch(onError);
      await Promise.all(workers.map((worker) => worker.abandon()));
      await boss.stop({ graceful: false, close: false });
    },

    async stats() {
      const counted = await db.execute(sql`
        select name, (state = 'active') as active, count(*)::int as n from pgboss.job
        where state <= 'active' group by 1, 2`);
      const stats: EngineStats = {
        queued: { tick: 0, agent: 0, control: 0 },
        active: { tick: 0, agent: 0, control: 0 },
        lookedMsAgo: looked === null ? null : performance.now() - looked,
      };
      for (const row of rows<{ name: string; active: boolean; n: number }>(counted)) {
        const queue = QUEUES.find((name) => name === row.name);
        if (queue) stats[row.active ? "active" : "queued"][queue] += row.n;
      }
      return stats;
    },
  };

  async function handle(handlers: Handlers, queue: QueueName, job: Job, signal: AbortSignal): Promise<void> {
    const { runId } = job.data;
    if (queue === "agent") return handlers.agent(runId, signal);
    if (queue !== DEAD) return handlers[queue](runId);
    const source = QUEUES.find((name) => name === job.sourceName);
    if (!source) throw new Error(`A dead letter of run ${runId} came from ${job.sourceName}.`);
    // pg-boss also buries a job whose place as a retry was taken by another of the same run: that one lives.
    if ((job.sourceRetryCount ?? 0) < retries) {
      return store(db).tx((tx) => wake(boss, asDb(tx), runId, source, retries));
    }
    return handlers.dead(runId, source, lastWords(job));
  }
}

/** What the last attempt failed of. */
function lastWords(job: Job): string {
  const { message } = (job.sourceOutput ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : "no reason was recorded";
}

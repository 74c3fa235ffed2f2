import { type Engine, type Handlers, QUEUES, type Queue } from "#ports/engine.ts";
import { Fenced } from "#runs/run.ts";
import { loadPglite } from "./drizzle.ts";
import { type Database, type OpenOptions, pgliteDatabase } from "./open.ts";
import { afterCommit } from "./store.ts";

/** The files of an empty, migrated database: making them takes seconds, copying them half of one. */
let template: Promise<File | Blob> | undefined;

/** A database of its own, in memory, gone when it is closed. For tests: stores over it are the memory adapter. */
export async function memoryDatabase(o: OpenOptions = {}): Promise<Database> {
  template ??= makeTemplate();
  return pgliteDatabase(await loadPglite().PGlite.create({ loadDataDir: await template }), () => {}, o);
}

async function makeTemplate(): Promise<File | Blob> {
  const client = await loadPglite().PGlite.create();
  let dump: File | Blob | undefined;
  const database = await pgliteDatabase(client, () => {});
  try {
    dump = await client.dumpDataDir("none");
  } finally {
    await database.close();
  }
  return dump;
}

const RETRIES = 2;

/** The engine without a database: the same coalescing, lost with the process. For tests of what it calls. */
export function memoryEngine(): Engine {
  const queued = new Map<Queue, Map<string, number>>(QUEUES.map((queue) => [queue, new Map()]));
  const active = new Map<Queue, Map<string, { abort: AbortController; done: Promise<void> }>>(
    QUEUES.map((queue) => [queue, new Map()]),
  );
  const timers: NodeJS.Timeout[] = [];
  let handlers: Handlers | null = null;

  /** `tries`: how often this job has failed already. */
  function enqueue(queue: Queue, runId: string, tries: number): void {
    const waiting = queued.get(queue);
    if (!waiting?.has(runId)) waiting?.set(runId, tries);
    setImmediate(dispatch, queue);
  }

  function dispatch(queue: Queue): void {
    const waiting = queued.get(queue);
    const running = active.get(queue);
    if (!handlers || !waiting || !running) return;
    for (const [runId, tries] of waiting) {
      if (running.has(runId)) continue;
      waiting.delete(runId);
      const abort = new AbortController();
      const done = carry(handlers, queue, runId, tries, abort.signal).finally(() => {
        running.delete(runId);
        dispatch(queue);
      });
      running.set(runId, { abort, done });
    }
  }

  async function carry(to: Handlers, queue: Queue, runId: string, tries: number, signal: AbortSignal): Promise<void> {
    try {
      await (queue === "agent" ? to.agent(runId, signal) : to[queue](runId));
    } catch (error) {
      if (error instanceof Fenced || signal.aborted) return;
      if (tries < RETRIES) return enqueue(queue, runId, tries + 1);
      await to.dead(runId, queue, error instanceof Error ? error.message : String(error));
    } finally {
      if (signal.aborted) enqueue(queue, runId, 0);
    }
  }

  return {
    async wake(tx, runId, queue) {
      afterCommit(tx, () => enqueue(queue, runId, 0));
    },
    async work(given) {
      handlers = given;
      for (const queue of QUEUES) dispatch(queue);
    },
    async schedule(_name, everyMs, job) {
      let running = false;
      timers.push(
        setInterval(() => {
          if (running) return;
          running = true;
          job().finally(() => {
            running = false;
          });
        }, everyMs),
      );
    },
    async drain(ms) {
      handlers = null;
      for (const timer of timers.splice(0)) clearInterval(timer);
      const all = [...active.values()].flatMap((running) => [...running.values()]);
      for (const { abort } of active.get("agent")?.values() ?? []) abort.abort(new Error("the worker drains"));
      let late: NodeJS.Timeout | undefined;
      await Promise.race([
        Promise.all(all.map(({ done }) => done)),
        new Promise<void>((resolve) => {
          late = setTimeout(resolve, ms);
        }),
      ]);
      clearTimeout(late);
    },
    async stats() {
      const count = (of: Map<Queue, Map<string, unknown>>) => ({
        tick: of.get("tick")?.size ?? 0,
        agent: of.get("agent")?.size ?? 0,
        control: of.get("control")?.size ?? 0,
      });
      return { queued: count(queued), active: count(active), lookedMsAgo: handlers === null ? null : 0 };
    },
  };
}

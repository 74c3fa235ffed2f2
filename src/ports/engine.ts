import type { Tx } from "./store.ts";

/** `tick`: short moves. `agent`: long supervision of one turn. `control`: cancel and clean-up, never behind a busy run. */
export const QUEUES = ["tick", "agent", "control"] as const;
export type Queue = (typeof QUEUES)[number];

export interface Handlers {
  tick(runId: string): Promise<void>;
  /** `signal` aborts when the worker drains or loses the job: leave, the run is woken elsewhere. */
  agent(runId: string, signal: AbortSignal): Promise<void>;
  control(runId: string): Promise<void>;
  /** The run's retries are used up: it must be handed off with fault "us". */
  dead(runId: string, queue: Queue, error: string): Promise<void>;
}

export interface EngineStats {
  queued: Record<Queue, number>;
  active: Record<Queue, number>;
  /** Since this process last looked for jobs by itself and the store answered; `null`: it works on none. */
  lookedMsAgo: number | null;
}

/**
 * Durable dispatch: one queued and one active job per run and queue; wakes coalesce.
 * Timers are not jobs: `wake_at` is a column of the run and the sweep enqueues what is due (docs/adr/0001).
 */
export interface Engine {
  /** In the caller's transaction, so that a committed wake is never lost and a rolled-back one never happens. */
  wake(tx: Tx, runId: string, queue: Queue): Promise<void>;
  /** Starts fetching. Called once. */
  work(handlers: Handlers): Promise<void>;
  /** Runs `job` about every `everyMs` on one of the workers. Missed ticks are not made up for. */
  schedule(name: string, everyMs: number, job: () => Promise<void>): Promise<void>;
  /** Stops fetching, aborts agent handlers, waits up to `ms` for the rest, hands unfinished runs to another worker. */
  drain(ms: number): Promise<void>;
  stats(): Promise<EngineStats>;
}

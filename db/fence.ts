import { Fenced } from "#runs/run.ts";
import { eq } from "./drizzle.ts";
import { runs } from "./schema/runs.ts";
import type { Db } from "./store.ts";

/** Epochs of the runs whose rows a transaction has locked: until it ends nobody else changes them. */
const held = new WeakMap<Db, Map<string, number>>();

/** Says that this transaction has the run's row locked at `epoch`, so that it is not asked again. */
export function holds(db: Db, run: { readonly id: string; readonly epoch: number }): void {
  const epochs = held.get(db) ?? new Map<string, number>();
  epochs.set(run.id, run.epoch);
  held.set(db, epochs);
}

/**
 * Holds the run's row and proves that `epoch` is still its owner's; throws `Fenced` when it is not. Runs are always
 * locked before what belongs to them (approvals, heads), so that two transactions cannot wait for each other.
 */
export async function holdRun(db: Db, run: { readonly id: string; readonly epoch: number | null }): Promise<void> {
  const epoch = held.get(db)?.get(run.id) ?? (await lockRun(db, run.id));
  if (run.epoch !== null && run.epoch !== epoch) {
    throw new Fenced(`Run ${run.id} was taken at epoch ${epoch}; this worker holds ${run.epoch}.`);
  }
}

async function lockRun(db: Db, id: string): Promise<number> {
  const [row] = await db.select({ epoch: runs.epoch }).from(runs).where(eq(runs.id, id)).for("no key update");
  if (!row) throw new Error(`There is no run ${id}.`);
  holds(db, { id, epoch: row.epoch });
  return row.epoch;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether an id from outside can be one of ours: Postgres refuses the whole query when it is not. */
export const isId = (text: string): boolean => UUID.test(text);

/** Postgres keeps no NUL in text. */
export const storable = (text: string): string => text.replaceAll("\0", "\u{FFFD}");

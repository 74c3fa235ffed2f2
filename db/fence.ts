import { Fenced } from "#runs/run.ts";
import { eq } from "./drizzle.ts";
import { runs } from "./schema/runs.ts";
import type { Db } from "./store.ts";

/**
 * Holds the run's row and proves that `epoch` is still its owner's; throws `Fenced` when it is not. Runs are always
 * locked before what belongs to them (approvals, heads), so that two transactions cannot wait for each other.
 */
export async function holdRun(db: Db, run: { readonly id: string; readonly epoch: number | null }): Promise<void> {
  const [row] = await db.select({ epoch: runs.epoch }).from(runs).where(eq(runs.id, run.id)).for("no key update");
  if (!row) throw new Error(`There is no run ${run.id}.`);
  if (run.epoch !== null && run.epoch !== row.epoch) {
    throw new Fenced(`Run ${run.id} was taken at epoch ${row.epoch}; this worker holds ${run.epoch}.`);
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether an id from outside can be one of ours: Postgres refuses the whole query when it is not. */
export const isId = (text: string): boolean => UUID.test(text);

/** Postgres keeps no NUL in text. */
export const storable = (text: string): string => text.replaceAll("\0", "\u{FFFD}");

import type { Effect, EffectStore } from "#runs/stores.ts";
import { and, asc, eq, sql } from "./drizzle.ts";
import { holdRun } from "./fence.ts";
import { effects } from "./schema/work.ts";
import { asDb, type Db, reading, store } from "./store.ts";

export function effectStore(db: Db, orgId: string): EffectStore {
  return {
    intend: (key, run) =>
      store(db).tx(async (tx) => {
        const to = asDb(tx);
        await holdRun(to, run);
        const [row] = await to
          .insert(effects)
          .values({ key, orgId, runId: run.id, epoch: run.epoch })
          .onConflictDoUpdate({
            target: effects.key,
            set: { attempts: sql`${effects.attempts} + 1`, epoch: run.epoch },
          })
          .returning();
        if (!row) throw new Error(`The effect ${key} was not stored.`);
        return toEffect(row);
      }),
    async done(tx, key, run, result) {
      const to = asDb(tx);
      await holdRun(to, run);
      // What was recorded first happened; a second look-up of the same act finds the same thing.
      const now = await to
        .update(effects)
        .set({ state: "done", result: result ?? null, epoch: run.epoch, doneAt: sql`clock_timestamp()` })
        .where(and(eq(effects.key, key), eq(effects.runId, run.id), eq(effects.state, "intent")))
        .returning({ key: effects.key });
      if (now.length > 0) return;
      const [row] = await to.select({ state: effects.state }).from(effects).where(eq(effects.key, key));
      if (row?.state !== "done") throw new Error(`The effect ${key} of run ${run.id} was never intended.`);
    },
    async ofRun(runId) {
      const rows = await reading(db)
        .select()
        .from(effects)
        .where(eq(effects.runId, runId))
        .orderBy(asc(effects.intendedAt), asc(effects.key));
      return rows.map(toEffect);
    },
  };
}

const toEffect = (row: typeof effects.$inferSelect): Effect => ({
  key: row.key,
  runId: row.runId,
  state: row.state,
  result: row.result,
});

import type { SandboxRow, SandboxStore } from "#runs/stores.ts";
import { and, asc, eq, ne, sql } from "./drizzle.ts";
import { holdRun } from "./fence.ts";
import { sandboxes } from "./schema/work.ts";
import { asDb, type Db, reading } from "./store.ts";

export function sandboxStore(db: Db, orgId: string): SandboxStore {
  return {
    async intend(tx, run, slot) {
      const to = asDb(tx);
      await holdRun(to, run);
      const ofSlot = and(eq(sandboxes.runId, run.id), eq(sandboxes.slot, slot));
      const [live] = await to
        .select()
        .from(sandboxes)
        .where(and(ofSlot, ne(sandboxes.state, "gone")));
      if (live) return toRow(live);
      const [last] = await to
        .select({ n: sql<number | null>`max(${sandboxes.attempt})` })
        .from(sandboxes)
        .where(ofSlot);
      const attempt = (last?.n ?? 0) + 1;
      const key = `sbx:${run.id}:${slot}:${attempt}`;
      const [row] = await to
        .insert(sandboxes)
        .values({ key, orgId, runId: run.id, slot, attempt, epoch: run.epoch })
        .returning();
      if (!row) throw new Error(`The sandbox ${key} was not stored.`);
      return toRow(row);
    },
    async ready(tx, key, providerId) {
      await asDb(tx)
        .update(sandboxes)
        .set({ state: "ready", providerId })
        .where(and(eq(sandboxes.key, key), ne(sandboxes.state, "gone")));
    },
    async gone(tx, key) {
      await asDb(tx)
        .update(sandboxes)
        .set({ state: "gone", goneAt: sql`clock_timestamp()` })
        .where(and(eq(sandboxes.key, key), ne(sandboxes.state, "gone")));
    },
    async ofRun(runId) {
      const rows = await reading(db)
        .select()
        .from(sandboxes)
        .where(eq(sandboxes.runId, runId))
        .orderBy(asc(sandboxes.createdAt), asc(sandboxes.key));
      return rows.map(toRow);
    },
  };
}

const toRow = (row: typeof sandboxes.$inferSelect): SandboxRow => ({
  key: row.key,
  runId: row.runId,
  slot: row.slot,
  providerId: row.providerId,
  state: row.state,
  attempt: row.attempt,
});

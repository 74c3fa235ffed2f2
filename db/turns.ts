import type { Turn, TurnStore } from "#runs/stores.ts";
import { and, asc, desc, eq, ne, sql } from "./drizzle.ts";
import { holdRun, storable } from "./fence.ts";
import { runTurns } from "./schema/runs.ts";
import { asDb, type Db, outside } from "./store.ts";

export function turnStore(db: Db, orgId: string): TurnStore {
  return {
    async add(tx, turn) {
      const to = asDb(tx);
      await holdRun(to, { id: turn.runId, epoch: null });
      const [row] = await to
        .insert(runTurns)
        .values({
          orgId,
          runId: turn.runId,
          n: sql`(select coalesce(max(n), 0) + 1 from run_turns where run_id = ${turn.runId})`,
          cause: turn.cause,
          personId: turn.person?.id ?? null,
          personName: turn.person === null ? null : storable(turn.person.name),
          text: storable(turn.text),
        })
        .returning();
      if (!row) throw new Error(`The turn of run ${turn.runId} was not stored.`);
      return toTurn(row);
    },
    async current(runId) {
      const [row] = await outside(db)
        .select()
        .from(runTurns)
        .where(and(eq(runTurns.runId, runId), ne(runTurns.state, "ended")))
        .orderBy(desc(eq(runTurns.state, "running")), asc(runTurns.n))
        .limit(1);
      return row ? toTurn(row) : null;
    },
    async open(tx, runId) {
      const rows = await asDb(tx)
        .select({ n: runTurns.n })
        .from(runTurns)
        .where(and(eq(runTurns.runId, runId), ne(runTurns.state, "ended")))
        .limit(1);
      return rows.length > 0;
    },
    async started(tx, runId, n) {
      await asDb(tx).update(runTurns).set({ state: "running" }).where(turnAt(runId, n));
    },
    async ended(tx, runId, n, end) {
      await asDb(tx).update(runTurns).set({ state: "ended", end }).where(turnAt(runId, n));
    },
    async all(runId, tx) {
      const rows = await (tx ? asDb(tx) : outside(db))
        .select()
        .from(runTurns)
        .where(eq(runTurns.runId, runId))
        .orderBy(asc(runTurns.n));
      return rows.map(toTurn);
    },
  };
}

/** An ended turn stays ended: a worker that comes late changes nothing. */
const turnAt = (runId: string, n: number) =>
  and(eq(runTurns.runId, runId), eq(runTurns.n, n), ne(runTurns.state, "ended"));

function toTurn(row: typeof runTurns.$inferSelect): Turn {
  return {
    runId: row.runId,
    n: row.n,
    cause: row.cause,
    person: row.personId === null ? null : { id: row.personId, name: row.personName ?? "" },
    text: row.text,
    state: row.state,
    end: row.end,
  };
}

import type { Turn, TurnStore } from "#runs/stores.ts";
import { and, asc, desc, eq, ne, sql } from "./drizzle.ts";
import { holdRun, storable } from "./fence.ts";
import { runTurns } from "./schema/runs.ts";
import { asDb, type Db, reading, rows } from "./store.ts";

export function turnStore(db: Db, orgId: string): TurnStore {
  return {
    async add(tx, turn) {
      const to = asDb(tx);
      await holdRun(to, { id: turn.runId, epoch: null });
      const { runId, cause, person, text } = turn;
      const name = person === null ? null : storable(person.name);
      const added = await to.execute(sql`
        insert into run_turns (org_id, run_id, n, cause, person_id, person_name, text)
        select ${orgId}::uuid, ${runId}::uuid, coalesce(max(n), 0) + 1, ${cause}::text, ${person?.id ?? null}::uuid,
          ${name}::text, ${storable(text)}::text
        from run_turns where run_id = ${runId}
        returning n, state`);
      const [row] = rows<Pick<Turn, "n" | "state">>(added);
      if (!row) throw new Error(`The turn of run ${runId} was not stored.`);
      return {
        ...{ runId, n: row.n, cause, text: storable(text), state: row.state, end: null },
        person: person === null || name === null ? null : { id: person.id, name },
      };
    },
    async current(runId) {
      const [row] = await reading(db)
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
      const rows = await (tx ? asDb(tx) : reading(db))
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

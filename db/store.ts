import { AsyncLocalStorage } from "node:async_hooks";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { Store, Tx } from "#ports/store.ts";
import type { schema } from "./schema.ts";

/** PGlite, Postgres and an open transaction of either: the same queries run on all of them. */
export type Db = PgDatabase<PgQueryResultHKT, typeof schema>;

/** The transaction that a call chain is inside of. `open` turns false with it, for what outlives it. */
const inside = new AsyncLocalStorage<{ open: boolean }>();

const committed = new WeakMap<Tx, (() => void)[]>();

/** What a `Tx` really is. Only `db/` may ask. */
export const asDb = (tx: Tx): Db => tx as unknown as Db;

/**
 * The database for a query that is not part of a transaction. Throws inside of one: such a query would not see what
 * the transaction wrote, and on PGlite, which has one connection, it would wait for itself for ever.
 */
export function outside(db: Db): Db {
  if (inside.getStore()?.open) throw new Error("This query is made inside a transaction but does not take its `tx`.");
  return db;
}

/** Runs `work` once `tx` has committed; never when it rolls back. */
export function afterCommit(tx: Tx, work: () => void): void {
  const waiting = committed.get(tx) ?? [];
  waiting.push(work);
  committed.set(tx, waiting);
}

/** Deadlock and serialisation failure: Postgres rolled back, nothing happened, the same again will do. */
const AGAIN = ["40P01", "40001"];
const TRIES = 4;

/**
 * Transactions. After a deadlock `work` runs again from its start, so it keeps its effects inside the transaction.
 */
export function store(db: Db): Store {
  async function once<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const scope = { open: true };
    let used: Tx | undefined;
    try {
      const value = await db.transaction((raw) => {
        used = raw as unknown as Tx;
        return inside.run(scope, () => work(raw as unknown as Tx));
      });
      scope.open = false;
      for (const after of (used && committed.get(used)) ?? []) after();
      return value;
    } finally {
      scope.open = false;
    }
  }
  return {
    async tx(work) {
      outside(db);
      for (let left = TRIES; ; left -= 1) {
        try {
          return await once(work);
        } catch (error) {
          if (left <= 1 || !AGAIN.includes(sqlState(error) ?? "")) throw error;
        }
      }
    },
  };
}

/** The five-letter code of a database error, through the wrapping of the query builder. */
export function sqlState(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string" && /^[0-9A-Z]{5}$/.test(at.code)) return at.code;
  }
  return undefined;
}

/** Rows of a raw statement. The drivers wrap them alike; the type of the shared `Db` does not say so. */
export function rows<T = Record<string, unknown>>(result: unknown): readonly T[] {
  return (result as { rows: T[] }).rows;
}

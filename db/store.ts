import { AsyncLocalStorage } from "node:async_hooks";
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core";
import type { Store, Tx } from "#ports/store.ts";
import { CommitUnknown, isLost, sqlState, unlessLost } from "./lost.ts";
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

/** Where what is only read may be asked, for a database that has such a place. */
const readers = new WeakMap<Db, Db>();

/** From now on `reading(db)` is `reader`: the same database, which sees at once what `db` has committed. */
export function readThrough(db: Db, reader: Db): void {
  readers.set(db, reader);
}

/** The database for a statement that changes nothing and is not part of a transaction: asked again if need be. */
export const reading = (db: Db): Db => readers.get(outside(db)) ?? db;

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
 * Transactions. After a deadlock `work` runs again from its start, so it keeps its effects inside the transaction; after
 * a connection that broke before the COMMIT too. Throws `CommitUnknown` when it broke during that.
 */
export function store(db: Db): Store {
  async function once<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const scope = { open: true };
    let used: Tx | undefined;
    let failed: { readonly by: unknown } | undefined;
    let committing = false;
    try {
      const value = await db.transaction(async (raw) => {
        used = raw as unknown as Tx;
        try {
          const done = await inside.run(scope, () => work(raw as unknown as Tx));
          committing = true;
          return done;
        } catch (error) {
          failed = { by: error };
          throw error;
        }
      });
      scope.open = false;
      for (const after of (used && committed.get(used)) ?? []) after();
      return value;
    } catch (error) {
      // On a broken connection the ROLLBACK fails as well; what `work` failed of says more.
      if (failed !== undefined) throw failed.by;
      if (!committing || !isLost(error)) throw error;
      throw new CommitUnknown("The connection broke while a transaction was committed: whether it was, is not known.", {
        cause: error,
      });
    } finally {
      scope.open = false;
    }
  }
  return {
    async tx(work) {
      outside(db);
      return unlessLost(async () => {
        for (let left = TRIES; ; left -= 1) {
          try {
            return await once(work);
          } catch (error) {
            if (left <= 1 || !AGAIN.includes(sqlState(error) ?? "")) throw error;
          }
        }
      });
    },
  };
}

/** Rows of a raw statement. The drivers wrap them alike; the type of the shared `Db` does not say so. */
export function rows<T = Record<string, unknown>>(result: unknown): readonly T[] {
  return (result as { rows: T[] }).rows;
}

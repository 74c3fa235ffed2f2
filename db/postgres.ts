import type { Pool, PoolClient } from "pg";
import type { Db as Statements } from "pg-boss";
import { type Driver, pgDriver } from "./driver.ts";
import { type Hub, postgresHub } from "./listen.ts";
import { isLost, unlessLost } from "./lost.ts";
import { alone, migrate } from "./migrate.ts";
import type { PostgresPlace } from "./place.ts";
import { type Db, readThrough } from "./store.ts";

/** How long a server that says nothing holds up our end. */
const FAREWELL_MS = 2_000;

/** An open server. */
export interface Served {
  readonly db: Db;
  readonly boss: Statements;
  readonly on: Hub["on"];
  alone<T>(work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** Opens and migrates. Throws with the server's name, never with its password. */
export async function openPostgres(
  at: PostgresPlace,
  o: { readonly connections: number; readonly onError: (error: Error) => void },
): Promise<Served> {
  const { connections, onError } = o;
  const driver = await driverOf(at);
  const pool = driver.pool(at.url, { connections, limitIdle: true, onError });
  const reader = at.pooledUrl === null ? pool : driver.pool(at.pooledUrl, { connections, limitIdle: false, onError });
  const pools = new Set([pool, reader]);
  for (const each of pools) each.on("error", onError);
  const end = async () => {
    for (const each of pools) await each.end();
  };
  try {
    await pool.query("select 1").catch((cause: unknown) => {
      throw new Error(`${nameOf(at.url)} does not let us in: ${reason(cause)}. Check DATABASE_URL.`, { cause });
    });
    if (reader !== pool)
      await reader.query("select 1").catch((cause: unknown) => {
        const what = `${nameOf(at.pooledUrl ?? "")}, which is for reads, does not let us in: ${reason(cause)}`;
        throw new Error(`${what}. Check DATABASE_POOLED_URL.`, { cause });
      });
    const holding = <T>(work: (held: Db) => Promise<T>): Promise<T> =>
      held(pool, onError, (client) => {
        const db = driver.over(client);
        return alone(db, () => work(db));
      });
    await holding(migrate);
    const hub = await postgresHub(() => driver.client(at.url, "countersign listen"), onError);
    const db = transacting(driver, pool, onError);
    readThrough(db, driver.over(patient(reader)));
    return {
      db,
      boss: { executeSql: (text, values) => pool.query(text, values) },
      on: hub.on,
      alone: (work) => holding(work),
      async close() {
        await soon(hub.close());
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** What speaks to a server there; Neon's own is loaded only for Neon. */
export const driverOf = async (at: PostgresPlace): Promise<Driver> =>
  at.driver === "neon" ? (await import("./neon.ts")).neonDriver(at.proxy) : pgDriver;

/**
 * The query builder over the pool, with transactions of our own. Its own never give a connection back whose BEGIN
 * failed, so that ten breaks are the end of a pool of ten (drizzle-orm 0.45); and a connection that breaks while a
 * transaction has it says so by an event that nobody would hear, which ends the process (pg-pool 3).
 */
function transacting(driver: Driver, pool: Pool, onError: (error: Error) => void): Db {
  const known = new WeakMap<PoolClient, Db>();
  const overClient = (client: PoolClient): Db => {
    const db = known.get(client) ?? driver.over(client);
    known.set(client, db);
    return db;
  };
  const transaction: Db["transaction"] = (work, config) =>
    held(pool, onError, (client) => overClient(client).transaction(work, config));
  return Object.assign(driver.over(pool), { transaction });
}

async function held<T>(
  pool: Pool,
  onError: (error: Error) => void,
  work: (client: PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken = false;
  const breaks = (error: Error) => {
    broken = true;
    onError(error);
  };
  client.on("error", breaks);
  try {
    return await work(client);
  } catch (error) {
    broken ||= isLost(error);
    throw error;
  } finally {
    client.removeListener("error", breaks);
    client.release(broken);
  }
}

/** Reads, which change nothing: asked again when the connection breaks. */
const patient = (pool: Pool): Pick<Pool, "query"> => {
  const ask = pool.query.bind(pool) as (...asked: readonly unknown[]) => Promise<unknown>;
  const query = (...asked: readonly unknown[]) => unlessLost(() => ask(...asked));
  return { query: query as Pool["query"] };
};

/** Waits for the end, but not for a server that is gone without a word. */
async function soon(ending: Promise<unknown>): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    late = setTimeout(resolve, FAREWELL_MS);
  });
  await Promise.race([ending, patience]).finally(() => clearTimeout(late));
}

/** The address without its password. */
export function nameOf(url: string): string {
  const at = new URL(url);
  return `Postgres at ${at.hostname}:${at.port || 5432}${at.pathname}`;
}

/** Node reports a refused connection as an AggregateError with no message of its own. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  return error instanceof Error ? error.message : String(error);
}

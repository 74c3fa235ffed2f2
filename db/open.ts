import { mkdirSync } from "node:fs";
import path from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { Pool } from "pg";
import { fromPglite, type Db as Statements } from "pg-boss";
import { isNotNull, isNull, loadPglite, or, overPg, sql } from "./drizzle.ts";
import { type Channel, type Hub, type Listener, pgliteHub, postgresHub } from "./listen.ts";
import { lite } from "./lite.ts";
import { takeLock } from "./lock.ts";
import { alone, migrate } from "./migrate.ts";
import { schema } from "./schema.ts";
import { type Db, rows } from "./store.ts";

/** One open database, whichever it is. */
export interface Database {
  /** "pglite" serves this process alone; "postgres" any number. */
  readonly kind: "pglite" | "postgres";
  readonly db: Db;
  /** Raw statements outside of any transaction, as pg-boss makes them. */
  readonly boss: Statements;
  /** Notifications as they are committed, from now on. Returns the way to stop. */
  on(channel: Channel, listener: Listener): () => void;
  /** Runs `work` while no other process on this database runs its own: for changes to tables at start. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  /**
   * When this process became the only one that has it open (PGlite): whoever began something before that is dead.
   * `null`: there may be others.
   */
  readonly soleSince: Date | null;
  /** For errors that no caller waits for. */
  readonly onError: (error: Error) => void;
  /** Closes connections and frees the lock. Open transactions are waited for. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Largest number of connections (Postgres; one more listens). 10 unless told. */
  readonly connections?: number;
  /** Errors that no caller waits for: an idle connection that broke, a listener that reconnects. */
  readonly onError?: (error: Error) => void;
}

/** Postgres ends a transaction that has been idle for this long: a paused process must not hold its locks. */
const IDLE_IN_TRANSACTION_MS = 30_000;

/**
 * Opens and migrates. `url` is "pglite:<folder>", "pglite:memory" or "postgres://…" (a direct address: through a
 * transaction pooler nothing can LISTEN). Throws `DatabaseInUse` on a PGlite folder that another process has open.
 */
export async function openDatabase(url: string, o: OpenOptions = {}): Promise<Database> {
  if (url === "pglite:memory") return openPglite(null, o);
  if (url.startsWith("pglite:")) return openPglite(path.resolve(url.slice("pglite:".length)), o);
  if (/^postgres(ql)?:\/\//.test(url)) return openPostgres(url, o);
  throw new Error("A database is named by pglite:<folder>, pglite:memory or postgres://user:password@host/name.");
}

async function openPglite(folder: string | null, o: OpenOptions): Promise<Database> {
  if (folder !== null) mkdirSync(path.dirname(folder), { recursive: true });
  const release = folder === null ? () => {} : takeLock(`${folder}.lock`, folder);
  try {
    const { PGlite } = loadPglite();
    return await pgliteDatabase(await PGlite.create(folder === null ? {} : { dataDir: folder }), release, o);
  } catch (error) {
    release();
    throw error;
  }
}

/** A database over an open PGlite, which it closes. */
export async function pgliteDatabase(client: PGlite, release: () => void, o: OpenOptions = {}): Promise<Database> {
  const onError = o.onError ?? (() => {});
  const statements = lite(client);
  // Of PGlite it calls `query` and `transaction`.
  const db = loadPglite().overPglite(statements as unknown as PGlite, { schema });
  let hub: Hub;
  let soleSince: Date;
  try {
    await migrate(db);
    soleSince = await takeOver(db);
    hub = await pgliteHub(client);
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    kind: "pglite",
    soleSince,
    db,
    boss: fromPglite(statements),
    on: hub.on,
    alone: (work) => work(),
    onError,
    async close() {
      await hub.close().catch(onError);
      await client.close();
      release();
    },
  };
}

/** The claims of a process that is dead are nobody's; people need not wait until they run out. Returns the time. */
async function takeOver(db: Db): Promise<Date> {
  await db.update(schema.inbox).set({ claimedUntil: null }).where(isNull(schema.inbox.doneAt));
  const { claimedUntil, notBefore } = schema.outbox;
  await db
    .update(schema.outbox)
    .set({ claimedUntil: null, notBefore: null })
    .where(or(isNotNull(claimedUntil), isNotNull(notBefore)));
  const [row] = rows<{ at: string | Date }>(await db.execute(sql`select clock_timestamp() as at`));
  if (!row) throw new Error("The database does not tell the time.");
  return new Date(row.at);
}

async function openPostgres(url: string, o: OpenOptions): Promise<Database> {
  const onError = o.onError ?? (() => {});
  const pool = new Pool({
    connectionString: url,
    max: o.connections ?? 10,
    application_name: "countersign",
    connectionTimeoutMillis: 10_000,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
  });
  pool.on("error", onError);
  try {
    const holding = async <T>(work: (held: Db) => Promise<T>): Promise<T> => {
      const held = await pool.connect();
      try {
        const db = overPg(held, { schema });
        return await alone(db, () => work(db));
      } finally {
        held.release();
      }
    };
    await pool.query("select 1").catch((cause: unknown) => {
      throw new Error(`${place(url)} does not let us in: ${reason(cause)}. Check DATABASE_URL.`, { cause });
    });
    await holding(migrate);
    const hub = await postgresHub(url, onError);
    return {
      kind: "postgres",
      soleSince: null,
      db: overPg(pool, { schema }),
      boss: { executeSql: (text, values) => pool.query(text, values) },
      on: hub.on,
      alone: (work) => holding(work),
      onError,
      async close() {
        await hub.close();
        await pool.end();
      },
    };
  } catch (error) {
    await pool.end();
    throw error;
  }
}

/** The address without its password. */
export function place(url: string): string {
  const at = new URL(url);
  return `Postgres at ${at.hostname}:${at.port || 5432}${at.pathname}`;
}

/** Node reports a refused connection as an AggregateError with no message of its own. */
export function reason(error: unknown): string {
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return error.errors[0].message;
  return error instanceof Error ? error.message : String(error);
}

import { mkdirSync } from "node:fs";
import path from "node:path";
import type { PGlite } from "@electric-sql/pglite";
import { fromPglite, type Db as Statements } from "pg-boss";
import { isNotNull, isNull, loadPglite, or } from "./drizzle.ts";
import { type Channel, type Hub, type Listener, pgliteHub } from "./listen.ts";
import { lite } from "./lite.ts";
import { takeLock } from "./lock.ts";
import { migrate } from "./migrate.ts";
import { type DatabasePlace, databasePlace } from "./place.ts";
import { openPostgres } from "./postgres.ts";
import { schema } from "./schema.ts";
import type { Db } from "./store.ts";

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
  /** For errors that no caller waits for. */
  readonly onError: (error: Error) => void;
  /** Closes connections and frees the lock. Open transactions are waited for. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /** Largest number of connections (Postgres; one more listens, and as many again read where there is a pooler). 10 unless told. */
  readonly connections?: number;
  /** Errors that no caller waits for: an idle connection that broke, a listener that reconnects. */
  readonly onError?: (error: Error) => void;
}

const CONNECTIONS = 10;

/**
 * Opens and migrates. A text is "pglite:<folder>", "pglite:memory" or "postgres://…", as `databasePlace` takes it. Throws
 * `DatabaseInUse` on a PGlite folder that another process has open.
 */
export async function openDatabase(at: DatabasePlace | string, o: OpenOptions = {}): Promise<Database> {
  const place = typeof at === "string" ? databasePlace({ url: at }) : at;
  if (typeof place === "string") throw new Error(place);
  if (place.kind === "pglite") return openPglite(place.folder === null ? null : path.resolve(place.folder), o);
  const onError = o.onError ?? (() => {});
  const served = await openPostgres(place, { connections: o.connections ?? CONNECTIONS, onError });
  return { kind: "postgres", onError, ...served };
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
  try {
    await migrate(db);
    await takeOver(db);
    hub = await pgliteHub(client);
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    kind: "pglite",
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

/** The claims of a process that is dead are nobody's; people need not wait until they run out. */
async function takeOver(db: Db): Promise<void> {
  await db
    .update(schema.inbox)
    .set({ claimedUntil: new Date(0) })
    .where(isNull(schema.inbox.doneAt));
  const { claimedUntil, notBefore } = schema.outbox;
  await db
    .update(schema.outbox)
    .set({ claimedUntil: null, notBefore: null })
    .where(or(isNotNull(claimedUntil), isNotNull(notBefore)));
}

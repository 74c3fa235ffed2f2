import { memoryDatabase } from "#db/memory.ts";
import { type Database, type OpenOptions, openDatabase } from "#db/open.ts";
import type { DatabasePlace } from "#db/place.ts";
import { type NeonDouble, neonDouble } from "#test/doubles/neon/proxy.ts";
import { freshDatabase } from "#test/postgres.ts";

/** A database of its own that a test opens as often as there are processes in its story. */
export interface Ground {
  /** `null`: it is in this process alone. */
  readonly place: DatabasePlace | null;
  /** The server's own address, past whatever stands in front; `null`: there is no server. */
  readonly url: string | null;
  /** What stands in front of the server, when that is Neon's double. */
  readonly neon: NeonDouble | null;
  open(o?: OpenOptions): Promise<Database>;
  /** Closes all that was opened. Throws when the driver did what Neon does not take. */
  close(): Promise<void>;
}

async function pglite(): Promise<Ground> {
  const database = await memoryDatabase();
  return { place: null, url: null, neon: null, open: async () => database, close: () => database.close() };
}

async function onServer(url: string, place: DatabasePlace, neon: NeonDouble | null, drop: () => Promise<void>) {
  const opened: Database[] = [];
  return {
    ...{ place, url, neon },
    async open(o?: OpenOptions) {
      const database = await openDatabase(place, o);
      opened.push(database);
      return database;
    },
    async close() {
      for (const database of opened) await database.close();
      await neon?.[Symbol.asyncDispose]();
      await drop();
      if (neon !== null && neon.problems.length > 0) throw new Error(`Neon would refuse: ${neon.problems.join("\n")}`);
    },
  };
}

export async function postgres(): Promise<Ground> {
  const { url, drop } = await freshDatabase();
  const place = { kind: "postgres", driver: "pg", url, pooledUrl: null, proxy: null } as const;
  return onServer(url, place, null, drop);
}

/** The same server, through Neon's driver and a double of what Neon has in front of it. */
export async function neon(): Promise<Ground & { readonly url: string; readonly neon: NeonDouble }> {
  const { url, drop } = await freshDatabase();
  const double = await neonDouble(url);
  const ground = await onServer(url, double.place(new URL(url).pathname.slice(1)), double, drop);
  return { ...ground, neon: double };
}

/** What every contract of the database runs over. */
export const DATABASES: Readonly<Record<string, () => Promise<Ground>>> = {
  PGlite: pglite,
  Postgres: postgres,
  Neon: neon,
};
/** Those that several processes may have open. */
export const SERVERS: Readonly<Record<string, () => Promise<Ground>>> = { Postgres: postgres, Neon: neon };

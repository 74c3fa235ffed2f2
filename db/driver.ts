import { Client, Pool, type PoolClient } from "pg";
import { overPg } from "./drizzle.ts";
import { schema } from "./schema.ts";
import type { Db } from "./store.ts";

/** Postgres ends a transaction that has been idle for this long: a paused process must not hold its locks. */
export const IDLE_IN_TRANSACTION_MS = 30_000;

export interface PoolOptions {
  readonly connections: number;
  /** Ends a transaction that idles. A transaction pooler takes no such setting, and is only read through. */
  readonly limitIdle: boolean;
  readonly onError: (error: Error) => void;
}

/** One way to speak to a Postgres server. Everything else of the house is the same for all of them. */
export interface Driver {
  readonly name: "pg" | "neon";
  pool(url: string, o: PoolOptions): Pool;
  /** Not connected yet. `name`: what the server's list of connections calls it. */
  client(url: string, name: string): Client;
  over(client: Pick<Pool, "query"> | PoolClient): Db;
}

const CONNECT_MS = 10_000;

/** What both drivers are told. */
export const common = (url: string) => ({
  connectionString: url,
  application_name: "countersign",
  connectionTimeoutMillis: CONNECT_MS,
  keepAlive: true,
});

/** Postgres over TCP. */
export const pgDriver: Driver = {
  name: "pg",
  pool: (url, { connections, limitIdle }) =>
    new Pool({
      ...common(url),
      max: connections,
      ...(limitIdle ? { idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS } : {}),
    }),
  client: (url, name) => new Client({ ...common(url), application_name: name }),
  over: (client) => overPg({ client: client as Pool, schema }),
};

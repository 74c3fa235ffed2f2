import path from "node:path";
import { Client } from "pg";
import { place, reason } from "./open.ts";

const REACH_MS = 10_000;

/** Whether a database would be opened: asks Postgres one question; of an embedded one says where it is. Changes nothing. */
export async function reachDatabase(url: string): Promise<{ kind: "pglite" | "postgres"; place: string }> {
  if (url.startsWith("pglite:")) return { kind: "pglite", place: path.resolve(url.slice("pglite:".length)) };
  const client = new Client({
    connectionString: url,
    application_name: "countersign doctor",
    connectionTimeoutMillis: REACH_MS,
  });
  try {
    await client.connect();
    await client.query("select 1");
    return { kind: "postgres", place: place(url) };
  } catch (cause) {
    throw new Error(`${place(url)} does not let us in: ${reason(cause)}. Check DATABASE_URL.`, { cause });
  } finally {
    await client.end().catch(() => undefined);
  }
}

import path from "node:path";
import type { DatabasePlace } from "./place.ts";
import { driverOf, nameOf, reason } from "./postgres.ts";

/** Whether a database would be opened: asks Postgres one question at each of its addresses; of an embedded one says where it is. Changes nothing. */
export async function reachDatabase(at: DatabasePlace): Promise<{ kind: "pglite" | "postgres"; place: string }> {
  if (at.kind === "pglite") return { kind: "pglite", place: at.folder === null ? "memory" : path.resolve(at.folder) };
  const driver = await driverOf(at);
  const addresses = { DATABASE_URL: at.url, DATABASE_POOLED_URL: at.pooledUrl };
  for (const [name, url] of Object.entries(addresses)) {
    if (url === null) continue;
    const client = driver.client(url, "countersign doctor");
    // What breaks is told by whatever is asked; an error that nobody hears would end the process.
    client.on("error", () => undefined);
    let open = false;
    try {
      await client.connect();
      open = true;
      await client.query("select 1");
    } catch (cause) {
      throw new Error(`${nameOf(url)} does not let us in: ${reason(cause)}. Check ${name}.`, { cause });
    } finally {
      const ended = client.end().catch(() => undefined);
      // Neon's driver waits for ever for the end of a socket that never opened (1.2).
      if (open) await ended;
    }
  }
  return { kind: "postgres", place: nameOf(at.url) };
}

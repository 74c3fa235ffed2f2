import { timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { openKeys } from "#adapters/secrets/keys.ts";
import type { Database } from "#db/open.ts";
import type { Config } from "./config.ts";
import { serviceFile } from "./places.ts";

const PATIENCE_MS = 30_000;

const Service = z.object({ url: z.url() });

/** Something the person at the command line has to mend: one line. */
class CommandError extends Error {
  override readonly name = "CommandError";
}

/**
 * What the command line does on the database, or asks of the service that has the embedded one open. `null`: nothing was ever
 * kept here. Throws `CommandError`.
 */
export async function overDatabase<T>(
  config: Config,
  here: (database: Database, orgId: string) => Promise<T>,
  ask: () => Promise<T>,
): Promise<T | null> {
  const { database: place } = config;
  if (place.kind === "pglite" && place.folder !== null && !existsSync(place.folder)) return null;
  const [{ openDatabase }, { DatabaseInUse }, { ensureOrg }] = await Promise.all([
    import("#db/open.ts"),
    import("#db/lock.ts"),
    import("#db/orgs.ts"),
  ]);
  let database: Database;
  try {
    database = await openDatabase(place, { connections: config.databaseConnections });
  } catch (error) {
    if (error instanceof DatabaseInUse) return ask();
    throw new CommandError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  try {
    return await here(database, await ensureOrg(database.db, "default"));
  } finally {
    await database.close();
  }
}

/** Asks the running service of this data folder, as whoever has its start token. `body`: of a POST; absent: a GET. */
export async function askService<T>(
  config: Config,
  target: string,
  parse: (json: unknown) => T,
  body?: object,
): Promise<T> {
  const file = serviceFile(config.dataDir);
  if (!existsSync(file)) throw new CommandError(`the database is in use, and ${file} does not say by which service`);
  const { url } = Service.parse(JSON.parse(readFileSync(file, "utf8")));
  const token = openKeys(path.join(config.dataDir, "keys")).text("start").reveal();
  try {
    const answer = await fetch(`${url}${target}`, {
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    return parse(await answer.json());
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CommandError(`the service at ${url} has the database open and cannot be asked: ${why}`, { cause });
  }
}

/** Whether a request's `authorization` has the start token. */
export function isToken(header: string | undefined, token: string): boolean {
  const [given, wanted] = [Buffer.from(header ?? ""), Buffer.from(`Bearer ${token}`)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

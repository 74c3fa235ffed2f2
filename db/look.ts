import { existsSync } from "node:fs";
import path from "node:path";
import type { Pool } from "pg";
import type { InstalledWorkspace } from "#ports/workspaces.ts";
import { eq, loadPglite } from "./drizzle.ts";
import { takeLock } from "./lock.ts";
import { sqlState } from "./lost.ts";
import type { DatabasePlace } from "./place.ts";
import { driverOf } from "./postgres.ts";
import { orgs } from "./schema/orgs.ts";
import { schema } from "./schema.ts";
import { slackWorkspacesOf } from "./slack.ts";
import type { Db } from "./store.ts";

/** Workspaces that installed the app, as they are kept for an organisation. */
export interface KeptWorkspaces {
  /** `null`: the organisation is not there yet. */
  readonly orgId: string | null;
  readonly workspaces: readonly InstalledWorkspace[];
}

const NONE: KeptWorkspaces = { orgId: null, workspaces: [] };
/** Of a database that no release with these tables has opened yet. */
const NO_SUCH_TABLE = "42P01";

/** Reads without bringing the tables up to date. Throws `DatabaseInUse` on an embedded database that a service has open. */
export async function lookAtWorkspaces(at: DatabasePlace, org: string): Promise<KeptWorkspaces> {
  if (at.kind === "pglite") {
    const folder = at.folder === null ? null : path.resolve(at.folder);
    if (folder === null || !existsSync(folder)) return NONE;
    const release = takeLock(`${folder}.lock`, folder);
    try {
      const { PGlite, overPglite } = loadPglite();
      const client = await PGlite.create({ dataDir: folder });
      return await read(overPglite(client, { schema }), org).finally(() => client.close());
    } finally {
      release();
    }
  }
  const driver = await driverOf(at);
  const client = driver.client(at.url, "countersign doctor");
  await client.connect();
  try {
    return await read(driver.over(client as Pick<Pool, "query">), org);
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function read(db: Db, org: string): Promise<KeptWorkspaces> {
  try {
    const [row] = await db.select({ id: orgs.id }).from(orgs).where(eq(orgs.name, org));
    return row ? { orgId: row.id, workspaces: await slackWorkspacesOf(db, row.id) } : NONE;
  } catch (error) {
    if (sqlState(error) === NO_SUCH_TABLE) return NONE;
    throw error;
  }
}

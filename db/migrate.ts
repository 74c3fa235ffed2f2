import path from "node:path";
import { sql } from "drizzle-orm";
import { type MigrationConfig, readMigrationFiles } from "drizzle-orm/migrator";
import type { PgDialect, PgSession } from "drizzle-orm/pg-core";
import type { Db } from "./store.ts";

const FOLDER = path.join(import.meta.dirname, "migrations");

/** "countersign" as a number: the same in every release, so that old and new replicas wait for each other. */
const LOCK = 7_267_031_149;

/**
 * Brings the tables up to date. `db` must be one held connection: the advisory lock belongs to it, and lets one of
 * several starting replicas through at a time. The others then find nothing to do.
 */
export async function migrate(db: Db): Promise<void> {
  const config: MigrationConfig = { migrationsFolder: FOLDER };
  await db.execute(sql`select pg_advisory_lock(${LOCK})`);
  try {
    // What `drizzle-orm/node-postgres/migrator` does; here it is one function for every driver.
    const { dialect, session } = db as unknown as { dialect: PgDialect; session: PgSession };
    await dialect.migrate(readMigrationFiles(config), session, config);
  } finally {
    await db.execute(sql`select pg_advisory_unlock(${LOCK})`);
  }
}

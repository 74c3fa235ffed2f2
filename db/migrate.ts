import path from "node:path";
import type { MigrationConfig } from "drizzle-orm/migrator";
import type { PgDialect, PgSession } from "drizzle-orm/pg-core";
import { readMigrationFiles, sql } from "./drizzle.ts";
import type { Db } from "./store.ts";

const FOLDER = path.join(import.meta.dirname, "migrations");

/** Any number, but the same in every release: old and new replicas wait for each other. */
const LOCK = 7_267_031_149;

/** Brings the tables up to date. Only under `alone`: of several starting replicas three fail otherwise. */
export async function migrate(db: Db): Promise<void> {
  const config: MigrationConfig = { migrationsFolder: FOLDER };
  // What `drizzle-orm/node-postgres/migrator` does; here it is one function for every driver.
  const { dialect, session } = db as unknown as { dialect: PgDialect; session: PgSession };
  await dialect.migrate(readMigrationFiles(config), session, config);
}

/** Runs `work` while no other process runs its own. `held` is one connection: the advisory lock belongs to it. */
export async function alone<T>(held: Db, work: () => Promise<T>): Promise<T> {
  await held.execute(sql`select pg_advisory_lock(${LOCK})`);
  try {
    return await work();
  } finally {
    await held.execute(sql`select pg_advisory_unlock(${LOCK})`);
  }
}

import type { TestProject } from "vitest/node";
import { pgBossEngine } from "#db/engine.ts";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { administer, startPostgres, TEMPLATE, withDatabase } from "./postgres.ts";

/** One real server for the whole integration project, with a template that holds the tables and the queues. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startPostgres();
  try {
    await administer(server.url, `create database ${TEMPLATE}`);
    const database = await openDatabase(withDatabase(server.url, TEMPLATE));
    const engine = await pgBossEngine({ database, orgId: await ensureOrg(database.db, "template") });
    await engine.drain(0);
    await database.close();
  } catch (error) {
    await server.stop();
    throw error;
  }
  project.provide("postgres", server.url);
  return () => server.stop();
}

import { randomBytes } from "node:crypto";
import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pgBossEngine } from "#db/engine.ts";
import { neonDriver } from "#db/neon.ts";
import { type Database, openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { databasePlace, type PostgresPlace } from "#db/place.ts";
import { rows, store } from "#db/store.ts";
import { engineContract, witness } from "#test/contracts/engine.ts";
import { sharesContract } from "#test/contracts/shares.ts";
import { storeContract } from "#test/contracts/store.ts";
import { messagesContract } from "#test/contracts/store-messages.ts";
import { workContract } from "#test/contracts/store-work.ts";
import { house, note } from "#test/db/house.ts";

/**
 * The contracts against the real Neon, in a database of their own beside the one of LIVE_NEON_URL, which they make and
 * drop: its role must be allowed to. Either address of the endpoint will do. LIVE_NEON_WS_PROXY: as NEON_WS_PROXY.
 */
const { LIVE_NEON_URL, LIVE_NEON_WS_PROXY } = process.env;
if (!LIVE_NEON_URL) {
  console.warn("skipped: the real Neon was not tried. Set LIVE_NEON_URL to a connection string of its console.");
}

const PATIENCE_MS = 120_000;

async function freshPlace(): Promise<{ place: PostgresPlace; drop(): Promise<void> }> {
  const given = databasePlace({ url: LIVE_NEON_URL ?? "", proxy: LIVE_NEON_WS_PROXY });
  if (typeof given === "string" || given.kind !== "postgres" || given.driver !== "neon")
    throw new Error(`LIVE_NEON_URL is not Neon's: ${typeof given === "string" ? given : given.kind}`);
  const name = `countersign_live_${randomBytes(4).toString("hex")}`;
  const administer = async (statement: string) => {
    const client = neonDriver(given.proxy).client(given.url, "countersign test");
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  await administer(`create database ${name}`);
  const inside = (url: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
  return {
    place: { ...given, url: inside(given.url), pooledUrl: inside(given.pooledUrl ?? given.url) },
    drop: () => administer(`drop database ${name} with (force)`),
  };
}

async function ground() {
  const { place, drop } = await freshPlace();
  const opened: Database[] = [];
  return {
    async open() {
      const database = await openDatabase(place);
      opened.push(database);
      return database;
    },
    async close() {
      for (const database of opened) await database.close();
      await drop();
    },
  };
}

const pair = async () => {
  const { open, close } = await ground();
  return { first: await open(), second: await open(), close };
};

describe.skipIf(!LIVE_NEON_URL)("the real Neon", () => {
  storeContract("the real Neon", pair);
  workContract("the real Neon, work", pair);
  messagesContract("the real Neon, messages", pair);
  sharesContract("the real Neon, shares", pair);
  engineContract(
    "pg-boss on the real Neon",
    async () => {
      const { open, close } = await ground();
      const own = await open();
      const orgId = await ensureOrg(own.db, "acme");
      return {
        store: store(own.db),
        engine: async () => pgBossEngine({ database: await open(), orgId, retries: 2, pulseMs: 200 }),
        close,
      };
    },
    { workers: "many" },
  );

  describe("its own ways", () => {
    let at: Awaited<ReturnType<typeof ground>>;
    let database: Database;
    beforeAll(async () => {
      at = await ground();
      database = await at.open();
    }, PATIENCE_MS);
    afterAll(() => at.close(), PATIENCE_MS);

    test("idle transactions are ended, sessions that it ends are opened again, and listeners hear what comes then", async () => {
      const [limit] = rows<{ idle: string }>(
        await database.db.execute(sql`select current_setting('idle_in_transaction_session_timeout') as idle`),
      );
      expect(limit).toEqual({ idle: "30s" });
      const one = await house(database, "acme");
      const run = await one.run();
      const heard = witness();
      database.on("countersign_events", { notified: heard.saw, missed: () => heard.saw("missed") });
      await database.db.execute(
        sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename = current_user and pid <> pg_backend_pid()`,
      );
      await heard.until("missed");
      await one.tx((tx) => one.events.append(tx, run.id, null, [note("after")]));
      await heard.until(run.id);
      expect((await one.runs.get(run.id))?.id).toBe(run.id);
    });
  });
});

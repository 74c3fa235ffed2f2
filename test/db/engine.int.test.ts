import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pgBossEngine } from "#db/engine.ts";
import { memoryDatabase, memoryEngine } from "#db/memory.ts";
import { type Database, openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import type { Engine, Handlers } from "#ports/engine.ts";
import { newId } from "#runs/ids.ts";
import { type EngineBench, engineContract, gate, witness } from "#test/contracts/engine.ts";
import { freshDatabase } from "#test/postgres.ts";
import { house } from "./house.ts";

const FAST = { retries: 2, pulseMs: 200 };

async function pglite(): Promise<EngineBench> {
  const database = await memoryDatabase();
  const orgId = await ensureOrg(database.db, "acme");
  return {
    store: store(database.db),
    engine: () => pgBossEngine({ database, orgId, ...FAST }),
    close: () => database.close(),
  };
}

async function postgres(): Promise<EngineBench> {
  const { url, drop } = await freshDatabase();
  const own = await openDatabase(url);
  const orgId = await ensureOrg(own.db, "acme");
  const opened: Database[] = [own];
  return {
    store: store(own.db),
    async engine() {
      const database = await openDatabase(url);
      opened.push(database);
      return pgBossEngine({ database, orgId, ...FAST });
    },
    async close() {
      for (const database of opened) await database.close();
      await drop();
    },
  };
}

async function memory(): Promise<EngineBench> {
  const database = await memoryDatabase();
  return { store: store(database.db), engine: async () => memoryEngine(), close: () => database.close() };
}

engineContract("pg-boss on PGlite", pglite, { workers: "many" });
engineContract("pg-boss on Postgres", postgres, { workers: "many" });
engineContract("memory", memory, { workers: "one" });

const nothing: Handlers = { async tick() {}, async agent() {}, async control() {}, async dead() {} };

const alone = async () => ({ database: await memoryDatabase(), drop: async () => {} });
const shared = async () => {
  const { url, drop } = await freshDatabase();
  return { database: await openDatabase(url), drop };
};

describe.each([
  ["PGlite", alone],
  ["Postgres", shared],
])("on %s", (_name, open) => {
  let database: Database;
  let engine: Engine;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ database, drop } = await open());
    engine = await pgBossEngine({ database, orgId: await ensureOrg(database.db, "acme") });
  });
  afterAll(async () => {
    await engine.drain(1_000);
    await database.close();
    await drop();
  });

  test("a vote wakes a parked run within 1 s although its expiry is an hour away", async () => {
    const a = await house(database, "acme");
    const seen = witness();
    await engine.work({ ...nothing, tick: async (id) => seen.saw(id) });
    await engine.schedule("sweep", 2_000, async () => {
      for (const run of await a.runs.due(60_000, 10)) await a.tx((tx) => engine.wake(tx, run.id, run.queue));
    });
    const run = await a.run();
    const expiresAt = new Date(Date.now() + 3_600_000);
    const approval = await a.tx(async (tx) => {
      await a.runs.move(tx, run, "waiting", { wakeAt: expiresAt });
      return a.approvals.open(tx, {
        id: newId(new Date()),
        runId: run.id,
        gate: "start",
        digest: "sha256:1",
        subject: {},
        asks: [],
        expiresAt,
      });
    });
    const voter = await a.person("Ada");
    const clicked = performance.now();
    await a.tx(async (tx) => {
      await a.approvals.lock(tx, approval.id);
      const account = { provider: "slack", workspace: "T1", id: "U2" };
      await a.approvals.vote(tx, { approvalId: approval.id, person: voter, account, choice: "approve", reason: null });
      await a.approvals.close(tx, approval.id, "approved");
      await engine.wake(tx, run.id, "tick");
    });
    await seen.until(run.id);
    expect(performance.now() - clicked).toBeLessThan(1_000);
  });

  test("a run whose turn takes long is not woken again while it has a job", async () => {
    const a = await house(database, "busy");
    const run = await a.run();
    const idle = await a.run();
    const queue = "control";
    await engine.drain(1_000);
    engine = await pgBossEngine({ database, orgId: a.orgId });
    await a.tx((tx) => engine.wake(tx, run.id, queue));
    expect((await a.runs.due(-60_000, 10)).map((one) => one.id)).toEqual([idle.id]);
    const seen = witness();
    await engine.work({
      ...nothing,
      control: async (id) => seen.saw(`during ${id} ${(await a.runs.due(-60_000, 10)).length}`),
    });
    await seen.until(`during ${run.id} 0`);
    await engine.drain(1_000);
    expect((await a.runs.due(-60_000, 10)).map((one) => one.id)).toEqual([run.id]);
  });
});

describe("two connections", () => {
  let url: string;
  let drop: () => Promise<void>;
  beforeAll(async () => {
    ({ url, drop } = await freshDatabase());
  });
  afterAll(() => drop());

  test("a wake that joins a queued job holds it until its own transaction has committed", async () => {
    const [run, other] = [randomUUID(), randomUUID()];
    const databases = [await openDatabase(url), await openDatabase(url)] as const;
    const orgId = await ensureOrg(databases[0].db, "acme");
    const [writer, worker] = [
      await pgBossEngine({ database: databases[0], orgId }),
      await pgBossEngine({ database: databases[1], orgId }),
    ];
    const { tx: write } = store(databases[0].db);
    await write((tx) => writer.wake(tx, run, "tick"));
    const seen = witness();
    const [joined, commit] = [gate(), gate()];
    const writing = write(async (tx) => {
      await writer.wake(tx, run, "tick");
      joined.open();
      await commit.opened;
      seen.saw("written");
    });
    await joined.opened;
    await worker.work({ ...nothing, tick: async (id) => seen.saw(id) });
    await write((tx) => writer.wake(tx, other, "tick"));
    await seen.until(other);
    commit.open();
    await writing;
    await seen.until(run);
    expect(seen.seen).toEqual([other, "written", run]);
    await worker.drain(1_000);
    await writer.drain(0);
    for (const database of databases) await database.close();
  });

  test("of two workers with the same schedule one does the work of each moment", async () => {
    const name = randomUUID();
    const moments: number[] = [];
    const three = gate();
    const databases = [await openDatabase(url), await openDatabase(url)];
    const engines: Engine[] = [];
    for (const database of databases) {
      const one = await house(database, "acme");
      const engine = await pgBossEngine({ database, orgId: one.orgId });
      engines.push(engine);
      await engine.schedule(name, 500, async () => {
        moments.push(await one.cursors.get(`schedule:${name}`));
        if (moments.length === 3) three.open();
      });
    }
    await three.opened;
    for (const engine of engines) await engine.drain(0);
    for (const database of databases) await database.close();
    expect(new Set(moments).size).toBe(moments.length);
  });
});

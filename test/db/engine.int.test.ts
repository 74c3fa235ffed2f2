import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { pgBossEngine } from "#db/engine.ts";
import { memoryDatabase, memoryEngine } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { store } from "#db/store.ts";
import type { Engine, Handlers } from "#ports/engine.ts";
import { newId } from "#runs/ids.ts";
import { type EngineBench, engineContract, gate, witness } from "#test/contracts/engine.ts";
import { DATABASES, type Ground, SERVERS } from "./databases.ts";
import { house } from "./house.ts";

const FAST = { retries: 2, pulseMs: 200 };

const benchOf = (ground: () => Promise<Ground>) => async (): Promise<EngineBench> => {
  const { open, close } = await ground();
  const own = await open();
  const orgId = await ensureOrg(own.db, "acme");
  return {
    store: store(own.db),
    engine: async () => pgBossEngine({ database: await open(), orgId, ...FAST }),
    close,
  };
};

async function memory(): Promise<EngineBench> {
  const database = await memoryDatabase();
  return { store: store(database.db), engine: async () => memoryEngine(), close: () => database.close() };
}

for (const [name, ground] of Object.entries(DATABASES)) {
  engineContract(`pg-boss on ${name}`, benchOf(ground), { workers: "many" });
}
engineContract("memory", memory, { workers: "one" });

const nothing: Handlers = { async tick() {}, async agent() {}, async control() {}, async dead() {} };

describe.each(Object.keys(DATABASES))("on %s", (name) => {
  let ground: Ground;
  let database: Database;
  let engine: Engine;
  beforeAll(async () => {
    ground = await (DATABASES[name] as () => Promise<Ground>)();
    database = await ground.open();
    engine = await pgBossEngine({ database, orgId: await ensureOrg(database.db, "acme") });
  });
  afterAll(async () => {
    await engine.drain(1_000);
    await ground.close();
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

describe.each(Object.keys(SERVERS))("two connections on %s", (name) => {
  let ground: Ground;
  beforeAll(async () => {
    ground = await (SERVERS[name] as () => Promise<Ground>)();
  });
  afterAll(() => ground.close());

  test("a wake that joins a queued job holds it until its own transaction has committed", async () => {
    const [run, other] = [randomUUID(), randomUUID()];
    const databases = [await ground.open(), await ground.open()] as const;
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
  });

  test("of two workers with the same schedule one does the work of each moment", async () => {
    const name = randomUUID();
    const moments: number[] = [];
    const three = gate();
    const databases = [await ground.open(), await ground.open()];
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
    expect(new Set(moments).size).toBe(moments.length);
  });
});

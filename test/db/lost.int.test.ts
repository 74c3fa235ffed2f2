import { sql } from "drizzle-orm";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { pgBossEngine } from "#db/engine.ts";
import { CommitUnknown } from "#db/lost.ts";
import { type Database, openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { rows } from "#db/store.ts";
import { gate, witness } from "#test/contracts/engine.ts";
import { administer } from "#test/postgres.ts";
import { type Ground, neon, postgres } from "./databases.ts";
import { type House, house, newRun, note } from "./house.ts";

const databaseOf = (ground: Ground): string => new URL(ground.url ?? "").pathname.slice(1);

/** As an administrator who stops the server does, or Neon when it suspends a compute: SQLSTATE 57P01. */
const terminate = (ground: Ground) =>
  administer(
    inject("postgres"),
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${databaseOf(ground)}'`,
  );

const BREAKS: Readonly<Record<string, [() => Promise<Ground>, (ground: Ground) => unknown]>> = {
  "Postgres ends its sessions": [postgres, terminate],
  "Neon's compute ends its sessions": [neon, terminate],
  "Neon closes its WebSockets": [neon, (ground) => ground.neon?.close()],
  "the network to Neon breaks": [neon, (ground) => ground.neon?.cut()],
};

describe.each(Object.entries(BREAKS))("when %s", (_, [make, cut]) => {
  let ground: Ground;
  let database: Database;
  let at: House;
  const errors: string[] = [];
  beforeAll(async () => {
    ground = await make();
    // As few as can be: a connection that is not given back is missed at once.
    database = await ground.open({ connections: 2, onError: ({ message }) => errors.push(message) });
    at = await house(database, "acme");
  });
  afterAll(() => ground.close());

  test("a transaction that had not come to its commit is done again from its start, and once", async () => {
    const fresh = newRun(at.orgId, await at.person("Mina"));
    let tries = 0;
    const made = await at.tx(async (tx) => {
      tries += 1;
      const run = await at.runs.insert(tx, fresh);
      if (tries === 1) await cut(ground);
      if (run) await at.events.append(tx, run.id, null, [note(`try ${tries}`)]);
      return run;
    });
    expect(tries).toBe(2);
    expect(made?.id).toBe(fresh.id);
    expect((await at.events.after(fresh.id, 0, 10)).map(({ body }) => body)).toEqual([note("try 2")]);
    expect(errors.length).toBeGreaterThan(0);
  });

  test("a read is asked again", async () => {
    const run = await at.run();
    await cut(ground);
    const read = await Promise.all([at.runs.get(run.id), at.runs.byPlace(run.place), at.events.after(run.id, 0, 1)]);
    expect(read.slice(0, 2)).toMatchObject([{ id: run.id }, { id: run.id }]);
  });

  test("no connection is lost to the pool, however often that happens", async () => {
    for (let times = 0; times < 4; times += 1) {
      const [opened, go] = [gate(), gate()];
      let tries = 0;
      const both = [0, 1].map(() =>
        at.tx(async (tx) => {
          tries += 1;
          if (tries === 2) opened.open();
          await go.opened;
          return at.cursors.advance(tx, `break ${times}`, 1);
        }),
      );
      await opened.opened;
      await cut(ground);
      go.open();
      expect((await Promise.all(both)).filter(Boolean)).toHaveLength(1);
    }
    await cut(ground);
    const after = await Promise.all([at.tx(async () => "one"), at.tx(async () => "two"), at.tx(async () => "three")]);
    expect(after).toEqual(["one", "two", "three"]);
  });

  test("listeners hear again, and are told what they may have missed", async () => {
    const run = await at.run();
    const heard = witness();
    const off = database.on("countersign_events", { notified: heard.saw, missed: () => heard.saw("missed") });
    await cut(ground);
    // The first may be of an earlier break: then what is said next is missed as well, and that is said too.
    for (let times = 1; heard.count(run.id) === 0; times += 1) {
      await heard.until("missed", times);
      await at.tx((tx) => at.events.append(tx, run.id, null, [note("after")]));
      await Promise.race([heard.until(run.id), heard.until("missed", times + 1)]);
    }
    off();
  });

  test("a job that was queued before the break is done after it, and a run that was at work is not lost", async () => {
    const engine = await pgBossEngine({ database, orgId: await ensureOrg(database.db, "acme"), pulseMs: 200 });
    const [running, next] = [await at.run(), await at.run()];
    const seen = witness();
    const go = gate();
    await engine.work({
      async tick(id) {
        if (id === running.id && seen.count(`begun ${id}`) === 0) {
          seen.saw(`begun ${id}`);
          await go.opened;
        }
        await at.tx((tx) => at.events.append(tx, id, null, [note("worked")]));
        seen.saw(`done ${id}`);
      },
      async agent() {},
      async control() {},
      async dead() {},
    });
    await at.tx((tx) => engine.wake(tx, running.id, "tick"));
    await seen.until(`begun ${running.id}`);
    await cut(ground);
    await at.tx((tx) => engine.wake(tx, next.id, "tick"));
    go.open();
    await Promise.all([seen.until(`done ${running.id}`), seen.until(`done ${next.id}`)]);
    for (const { id } of [running, next]) expect(await at.events.after(id, 0, 10)).toHaveLength(1);
    await engine.drain(1_000);
  });
});

describe("Neon", () => {
  let ground: Awaited<ReturnType<typeof neon>>;
  let database: Database;
  let at: House;
  beforeAll(async () => {
    ground = await neon();
    database = await ground.open();
    at = await house(database, "acme");
  });
  afterAll(() => ground.close());

  test.each(["before", "answered"] as const)(
    "a commit whose answer is lost (%s the server carried it out) is not made twice: it is said to be unknown",
    async (when) => {
      const fresh = newRun(at.orgId, await at.person("Mina"));
      let tries = 0;
      ground.neon.cutAt(/^commit/i, when);
      const made = at.tx(async (tx) => {
        tries += 1;
        return at.runs.insert(tx, fresh);
      });
      await expect(made).rejects.toThrow(CommitUnknown);
      expect(tries).toBe(1);
      expect((await at.runs.get(fresh.id))?.id).toBe(when === "answered" ? fresh.id : undefined);
    },
  );

  test("a transaction that does nothing for 30 s is ended there too, though Neon drops that wish from a connection", async () => {
    const limit = async (db: Database["db"]) =>
      rows<{ idle: string }>(
        await db.execute(sql`select current_setting('idle_in_transaction_session_timeout') as idle`),
      );
    expect(await database.db.transaction(limit)).toEqual([{ idle: "30s" }]);
  });

  test("what is only read goes through the pooler, and nothing else does", async () => {
    ground.neon.cut();
    const run = await at.run();
    expect(ground.neon.open()).toMatchObject({ pooled: 0 });
    await at.runs.get(run.id);
    await at.approvals.ofRun(run.id);
    expect(ground.neon.open().pooled).toBeGreaterThan(0);
    expect(ground.neon.problems).toEqual([]);
  });

  test("an answer that takes its time is waited for", async () => {
    ground.neon.delay(150);
    const run = await at.run();
    expect((await at.runs.get(run.id))?.id).toBe(run.id);
    ground.neon.delay(0);
  });

  test("an address that refuses is named, without its password", async () => {
    ground.neon.refuse(true);
    const place = ground.neon.place("shop");
    const opening = openDatabase({ ...place, url: place.url.replace(/:[^:@]+@/, ":hunter2@") });
    await expect(opening).rejects.toThrow(
      /^Postgres at ep-quiet-dew-a1b2c3d4\.eu-central-1\.aws\.neon\.tech:5432\/shop does not let us in: the WebSocket to 127\.0\.0\.1:\d+ broke/,
    );
    await expect(opening).rejects.not.toThrow("hunter2");
    ground.neon.refuse(false);
  });

  test("while Neon wakes up and lets nobody in, a transaction waits", async () => {
    ground.neon.cut();
    ground.neon.refuse(true);
    const made = at.run();
    const refused = database.db.execute(sql`select 1`);
    await expect(refused).rejects.toThrow();
    ground.neon.refuse(false);
    expect((await made).state).toBe("requested");
  });
});

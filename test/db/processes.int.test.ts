import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { pgBossEngine } from "#db/engine.ts";
import { DatabaseInUse } from "#db/lock.ts";
import { openDatabase } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { witness } from "#test/contracts/engine.ts";
import { administer, freshDatabase, withDatabase } from "#test/postgres.ts";
import { type Ground, SERVERS } from "./databases.ts";
import { house } from "./house.ts";

const started: ChildProcess[] = [];
const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const child of started.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  for (const step of undo.splice(0).reverse()) await step();
});

/** A worker process that is ready. */
async function worker(at: string) {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, "worker.ts"), at], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  started.push(child);
  const said = witness();
  createInterface({ input: child.stdout }).on("line", said.saw);
  await said.until("ready");
  return {
    said,
    child,
    tell: (line: string) => child.stdin.write(`${line}\n`),
    async die() {
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}

async function server(name: string) {
  const ground = await (SERVERS[name] as () => Promise<Ground>)();
  undo.push(() => ground.close());
  const database = await ground.open();
  const one = await house(database, "acme");
  const engine = await pgBossEngine({ database, orgId: one.orgId });
  undo.push(() => engine.drain(0));
  return {
    place: JSON.stringify(ground.place),
    one,
    wake: (run: string) => one.tx((tx) => engine.wake(tx, run, "agent")),
  };
}

const temporary = () => mkdtempSync(path.join(tmpdir(), "countersign-db-"));

describe.each(Object.keys(SERVERS))("processes on %s", (name) => {
  test("when a worker is killed, another takes its run", async () => {
    const { place, one, wake } = await server(name);
    const run = await one.run();
    const first = await worker(place);
    await wake(run.id);
    await first.said.until(`agent ${run.id} 1`);
    const second = await worker(place);
    await first.die();
    await second.said.until(`agent ${run.id} 2`);
    second.tell(`go ${run.id}`);
    await second.said.until(`wrote ${run.id}`);
    expect((await one.runs.get(run.id))?.fixRounds).toBe(1);
  }, 60_000);

  test("a worker that slept while its run was taken is told, and writes nothing", async () => {
    const { place, one, wake } = await server(name);
    const run = await one.run();
    const sleeper = await worker(place);
    await wake(run.id);
    await sleeper.said.until(`agent ${run.id} 1`);
    sleeper.child.kill("SIGSTOP");
    const second = await worker(place);
    await second.said.until(`agent ${run.id} 2`);
    sleeper.tell(`go ${run.id}`);
    sleeper.child.kill("SIGCONT");
    await sleeper.said.until(`fenced ${run.id}`);
    expect((await one.runs.get(run.id))?.fixRounds).toBe(0);
    second.tell(`go ${run.id}`);
    await second.said.until(`wrote ${run.id}`);
    expect(sleeper.said.count(`wrote ${run.id}`)).toBe(0);
  }, 60_000);
});

describe("replicas on Postgres", () => {
  test("four replicas that start on an empty database at once all come up", async () => {
    const { url, drop } = await freshDatabase();
    undo.push(drop);
    const empty = `${new URL(url).pathname.slice(1)}_empty`;
    await administer(url, `create database ${empty}`);
    undo.push(() => administer(url, `drop database ${empty} with (force)`));
    const replicas = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const database = await openDatabase(withDatabase(url, empty));
        const orgId = await ensureOrg(database.db, "acme");
        return { database, orgId, engine: await pgBossEngine({ database, orgId }) };
      }),
    );
    expect(new Set(replicas.map((replica) => replica.orgId)).size).toBe(1);
    for (const { database, engine } of replicas) {
      await engine.drain(0);
      await database.close();
    }
  });

  test("a server that is not there is named, without its password", async () => {
    const opening = openDatabase("postgres://me:hunter2@127.0.0.1:1/shop");
    await expect(opening).rejects.toThrow("Postgres at 127.0.0.1:1/shop does not let us in");
    await expect(opening).rejects.not.toThrow("hunter2");
  });
});

describe("processes on PGlite", () => {
  const template = temporary();
  beforeAll(async () => (await openDatabase(`pglite:${template}/db`)).close());
  afterAll(() => rmSync(template, { recursive: true, force: true }));

  /** A migrated database that is nobody's; making one takes seconds. */
  function folder(): string {
    const made = temporary();
    undo.push(() => rmSync(made, { recursive: true, force: true }));
    cpSync(path.join(template, "db"), path.join(made, "db"), { recursive: true });
    return path.join(made, "db");
  }

  test("a second opener is refused with what to do, and a dead one's lock is reaped", async () => {
    const at = folder();
    const owner = await worker(`pglite:${at}`);
    const refused = openDatabase(`pglite:${at}`);
    await expect(refused).rejects.toThrow(DatabaseInUse);
    await expect(refused).rejects.toThrow(`Process ${owner.child.pid} has the database`);
    await expect(refused).rejects.toThrow("set DATABASE_URL");
    await owner.die();
    const database = await openDatabase(`pglite:${at}`);
    expect(JSON.parse(readFileSync(`${at}.lock`, "utf8"))).toMatchObject({ pid: process.pid });
    await expect(openDatabase(`pglite:${at}`)).rejects.toThrow(DatabaseInUse);
    await database.close();
    await (await openDatabase(`pglite:${at}`)).close();
  }, 60_000);

  test("a delivery that another process kept and never did is taken up at once, and one of our own is given its time", async () => {
    const at = folder();
    const before = await openDatabase(`pglite:${at}`);
    const inbox = async (database: typeof before) => (await house(database, "acme")).inbox;
    await (await inbox(before)).insertOnce("linear", "left", { said: "hello" }, 60_000);
    await before.close();
    const database = await openDatabase(`pglite:${at}`);
    undo.push(() => database.close());
    const now = await inbox(database);
    await now.insertOnce("linear", "ours", {}, 60_000);
    const left = { source: "linear", deliveryId: "left", body: { said: "hello" } };
    expect(await now.unfinished("linear", 60_000, 10)).toEqual([left]);
  }, 60_000);

  test("what a killed process was doing starts again at once in the next one", async () => {
    const at = folder();
    const database = await openDatabase(`pglite:${at}`);
    const one = await house(database, "acme");
    const run = await one.run();
    const engine = await pgBossEngine({ database, orgId: one.orgId });
    await one.tx((tx) => engine.wake(tx, run.id, "agent"));
    await engine.drain(0);
    await database.close();

    const first = await worker(`pglite:${at}`);
    await first.said.until(`agent ${run.id} 1`);
    await first.die();
    const second = await worker(`pglite:${at}`);
    await second.said.until(`agent ${run.id} 2`);
    second.tell(`go ${run.id}`);
    await second.said.until(`wrote ${run.id}`);
    expect(second.said.seen).not.toContain(`fenced ${run.id}`);
  }, 60_000);
});

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client } from "pg";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { doctorCommand } from "#command/doctor.ts";
import type { PostgresPlace } from "#db/place.ts";
import { reachDatabase } from "#db/reach.ts";
import { examinationsOf } from "#doctor.ts";
import { administer, withDatabase } from "#test/postgres.ts";
import { type Ground, neon, postgres, SERVERS } from "./databases.ts";

/** What `countersign doctor` asks of a database: whether it would be opened, and nothing more. */

const WRONG = "hunter2";
const otherPassword = (url: string): string => Object.assign(new URL(url), { password: WRONG }).href;

async function failureOf(asked: Promise<unknown>): Promise<string> {
  try {
    await asked;
  } catch (error) {
    return String(error);
  }
  throw new Error("it let us in");
}

/** What the command says of the database with these settings. */
async function examined(env: Readonly<Record<string, string>>) {
  const said: string[] = [];
  const examinations = examinationsOf(env, "/nowhere").filter(({ of }) => of === "Database");
  const code = await doctorCommand(["--json"], { examinations, out: (text) => said.push(text) });
  return { code, said: said.join("") };
}

test("an embedded database is where it would be, and is not made", async () => {
  expect(await reachDatabase({ kind: "pglite", folder: null })).toEqual({ kind: "pglite", place: "memory" });
  const folder = path.join(mkdtempSync(path.join(tmpdir(), "countersign-reach-")), "database");
  try {
    expect(await reachDatabase({ kind: "pglite", folder })).toEqual({ kind: "pglite", place: folder });
    expect(existsSync(folder)).toBe(false);
  } finally {
    rmSync(path.dirname(folder), { recursive: true });
  }
});

describe.each(Object.entries(SERVERS))("%s", (_, make) => {
  let ground: Ground;
  let place: PostgresPlace;
  beforeAll(async () => {
    ground = await make();
    if (ground.place?.kind !== "postgres") throw new Error("this is no server");
    place = ground.place;
  });
  afterAll(() => ground.close());

  test("lets us in, by its name without user and password", async () => {
    const { hostname, port, pathname } = new URL(place.url);
    expect(await reachDatabase(place)).toEqual({
      kind: "postgres",
      place: `Postgres at ${hostname}:${port || 5432}${pathname}`,
    });
  });

  test("refuses a wrong password, and the message has the variable and not the password", async () => {
    const said = await failureOf(reachDatabase({ ...place, url: otherPassword(place.url) }));
    expect(said).toMatch(
      /Postgres at [^@ ]+:\d+\/\w+ does not let us in: .*password authentication failed.*Check DATABASE_URL\.$/,
    );
    expect(said).not.toContain(WRONG);
  });

  test("is asked at its pooled address too", async () => {
    const pooledUrl = otherPassword(place.pooledUrl ?? place.url);
    const said = await failureOf(reachDatabase({ ...place, pooledUrl }));
    expect(said).toMatch(/does not let us in: .*password authentication failed.*Check DATABASE_POOLED_URL\.$/);
    expect(said).not.toContain(WRONG);
  });
});

test("an empty database stays empty", async () => {
  const name = `empty_${randomBytes(4).toString("hex")}`;
  const server = inject("postgres");
  await administer(server, `create database ${name}`);
  const url = withDatabase(server, name);
  await reachDatabase({ kind: "postgres", driver: "pg", url, pooledUrl: null, proxy: null });
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query("select 1 from pg_class where relnamespace = 'public'::regnamespace");
  await client.end();
  await administer(server, `drop database ${name}`);
  expect(rows).toEqual([]);
});

test("at Neon both addresses are asked over the WebSocket, and one that refuses is named", async () => {
  const ground = await neon();
  const { pathname } = new URL(ground.url);
  const settings = {
    DATABASE_URL: ground.neon.at(pathname.slice(1), { pooled: true }),
    NEON_WS_PROXY: ground.neon.url,
  };
  const { code, said } = await examined(settings);
  expect(said).toContain("neon.tech:5432");
  expect(said).toContain("lets us in.");
  expect(code).toBe(0);
  ground.neon.refuse(true);
  const refused = await examined({ ...settings, DATABASE_URL: otherPassword(settings.DATABASE_URL) });
  expect(refused.code).toBe(1);
  expect(refused.said).toMatch(/does not let us in: the WebSocket to 127\.0\.0\.1:\d+ broke/);
  expect(refused.said).not.toContain(WRONG);
  ground.neon.refuse(false);
  await ground.close();
});

test("the command tells a wrong password from the rest, without it", async () => {
  const ground = await postgres();
  const { code, said } = await examined({ DATABASE_URL: otherPassword(ground.url ?? "") });
  expect(code).toBe(1);
  expect(said).toContain("password authentication failed");
  expect(said).not.toContain(WRONG);
  await ground.close();
});

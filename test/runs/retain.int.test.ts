import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { sql } from "#db/drizzle.ts";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { retain } from "#runs/life/retain.ts";
import { house } from "#test/db/house.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 60_000);
afterAll(() => database.close());

const DAY = 24 * 60 * 60_000;
/** Slack tells the same for a day, Linear for seven hours, and on GitHub a person may ask for it for three days. */
const TOLD_AGAIN = { slack: DAY, linear: 7 * 60 * 60_000, github: 3 * DAY } as const;

async function world() {
  const kept = await house(database, `org ${randomUUID()}`);
  const { inbox, notes, tx, orgId } = kept;
  const log: Readonly<Record<string, unknown>>[] = [];
  const age = async (days: number) => {
    const by = sql`${days} * interval '1 day'`;
    await database.db.execute(
      sql`update inbox set done_at = done_at - ${by}, received_at = received_at - ${by} where org_id = ${orgId}`,
    );
    await database.db.execute(sql`update notes set at = at - ${by} where org_id = ${orgId}`);
  };
  const look = () => retain({ stores: kept, log: (_, fields = {}) => void log.push(fields) });
  return { inbox, notes, tx, log, age, look };
}

test("a delivery is a repeat for longer than whoever sends it tells the same again, and is then forgotten", async () => {
  const { inbox, tx, log, age, look } = await world();
  for (const source of Object.keys(TOLD_AGAIN)) {
    await inbox.insertOnce(source, "one", { said: "words of a person" }, 0);
    await inbox.done(source, "one");
  }
  await inbox.insertOnce("slack", "open", {}, 0);
  for (const source of ["repo-host", "decided", "lost-yes"]) await tx((t) => inbox.insertDone(t, source, "of a run"));
  await age(Math.max(...Object.values(TOLD_AGAIN)) / DAY + 1);
  await look();
  expect(log).toEqual([]);
  for (const source of Object.keys(TOLD_AGAIN))
    expect(await inbox.insertOnce(source, "one", {}, 0), source).toBe(false);
  await age(4);
  await look();
  await look();
  expect(log).toEqual([{ deliveries: 3, notes: 0 }]);
  for (const source of Object.keys(TOLD_AGAIN)) expect(await inbox.insertOnce(source, "one", {}, 0), source).toBe(true);
  // What waits to be done, and what belongs to a run's record, is there for ever.
  expect(await inbox.insertOnce("slack", "open", {}, 0)).toBe(false);
  for (const source of ["repo-host", "decided", "lost-yes"])
    expect(await tx((t) => inbox.insertDone(t, source, "of a run")), source).toBe(false);
});

test("refusals are kept for a season, words that wait for a choice for a week, and what the owners are told for ever", async () => {
  const { notes, tx, age, look } = await world();
  const keys = ["turned-away:2026-11-24:slack:T0:U0:x", "choice:slack:T0:C0:1.2", "policy:broken:1"];
  for (const key of keys) await tx((t) => notes.keep(t, key, {}));
  const left = async () => (await Promise.all(keys.map((key) => notes.get(key)))).map((note) => note !== null);
  await age(6);
  await look();
  expect(await left()).toEqual([true, true, true]);
  await age(2);
  await look();
  expect(await left()).toEqual([true, false, true]);
  await age(90);
  await look();
  expect(await left()).toEqual([false, false, true]);
});

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordedDecisions } from "#db/decisions.ts";
import { memoryDatabase } from "#db/memory.ts";
import { type Database, openDatabase } from "#db/open.ts";
import type { EventBody } from "#runs/event.ts";
import { freshDatabase } from "#test/postgres.ts";
import { type House, house, note } from "./house.ts";

type Decided = Extract<EventBody, { kind: "policy.decided" }>;

const decided = (subject: string, more: Partial<Decided> = {}): Decided => ({
  kind: "policy.decided",
  about: "command",
  subject,
  outcome: "deny",
  reason: "rule",
  rules: [],
  digest: "sha256:0",
  request: { team: "shop", objects: [{ subject: "command", command: subject }] },
  ...more,
});

const OPEN: Record<string, () => Promise<{ database: Database; close: () => Promise<void> }>> = {
  PGlite: async () => {
    const database = await memoryDatabase();
    return { database, close: () => database.close() };
  },
  Postgres: async () => {
    const { url, drop } = await freshDatabase();
    const database = await openDatabase(url);
    return {
      database,
      async close() {
        await database.close();
        await drop();
      },
    };
  },
};

describe.each(Object.keys(OPEN))("recorded decisions in %s", (kind) => {
  let open: Awaited<ReturnType<(typeof OPEN)[string]>>;
  let at: House;
  beforeAll(async () => {
    open = await (OPEN[kind] as (typeof OPEN)[string])();
    at = await house(open.database);
  });
  afterAll(() => open.close());

  test("are those of the run or since the time, in order, with what was asked; nothing else of the record", async () => {
    const [one, other] = [await at.run(), await at.run()];
    const { request: _, ...before } = decided("old words");
    await at.tx((tx) =>
      at.events.append(tx, one.id, null, [
        note('"kind":"policy.decided" is only said here, with a \0'),
        before,
        decided("rm -rf /"),
        decided("ls", { outcome: "allow", reason: null }),
      ]),
    );
    await at.tx((tx) => at.events.append(tx, other.id, null, [decided("dropdb x")]));
    const commands = async (of: Parameters<typeof recordedDecisions>[2]) =>
      (await recordedDecisions(open.database.db, at.orgId, of)).map(({ run, outcome, request }) => [
        run,
        outcome,
        request.objects[0],
      ]);
    const number = String(one.number);
    const mine = [
      [number, "deny", { subject: "command", command: "rm -rf /" }],
      [number, "allow", { subject: "command", command: "ls" }],
    ];
    expect(await commands({ run: one.id })).toEqual(mine);
    expect(await commands({ run: number })).toEqual(mine);
    expect(await commands({ since: new Date(Date.now() - 60_000) })).toHaveLength(3);
    expect(await commands({ since: new Date(Date.now() + 60_000) })).toEqual([]);
    expect(await commands({ run: "nonsense" })).toEqual([]);
    const elsewhere = await house(open.database);
    expect(await recordedDecisions(open.database.db, elsewhere.orgId, { run: number })).toEqual([]);
  });
});

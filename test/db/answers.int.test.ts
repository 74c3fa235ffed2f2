import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { recordedAnswers } from "#db/answers.ts";
import type { Database } from "#db/open.ts";
import type { Choice } from "#runs/approval.ts";
import type { Run } from "#runs/run.ts";
import { DATABASES, type Ground } from "./databases.ts";
import { type House, house } from "./house.ts";

describe.each(Object.keys(DATABASES))("recorded answers in %s", (name) => {
  let ground: Ground;
  let database: Database;
  let at: House;
  beforeAll(async () => {
    ground = await (DATABASES[name] as () => Promise<Ground>)();
    database = await ground.open();
    at = await house(database);
  });
  afterAll(() => ground.close());

  const question = async (run: Run, of: House, digest: string) => {
    const id = randomUUID();
    const asks: [] = [];
    const expiresAt = new Date(Date.now() + 60_000);
    return of.tx((tx) =>
      of.approvals.open(tx, { id, runId: run.id, gate: "start", digest, subject: {}, asks, expiresAt }),
    );
  };
  const answer = async (of: House, approvalId: string, choice: Choice, id: string) => {
    const person = await of.person(id);
    const account = { provider: "slack", workspace: "T1", id };
    await of.tx((tx) => of.approvals.vote(tx, { approvalId, person, choice, reason: null, account }));
  };

  test("are everybody's since the time, oldest first, each with its question and when that was put", async () => {
    const run = await at.run();
    const [first, second] = [await question(run, at, "sha256:1"), await question(run, at, "sha256:2")];
    await question(run, at, "sha256:3");
    await answer(at, second.id, "approve", "U1");
    await answer(at, second.id, "approve", "U2");
    await answer(at, first.id, "deny", "U1");
    const found = await recordedAnswers(database.db, at.orgId, new Date(Date.now() - 60_000));
    const account = (id: string) => ({ provider: "slack", workspace: "T1", id });
    expect(found).toEqual([
      { asks: [], openedAt: second.openedAt, account: account("U1"), choice: "approve", at: expect.any(Date) },
      { asks: [], openedAt: second.openedAt, account: account("U2"), choice: "approve", at: expect.any(Date) },
      { asks: [], openedAt: first.openedAt, account: account("U1"), choice: "deny", at: expect.any(Date) },
    ]);
    expect(found.every(({ openedAt, at: when }) => when >= openedAt)).toBe(true);
    expect(await recordedAnswers(database.db, at.orgId, new Date(Date.now() + 60_000))).toEqual([]);
  });

  test("are none of another organisation's", async () => {
    const other = await house(database);
    const run = await other.run();
    await answer(other, (await question(run, other, "sha256:1")).id, "approve", "U1");
    expect(await recordedAnswers(database.db, (await house(database)).orgId, new Date(0))).toEqual([]);
    expect(await recordedAnswers(database.db, other.orgId, new Date(0))).toHaveLength(1);
  });
});

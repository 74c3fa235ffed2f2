import { afterAll, beforeAll, expect, test } from "vitest";
import { type Database, openDatabase } from "#db/open.ts";
import { store } from "#db/store.ts";
import { stores } from "#db/stores.ts";
import type { Account } from "#ports/directory.ts";
import { expire } from "#runs/approval/expire.ts";
import type { Core } from "#runs/core.ts";
import { handlers } from "#runs/life/tick.ts";
import { eventsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import { hear } from "#runs/request/hear.ts";
import { vote } from "#runs/request/vote.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { freshDatabase } from "#test/postgres.ts";
import { ANA, BO, CY, memoryHouse, person } from "./memory-house.ts";

/** How often each race is run: a race that is lost one time in five is found nearly always. */
const ROUNDS = 12;
const EVE = person("U0EVE", "Eve");
const EXPIRES_MS = 30 * 60_000;

let house: Awaited<ReturnType<typeof memoryHouse>>;
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let second: Database;
/** Two workers over one Postgres, each with connections of its own; nothing moves but by what a test does. */
let a: Core;
let b: Core;
let conversations = 0;

beforeAll(async () => {
  fresh = await freshDatabase();
  second = await openDatabase(fresh.url);
  house = await memoryHouse({}, { database: await openDatabase(fresh.url) });
  house.policy.edit("teams/shop.yaml", "    why: the shop", "    quorum: 2\n    why: the shop");
  house.directory.group(
    { slack_usergroup: "S0LEADS" },
    [BO, CY, EVE].map(({ id }) => id),
  );
  a = { ...house.core, engine: { ...house.core.engine, wake: async () => undefined } };
  b = { ...a, store: store(second.db), stores: stores(second, { orgId: a.orgId }) };
});
afterAll(async () => {
  await house.close();
  await second.close();
  await fresh.drop();
});

/** A run of Ana's that waits for two of three leads, and its question. */
async function asked() {
  conversations += 1;
  const place = { provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread: `race-${conversations}` };
  const text = "append a line to README.md";
  await hear(a, { account: ANA, place, first: true, requestKey: place.thread, text, shared: false, direct: false });
  const run = await a.stores.runs.byPlace(place);
  if (!run) throw new Error("no run was made");
  await handlers(a).tick(run.id);
  const [question] = await a.stores.approvals.ofRun(run.id);
  if (!question) throw new Error("nothing was asked");
  const click = (of: Core, account: Account, choice: "approve" | "deny" = "approve") =>
    vote(of, {
      approvalId: question.id,
      digest: question.digest,
      account,
      choice,
      reason: null,
      place: run.place,
    });
  return { run, question, click };
}

const code = (view: View): string => (view.kind === "refused" ? view.refusal.code : view.kind);

/** What the record says of a run's questions: who counted, and how each was closed. */
async function record(run: Run) {
  const bodies = (await eventsOf(a, run.id)).map(({ body }) => body);
  return {
    state: (await a.stores.runs.get(run.id))?.state,
    counted: bodies.flatMap((body) => (body.kind === "approval.voted" ? [body.by.name] : [])).toSorted(),
    closed: bodies.flatMap((body) => (body.kind === "approval.closed" ? [body.status] : [])),
    moved: bodies.flatMap((body) => (body.kind === "run.moved" ? [body.to] : [])),
  };
}

test("two approvers at once make a quorum of two once", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { run, click } = await asked();
    expect((await Promise.all([click(a, BO), click(b, CY)])).map(code)).toEqual(["noted", "noted"]);
    expect(await record(run)).toEqual({
      state: "queued",
      counted: ["Bo", "Cy"],
      closed: ["approved"],
      moved: ["waiting", "queued"],
    });
  }
});

test("of three approvers at once the one who comes third is told that it is decided", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { run, click } = await asked();
    const told = (await Promise.all([click(a, BO), click(b, CY), click(a, EVE)])).map(code);
    expect(told.toSorted()).toEqual(["already_decided", "noted", "noted"]);
    expect(await record(run)).toMatchObject({ state: "queued", closed: ["approved"], moved: ["waiting", "queued"] });
  }
});

test("one person who clicks twice at once is no quorum of two", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { run, click } = await asked();
    const told = (await Promise.all([click(a, BO), click(b, BO)])).map(code);
    expect(told.toSorted()).toEqual(["already_voted", "noted"]);
    expect(await record(run)).toMatchObject({ state: "waiting", counted: ["Bo"], closed: [] });
  }
});

test("a yes and a no at once: one of them decides, and the other is told or was counted before", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { run, click } = await asked();
    await click(a, EVE);
    const [yes, no] = (await Promise.all([click(a, BO), click(b, CY, "deny")])).map(code);
    const { state, closed, moved } = await record(run);
    // Bo's yes would be the second of two, so whoever comes first decides.
    if (state === "queued") expect([yes, no, closed]).toEqual(["noted", "already_decided", ["approved"]]);
    else expect([state, yes, no, closed]).toEqual(["denied", "already_decided", "noted", ["denied"]]);
    expect(moved).toHaveLength(2);
  }
});

test("a click in the moment of expiry counts or is told that it was too late, and never both", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { run, question, click } = await asked();
    await click(a, EVE);
    // Two workers' clocks differ: for one the question is open for another millisecond, for the other it is over.
    const early = { ...a, clock: { now: () => new Date(question.expiresAt.getTime() - 1) } };
    const late = { ...b, clock: { now: () => new Date(question.expiresAt.getTime()) } };
    const taken = await b.stores.runs.take(run.id);
    if (!taken) throw new Error("the run cannot be taken");
    const [clicked] = await Promise.all([click(early, BO), expire(late, taken)]);
    const { state, closed } = await record(run);
    if (code(clicked) === "noted") expect([state, closed]).toEqual(["queued", ["approved"]]);
    else expect([code(clicked), state, closed]).toEqual(["expired", "waiting", ["expired"]]);
  }
});

test("an expired question that two people have asked again at once is asked once more, and can be answered", async () => {
  for (let round = 0; round < ROUNDS; round += 1) {
    const { run, question } = await asked();
    const now = question.expiresAt.getTime();
    const clock = { now: () => new Date(now) };
    await handlers({ ...a, clock }).tick(run.id);
    const again = (core: Core, account: Account) =>
      askAgain({ ...core, clock }, { approvalId: question.id, account, place: run.place });
    const told = await Promise.all([again(a, ANA), again(b, BO)]);
    expect(told.map((view) => view.kind)).toEqual(["noted", "noted"]);
    const all = await a.stores.approvals.ofRun(run.id);
    expect(all.map(({ status, askNo }) => [status, askNo])).toEqual([
      ["expired", 1],
      ["pending", 2],
    ]);
    expect(all[1]?.expiresAt.getTime()).toBe(now + EXPIRES_MS);
  }
});

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TicketUnavailable } from "#ports/ticket.ts";
import { until } from "#test/chaos/until.ts";
import * as payloads from "#test/doubles/linear/payloads.ts";
import { ANA } from "#test/runs/memory-house.ts";
import { type LinearWorld, linearWorld, SECRET } from "./world.ts";

let world: LinearWorld;
beforeEach(async () => {
  world = await linearWorld();
});
afterEach(async () => {
  await world.close();
});

const TASK = 'append "Orders are shipped from Lyon." to README.md';
const runs = () => world.core.stores.runs.recent(world.core.orgId, 50);
const left = async () =>
  (await world.core.stores.inbox.unfinished("linear", -1_000, 100)).map(({ deliveryId }) => deliveryId);

async function linked(): Promise<void> {
  const session = world.session(world.issue("Link"), world.people.ana);
  await world.prompt(session, world.people.ana, await world.code(ANA));
}

test("a delivery that Linear did not sign is refused, and nothing is kept of it", async () => {
  const payload = payloads.created(world.sender, world.session(world.issue(TASK), world.people.ana));
  expect(await world.send(payloads.signedRequest(world.url, "another-secret", payload))).toBe(401);
  expect(await world.send(payloads.signedRequest(world.url, SECRET, payload, { signature: "" }))).toBe(401);
  const changed = payloads.signedRequest(world.url, SECRET, payload);
  const body = (await changed.clone().text()).replace("Orders", "Others");
  expect(await world.send(new Request(changed.url, { method: "POST", headers: changed.headers, body }))).toBe(401);
  expect(world.tracker.posted).toEqual([]);
  expect(await left()).toEqual([]);
});

test("a delivery of more than a minute ago, of the future, or of no time at all is refused", async () => {
  const session = world.session(world.issue(TASK), world.people.ana);
  const at = (now: number) => payloads.created({ ...world.sender, now: () => now }, session);
  expect(await world.post(at(Date.now() - 61_000))).toBe(401);
  expect(await world.post(at(Date.now() + 61_000))).toBe(401);
  const { webhookTimestamp: _, ...timeless } = at(Date.now());
  expect(await world.post(timeless)).toBe(401);
  expect(world.tracker.posted).toEqual([]);
  expect(await world.post(at(Date.now() - 50_000))).toBe(200);
});

test("what is no news is answered and not kept: other events, other apps, other workspaces", async () => {
  const session = world.session(world.issue(TASK), world.people.ana);
  const { sender } = world;
  expect(await world.post({ ...payloads.created(sender, session), type: "Issue", action: "update" })).toBe(200);
  expect(await world.post({ ...payloads.created(sender, session), action: "somethingNew" })).toBe(200);
  expect(await world.post(payloads.created({ ...sender, appUser: randomUUID() }, session))).toBe(200);
  expect(await world.post(payloads.created({ ...sender, organization: randomUUID() }, session))).toBe(200);
  expect(world.tracker.posted).toEqual([]);
  expect(await runs()).toEqual([]);
});

test("what is signed and not as Linear documents it is refused aloud", async () => {
  const { agentSession: _, ...half } = payloads.created(
    world.sender,
    world.session(world.issue(TASK), world.people.ana),
  );
  expect(await world.post(half)).toBe(400);
  expect(await world.post("null")).toBe(401);
  expect(world.house.logged.join("\n")).toContain("a Linear delivery is not understood");
});

test("the same delegation twice is one run, and says nothing twice", async () => {
  await linked();
  const session = world.session(world.issue(TASK), world.people.ana);
  const before = world.tracker.posted.length;
  expect(await world.created(session)).toBe(200);
  expect(await world.created(session)).toBe(200);
  expect(await runs()).toHaveLength(1);
  expect(world.tracker.posted.length).toBe(before + 1);
});

test("the first activity is on its way before anything is looked up, and is gone with the next one", async () => {
  world.house.directory.fail("Slack is away");
  const session = world.session(world.issue(TASK), world.people.ana);
  await world.created(session);
  const [first] = world.tracker.posted;
  expect(first).toMatchObject({ session: session.id, ephemeral: true, activity: { kind: "thought" } });
  expect(world.said(session)[0]).toContain("On it");
});

test("of fifty delegations at once, each has its first activity before any answer about a person has come", async () => {
  await linked();
  const { directory } = world.house;
  const answers = Promise.withResolvers<void>();
  const account = directory.account;
  let asked = 0;
  directory.account = async (id) => {
    asked += 1;
    await answers.promise;
    return account(id);
  };
  const sessions = Array.from({ length: 50 }, () => world.session(world.issue(TASK, "", "OPS"), world.people.ana));
  const taken = Promise.all(sessions.map((session) => world.created(session)));
  const heard = (session: (typeof sessions)[number]) => world.said(session)[0]?.includes("On it") === true;
  try {
    await until("every first activity", async () => sessions.every(heard));
    await until("the directory is asked", async () => asked > 0);
    expect(sessions.flatMap((session) => world.said(session))).toHaveLength(50);
  } finally {
    answers.resolve();
  }
  expect(await taken).toEqual(sessions.map(() => 200));
  expect(sessions.map((session) => world.said(session).length)).toEqual(sessions.map(() => 2));
});

test("a delivery that was kept before a crash is handled by the next process, once", async () => {
  await linked();
  const session = world.session(world.issue(TASK), world.people.ana);
  const body = {
    kind: "created",
    id: `${session.id}:created`,
    by: { id: world.people.ana.id, name: "Ana" },
    session: session.id,
    team: "SHOP",
    ticket: { id: session.issue.id, name: session.issue.identifier, url: session.issue.url },
    text: TASK,
    said: "",
  };
  await world.core.stores.inbox.insertOnce("linear", body.id, body, -1_000);
  await world.restart();
  await world.redrive();
  expect(await runs()).toHaveLength(1);
  expect(world.said(session)[0]).toContain("On it");
  expect(await world.created(session)).toBe(200);
  expect(await runs()).toHaveLength(1);
});

test("a first activity that Linear does not take stops nothing", async () => {
  await linked();
  world.tracker.fail(new TicketUnavailable("limited", "too many calls"));
  await world.created(world.session(world.issue(TASK), world.people.ana));
  expect(await runs()).toHaveLength(1);
  expect(world.house.logged.join("\n")).toContain("Linear did not take the first activity");
});

test("a revoked app and a change of its teams are said aloud", async () => {
  expect(await world.post(payloads.appRevoked(world.sender))).toBe(200);
  expect(await world.post(payloads.accessChanged(world.sender))).toBe(200);
  const said = world.house.logged.filter((line) => line.includes("Linear has changed what we may do there"));
  expect(said).toHaveLength(2);
});

test("an automation, another app and a guest start nothing, and are not asked to link anything", async () => {
  const byNobody = world.session(world.issue(TASK), null);
  await world.created(byNobody);
  for (const by of [world.people.robot, world.people.gil]) {
    const session = world.session(world.issue(TASK), by);
    await world.created(session);
    expect(world.said(session).at(-1)).toMatch(/^response: Only a full member/);
  }
  expect(world.said(byNobody).at(-1)).toMatch(/^response: Only a full member/);
  expect(await runs()).toEqual([]);
});

import { afterAll, beforeAll, expect, test } from "vitest";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { WORKSPACE } from "#test/fixtures/slack/double.ts";
import { clicked, mention, message, NOW, newTs, signature, slackWorld } from "./world.ts";

let database: Database;
beforeAll(async () => {
  database = await memoryDatabase();
}, 30_000);
afterAll(() => database.close());

const seconds = (at: number) => String(NOW.getTime() / 1000 + at);

test("a signed mention is heard once it is kept, and acknowledged with nothing", async () => {
  const { post, calls, left } = await slackWorld(database);
  const response = await post(mention());
  expect([response.status, await response.text()]).toEqual([200, ""]);
  expect(calls.map((call) => call.verb)).toEqual(["hear"]);
  expect(await left()).toEqual([]);
});

test.each([
  ["a wrong signature", { "x-slack-signature": `v0=${"0".repeat(64)}` }],
  ["a signature of another length", { "x-slack-signature": "v0=00" }],
  ["no signature", { "x-slack-signature": "" }],
  ["no time", { "x-slack-request-timestamp": "" }],
  ["a time that is no number", { "x-slack-request-timestamp": "1e9" }],
  ["a time that was not signed", { "x-slack-request-timestamp": seconds(1) }],
])("%s is refused before anything is read or kept", async (_what, headers) => {
  const { post, calls, left } = await slackWorld(database);
  expect((await post(mention(), { headers })).status).toBe(401);
  expect(calls).toEqual([]);
  expect(await left()).toEqual([]);
});

test.each([
  ["five minutes old is taken", -300, 200],
  ["older is refused", -301, 401],
  ["five minutes ahead is taken", 300, 200],
  ["further ahead is refused, though Bolt would take it", 301, 401],
])("a request %s", async (_what, at, status) => {
  const { post } = await slackWorld(database);
  const raw = JSON.stringify(mention());
  const time = seconds(at);
  const headers = { "x-slack-request-timestamp": time, "x-slack-signature": signature(raw, time) };
  expect((await post(raw, { headers })).status).toBe(status);
});

test("a signature by another secret is refused", async () => {
  const { post } = await slackWorld(database);
  const raw = JSON.stringify(mention());
  expect((await post(raw, { headers: { "x-slack-signature": signature(raw, seconds(0), "other") } })).status).toBe(401);
});

test("one changed byte breaks the signature", async () => {
  const { post } = await slackWorld(database);
  const raw = JSON.stringify(mention());
  const headers = { "x-slack-signature": signature(raw, seconds(0)) };
  expect((await post(raw.replace("login", "logic"), { headers })).status).toBe(401);
});

test("Slack's address check is answered with its challenge, and only when signed", async () => {
  const { post } = await slackWorld(database);
  const response = await post({ type: "url_verification", challenge: "c4" });
  expect(await response.json()).toEqual({ challenge: "c4" });
  expect(
    (await post({ type: "url_verification", challenge: "c4" }, { headers: { "x-slack-signature": "" } })).status,
  ).toBe(401);
});

test("Slack's certificate probe is unsigned and carries nothing", async () => {
  const { surface, left } = await slackWorld(database);
  const response = await surface.routes.request("/slack/events", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: "ssl_check=1&token=x",
  });
  expect([response.status, await response.text()]).toEqual([200, ""]);
  expect(await left()).toEqual([]);
});

test.each([
  ["no JSON", "{"],
  ["a list", "[]"],
  ["null", "null"],
])("a signed body that is %s is not understood", async (_what, raw) => {
  const { post } = await slackWorld(database);
  expect((await post(raw)).status).toBe(400);
});

test("a body beyond any of Slack's is not read", async () => {
  const { post } = await slackWorld(database);
  expect((await post(`{"a":"${"x".repeat(1024 * 1024)}"}`)).status).toBe(413);
});

test("the same event twice is heard once", async () => {
  const { post, calls } = await slackWorld(database);
  const body = mention();
  await post(body);
  const response = await post(body, { headers: { "x-slack-retry-num": "1", "x-slack-retry-reason": "http_timeout" } });
  expect(response.status).toBe(200);
  expect(calls).toHaveLength(1);
});

test("a first delivery that never arrived is heard although it says it is a retry", async () => {
  const { post, calls } = await slackWorld(database);
  await post(mention(), { headers: { "x-slack-retry-num": "2" } });
  expect(calls).toHaveLength(1);
});

test("one message under two event ids is heard once", async () => {
  const { post, calls } = await slackWorld(database);
  const ts = newTs();
  await post(mention({ ts }));
  await post(mention({ ts, body: { event_id: "EvOTHER" } }));
  expect(calls).toHaveLength(1);
});

test("a double click with one time is one click, with two times two", async () => {
  const { click, calls } = await slackWorld(database);
  const at = newTs();
  await click({ action: "approve", value: "a d", at });
  await click({ action: "approve", value: "a d", at });
  expect(calls).toHaveLength(1);
  await click({ action: "approve", value: "a d" });
  expect(calls).toHaveLength(2);
});

test.each([
  ["talk without a mention", message({ text: "shall we fix the login?" })],
  ["a word for stop outside a thread", message({ text: "stop" })],
  ["a message of a bot", mention({ event: { bot_id: "B0OTHER" } })],
  ["an edit", mention({ event: { edited: { user: "U0ANA", ts: "1.1" } } })],
  ["somebody joining", message({ event: { subtype: "channel_join" } })],
  ["a deleted message", message({ event: { subtype: "message_deleted", hidden: true } })],
  ["another event", { type: "event_callback", team_id: WORKSPACE, event_id: "Ev1", event: { type: "reaction_added" } }],
])("%s is acknowledged, not kept and not heard", async (_what, body) => {
  const { post, calls, left } = await slackWorld(database);
  expect((await post(body)).status).toBe(200);
  expect(calls).toEqual([]);
  expect(await left()).toEqual([]);
});

test("a link button needs no work, only its acknowledgement", async () => {
  const { click, calls, left } = await slackWorld(database);
  expect((await click({ action: "open_run" })).status).toBe(200);
  expect(calls).toEqual([]);
  expect(await left()).toEqual([]);
});

test("what is kept holds no token and no address to answer at", async () => {
  const { surface, post, real } = await slackWorld(database, {
    inbox: (inbox) => ({ ...inbox, done: async () => {} }),
  });
  await post(clicked({ action: "approve", value: "a d" }), { form: true });
  await surface.drain();
  const [row] = await real.unfinished("slack", -1_000, 10);
  expect(JSON.stringify(row?.body)).not.toMatch(/verification|hooks\.slack/);
  expect(row?.body).toMatchObject({ actions: [{ action_id: "approve" }] });
});

test("what cannot be kept is not acknowledged: Slack tries again", async () => {
  const { post, calls, log } = await slackWorld(database, {
    inbox: (inbox) => ({ ...inbox, insertOnce: () => Promise.reject(new Error("the database is away")) }),
  });
  expect((await post(mention())).status).toBe(500);
  expect(calls).toEqual([]);
  expect(log.map((line) => line.message)).toEqual(["a Slack request could not be kept"]);
});

test("it is kept before it is acknowledged, and acknowledged before it is heard to the end", async () => {
  const order: string[] = [];
  const { surface, post } = await slackWorld(database, {
    inbox: (inbox) => ({
      ...inbox,
      async insertOnce(...args) {
        const fresh = await inbox.insertOnce(...args);
        order.push("kept");
        return fresh;
      },
      async done(...args) {
        order.push("done");
        return inbox.done(...args);
      },
    }),
  });
  await post(mention());
  await surface.drain();
  expect(order).toEqual(["kept", "done"]);
});

test("a crash between keeping and hearing is taken up by the next process", async () => {
  const { real, another, calls, left } = await slackWorld(database);
  const body = mention();
  await real.insertOnce("slack", `said:${WORKSPACE}:C0SHOP:${body.event.ts}`, body, -1_000);
  const next = another();
  expect(await next.redrive()).toBe(1);
  expect(calls.map((call) => call.with.text)).toEqual(["fix the login"]);
  expect(await left()).toEqual([]);
  expect(await next.redrive()).toBe(0);
});

test("deliveries of other sources are left to their own surface", async () => {
  const { real, surface, calls } = await slackWorld(database);
  await real.insertOnce("github", `delivery ${newTs()}`, { any: "thing" }, -1_000);
  expect(await surface.redrive()).toBe(0);
  expect(calls).toEqual([]);
});

test("a failure leaves the delivery, tells the person, and the next try does it", async () => {
  const { post, say, surface, calls, double, log, left, release } = await slackWorld(database);
  say.throws = 1;
  expect((await post(mention())).status).toBe(200);
  expect(await left()).toHaveLength(1);
  expect(double.ephemerals).toMatchObject([
    { channel: "C0SHOP", user: "U0ANA", text: expect.stringContaining("we try again by ourselves") },
  ]);
  expect(log[0]).toMatchObject({ fields: { tried: 1, error: expect.stringContaining("the store is away") } });
  await release();
  await surface.redrive();
  expect(calls).toHaveLength(2);
  expect(await left()).toEqual([]);
});

test("what fails five times is given up aloud, and the person is told to ask again", async () => {
  const { post, say, surface, double, log, calls, left, release } = await slackWorld(database);
  say.throws = 99;
  await post(mention());
  for (let n = 0; n < 6; n++) {
    await release();
    await surface.redrive();
  }
  expect(calls).toHaveLength(5);
  expect(log.at(-1)?.message).toBe("a Slack delivery is given up: look at it");
  expect(double.ephemerals.map((one) => one.text)).toEqual([
    expect.stringContaining("try again by ourselves"),
    expect.stringContaining("Please ask again"),
  ]);
  expect(await left()).toEqual([]);
});

test("a restart does not hear again what was finished", async () => {
  const { post, another, calls } = await slackWorld(database);
  await post(mention());
  expect(await another().redrive()).toBe(0);
  expect(calls).toHaveLength(1);
});

test("over a socket what cannot be kept is not acknowledged: Slack sends it again", async () => {
  const { post, calls, log } = await slackWorld(database, {
    over: "socket",
    inbox: (inbox) => ({ ...inbox, insertOnce: () => Promise.reject(new Error("the database is away")) }),
  });
  expect((await post(mention())).status).toBe(500);
  expect(calls).toEqual([]);
  expect(log[0]?.message).toContain("could not be kept");
});

test("over a socket it is kept before it is acknowledged, and heard once however often it comes", async () => {
  const order: string[] = [];
  const { surface, calls } = await slackWorld(database, {
    inbox: (inbox) => ({
      ...inbox,
      async insertOnce(...args) {
        const fresh = await inbox.insertOnce(...args);
        order.push("kept");
        return fresh;
      },
    }),
  });
  const envelope = {
    type: "events_api",
    body: mention(),
    ack: async () => void order.push("acknowledged"),
  };
  // Two sockets may bring the same.
  await Promise.all([surface.take(envelope), surface.take(envelope)]);
  await surface.drain();
  expect([order[0], order.toSorted()]).toEqual(["kept", ["acknowledged", "acknowledged", "kept", "kept"]]);
  expect(calls).toHaveLength(1);
});

test("a socket that ends before the acknowledgement loses nothing", async () => {
  const { surface, calls, log } = await slackWorld(database);
  const ack = () => Promise.reject(new Error("the socket has ended"));
  await surface.take({ type: "events_api", body: mention(), ack });
  await surface.drain();
  expect(calls).toHaveLength(1);
  expect(log[0]?.message).toContain("Slack sends it again");
});

test.each([
  ["an envelope of another kind", { type: "news", body: mention() }],
  ["an envelope without a body", { type: "events_api", body: null }],
  ["an envelope with a list", { type: "interactive", body: [] }],
])("%s is acknowledged, so that it comes no more, and not kept", async (_what, given) => {
  const { surface, calls, left } = await slackWorld(database);
  const acknowledged: unknown[] = [];
  await surface.take({ ...given, ack: async (answer) => void acknowledged.push(answer) });
  expect([acknowledged, calls, await left()]).toEqual([[undefined], [], []]);
});

test("without a signing secret there is no door over HTTP", async () => {
  const { post } = await slackWorld(database, { unsigned: true });
  for (const path of ["/slack/events", "/slack/interactivity", "/slack/commands"])
    expect((await post(mention(), { path })).status, path).toBe(404);
});

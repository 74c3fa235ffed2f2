import { afterEach, beforeEach, expect, test } from "vitest";
import { eventOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
beforeEach(async () => {
  stage = await openStage({ answerWithinMs: 150 });
});
afterEach(() => stage.close());

const talk = () => stage.control("message", { channel: "C0SITE", user: "U0ANA", text: "hello" });
const tries = () =>
  stage.heard.filter((heard) => eventOf(heard).type === "message").map((h) => [h.retryNum, h.retryReason]);

test("an event answered with 500 is sent again with the same id until it is answered", async () => {
  stage.intercept((heard) => (heard.retryNum === "2" ? new Response(null) : new Response(null, { status: 500 })));
  await talk();
  await stage.playground.idle();
  expect(tries()).toEqual([
    [undefined, undefined],
    ["1", "http_error"],
    ["2", "http_error"],
  ]);
  expect(new Set(stage.heard.map((heard) => heard.body.event_id)).size).toBe(1);
});

test("an event that is never answered in time is given up after three retries", async () => {
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  stage.intercept(() => never);
  await talk();
  await stage.playground.idle();
  resolve(new Response(null));
  expect(tries().map(([num, reason]) => `${num} ${reason}`)).toEqual([
    "undefined undefined",
    "1 http_timeout",
    "2 http_timeout",
    "3 http_timeout",
  ]);
  const { log } = (await stage.control("log")).body as { log: { kind: string; next?: string }[] };
  expect(log.filter((entry) => entry.kind === "event.answer").at(-1)?.next).toBe("given up");
});

test("an app that asks for no retry gets none", async () => {
  stage.intercept(() => new Response(null, { status: 500, headers: { "x-slack-no-retry": "1" } }));
  await talk();
  await stage.playground.idle();
  expect(tries()).toHaveLength(1);
});

test("an interaction that is not answered in time fails and is not repeated", async () => {
  const button = { type: "button" as const, action_id: "slow", text: { type: "plain_text" as const, text: "Slow" } };
  const { ts } = await stage.bolt.client.chat.postMessage({
    channel: "C0SITE",
    text: "x",
    blocks: [{ type: "actions", elements: [button] }],
  });
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  stage.intercept((heard) => (heard.body.type === "block_actions" ? never : undefined));
  const { body } = await stage.control("interact", {
    channel: "C0SITE",
    messageTs: ts,
    user: "U0BO",
    action: { type: "button", action_id: "slow" },
  });
  resolve(new Response(null));
  expect(body).toMatchObject({ ok: false, error: "http_timeout" });
  expect(stage.heard.filter((heard) => heard.body.type === "block_actions")).toHaveLength(1);
});

test("a trigger opens one modal and no second one", async () => {
  stage.bolt.action("go", async ({ ack }) => ack());
  const button = { type: "button" as const, action_id: "go", text: { type: "plain_text" as const, text: "Go" } };
  const { client } = stage.bolt;
  const { ts } = await client.chat.postMessage({
    channel: "C0SITE",
    text: "x",
    blocks: [{ type: "actions", elements: [button] }],
  });
  await stage.control("interact", {
    channel: "C0SITE",
    messageTs: ts,
    user: "U0BO",
    action: { type: "button", action_id: "go" },
  });
  const { body } = await stage.hears((heard) => heard.body.type === "block_actions");
  const view = {
    type: "modal" as const,
    title: { type: "plain_text" as const, text: "Hi" },
    blocks: [{ type: "divider" as const }],
  };
  const trigger_id = String(body.trigger_id);
  const opened = await client.views.open({ trigger_id, view });
  await expect(client.views.open({ trigger_id, view })).rejects.toThrow("exchanged_trigger_id");
  await expect(client.views.open({ trigger_id: "1.2.3", view })).rejects.toThrow("invalid_trigger_id");
  const view_id = String(opened.view?.id);
  await expect(client.views.update({ view_id, hash: "old", view })).rejects.toThrow("hash_conflict");
  const updated = await client.views.update({ view_id, hash: String(opened.view?.hash), view });
  expect(updated.view?.hash).not.toBe(opened.view?.hash);
});

test("an injected 429 names its wait and affects only its method, as often as asked", async () => {
  const { client } = stage.bolt;
  stage.playground.fault({ method: "chat.postMessage", status: 429, retryAfter: 7, times: 1 });
  const post = () => client.chat.postMessage({ channel: "C0SITE", text: "x" });
  const limited = await fetch(`${stage.url}/slack-api/chat.postMessage`, { method: "POST", body: "" });
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
  await expect(post()).resolves.toMatchObject({ ok: true });
});

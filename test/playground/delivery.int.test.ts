import { afterEach, expect, test } from "vitest";
import { eventOf, openStage, type Stage } from "./stage.ts";

let stage: Stage;
/** However busy the machine is, an app that answers does so within a minute. */
const open = async (answerWithinMs = 60_000) => {
  stage = await openStage({ answerWithinMs });
};
/** The app has no time: what it has heard by the end is chance, and what was sent is in the log. */
const openForNobody = () => open(20);
afterEach(() => stage.close());

interface Entry {
  readonly kind: string;
  readonly retry?: number;
  readonly reason?: string;
  readonly next?: string;
  readonly error?: string;
  readonly body?: { readonly event_id?: string };
}
const logged = async (...kinds: readonly string[]) => {
  const { log } = (await stage.control("log")).body as unknown as { log: readonly Entry[] };
  return log.filter(({ kind }) => kinds.includes(kind));
};

const talk = () => stage.control("message", { channel: "C0SITE", user: "U0ANA", text: "hello" });
const tries = () =>
  stage.heard.filter((heard) => eventOf(heard).type === "message").map((h) => [h.retryNum, h.retryReason]);

test("an event answered with 500 is sent again with the same id until it is answered", async () => {
  await open();
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
  await openForNobody();
  const { promise: never, resolve } = Promise.withResolvers<Response>();
  stage.intercept(() => never);
  await talk();
  await stage.playground.idle();
  resolve(new Response(null));
  const sent = await logged("event");
  expect(sent.map(({ retry }) => retry)).toEqual([0, 1, 2, 3]);
  expect(new Set(sent.map(({ body }) => body?.event_id)).size).toBe(1);
  const answers = await logged("event.answer");
  expect(answers.map(({ reason, next }) => `${reason}: ${next}`)).toEqual([
    "http_timeout: retry 1 in 0 ms",
    "http_timeout: retry 2 in 0 ms",
    "http_timeout: retry 3 in 0 ms",
    "http_timeout: given up",
  ]);
});

test("an app that asks for no retry gets none", async () => {
  await open();
  stage.intercept(() => new Response(null, { status: 500, headers: { "x-slack-no-retry": "1" } }));
  await talk();
  await stage.playground.idle();
  expect(tries()).toHaveLength(1);
});

test("an interaction that is not answered in time fails and is not repeated", async () => {
  await openForNobody();
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
  expect((await logged("interaction", "interaction.answer")).map(({ kind, error }) => [kind, error])).toEqual([
    ["interaction", undefined],
    ["interaction.answer", "http_timeout"],
  ]);
});

test("a trigger opens one modal and no second one", async () => {
  await open();
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
  await open();
  const { client } = stage.bolt;
  stage.playground.fault({ method: "chat.postMessage", status: 429, retryAfter: 7, times: 1 });
  const post = () => client.chat.postMessage({ channel: "C0SITE", text: "x" });
  await expect(client.users.info({ user: "U0ANA" })).resolves.toMatchObject({ ok: true });
  const limited = await fetch(`${stage.url}/slack-api/chat.postMessage`, { method: "POST", body: "" });
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "7"]);
  await expect(post()).resolves.toMatchObject({ ok: true });
});

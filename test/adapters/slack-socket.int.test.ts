import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { type SlackEnvelope, type SlackSocket, slackSocket } from "#adapters/directory/slack-socket.ts";
import { Secret } from "#ports/secret.ts";
import { APP_TOKEN, openStage, type Stage } from "#test/playground/stage.ts";

/** Our end of Socket Mode against the playground's; nobody else takes from it. */
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function stageAlone(o: { answerWithinMs?: number } = {}): Promise<Stage> {
  // An address of its own keeps the stage's client away from the sockets.
  const stage = await openStage({ over: "socket", eventsUrl: "http://127.0.0.1:1/unused", ...o });
  closing.push(() => stage.close());
  return stage;
}

const words: string[] = [];
const socketTo = (url: string, token = APP_TOKEN, fetch?: typeof globalThis.fetch): SlackSocket =>
  slackSocket({
    appToken: new Secret("slack_app_token", token),
    slackApiUrl: `${url}/slack-api/`,
    ...(fetch === undefined ? {} : { fetch }),
    log: (message, fields) => words.push(`${message} ${JSON.stringify(fields ?? {})}`),
    waitMs: () => 1,
  });

/** Holds a socket and collects what comes; `answer` says what to do with it. */
function holding(socket: SlackSocket, answer: (envelope: SlackEnvelope) => Promise<void> = ({ ack }) => ack()) {
  const taken: SlackEnvelope[] = [];
  const leaving = new AbortController();
  const held = socket.hold(async (envelope) => {
    taken.push(envelope);
    await answer(envelope);
  }, leaving.signal);
  const stop = async () => {
    leaving.abort();
    await held;
  };
  closing.push(stop);
  return { taken, stop };
}

const talk = async (stage: Stage, text = "hello") =>
  String((await stage.control("message", { channel: "C0SITE", user: "U0ANA", text })).body.ts);
const open = (stage: Stage, count = 1) =>
  expect.poll(() => stage.playground.sockets?.count(), { timeout: 10_000 }).toBe(count);
const tsOf = ({ body }: SlackEnvelope) => (body as { event?: { ts?: string } }).event?.ts;

test("an event comes over the socket and is answered there", async () => {
  const stage = await stageAlone();
  const { taken } = holding(socketTo(stage.url));
  const ts = await talk(stage);
  await stage.playground.idle();
  expect(taken).toMatchObject([{ type: "events_api", body: { type: "event_callback", event: { ts } } }]);
});

test("an envelope that was not acknowledged is sent again, with the same event id", async () => {
  const stage = await stageAlone({ answerWithinMs: 150 });
  let refusals = 1;
  const { taken } = holding(socketTo(stage.url), ({ ack }) => (refusals-- > 0 ? Promise.resolve() : ack()));
  await talk(stage);
  await stage.playground.idle();
  expect(taken).toHaveLength(2);
  expect(new Set(taken.map(({ body }) => (body as { event_id: string }).event_id)).size).toBe(1);
});

test.each(["warning", "refresh_requested"] as const)(
  "when Slack asks for another connection (%s) the next one is opened, and events go on",
  async (reason) => {
    const stage = await stageAlone();
    const { taken } = holding(socketTo(stage.url));
    await open(stage);
    stage.playground.sockets?.refresh(reason);
    const ts = await talk(stage);
    await stage.playground.idle();
    expect(taken.map(tsOf)).toEqual([ts]);
    expect(words.join("\n")).toContain(`"reason":"${reason}"`);
  },
);

test("a connection that is cut is opened again", async () => {
  const stage = await stageAlone();
  const { taken } = holding(socketTo(stage.url));
  await open(stage);
  words.length = 0;
  stage.playground.sockets?.cut();
  const ts = await talk(stage);
  await stage.playground.idle();
  expect(taken.map(tsOf)).toEqual([ts]);
  expect(words.join("\n")).toContain("the connection was lost");
});

test("two processes may each hold one: an envelope comes over one of them", async () => {
  const stage = await stageAlone();
  const a = holding(socketTo(stage.url));
  const b = holding(socketTo(stage.url));
  await open(stage, 2);
  const said = [await talk(stage, "one"), await talk(stage, "two"), await talk(stage, "three")];
  await stage.playground.idle();
  expect([...a.taken, ...b.taken].map(tsOf).sort()).toEqual(said);
  expect(a.taken.length).toBeGreaterThan(0);
  expect(b.taken.length).toBeGreaterThan(0);
});

test("whoever stops holding takes leave of Slack", async () => {
  const stage = await stageAlone();
  const { stop } = holding(socketTo(stage.url));
  await open(stage);
  await stop();
  await open(stage, 0);
});

test("a token that Slack refuses is told apart from one of the wrong kind", async () => {
  const stage = await stageAlone();
  await expect(socketTo(stage.url, "xapp-wrong").probe()).rejects.toThrow("invalid_auth");
  await expect(socketTo(stage.url, "xoxb-for-tests").probe()).rejects.toThrow("not_allowed_token_type");
  await expect(socketTo(stage.url).probe()).resolves.toBeUndefined();
});

test("a token that is revoked between two connections ends nothing but the connection", async () => {
  const stage = await stageAlone();
  let revoked = false;
  const asked = Promise.withResolvers<void>();
  const fetch: typeof globalThis.fetch = async (...given) => {
    if (!revoked) return globalThis.fetch(...given);
    asked.resolve();
    return Response.json({ ok: false, error: "invalid_auth" });
  };
  const { stop } = holding(socketTo(stage.url, APP_TOKEN, fetch));
  await open(stage);
  revoked = true;
  stage.playground.sockets?.cut();
  await asked.promise;
  await expect.poll(() => words.join("\n")).toContain("there is no socket to Slack");
  await stop();
});

test("an envelope in an unknown shape is passed over, and the next one is taken", async () => {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  await once(server, "listening");
  closing.push(() => server.close());
  closing.push(() => {
    for (const client of server.clients) client.terminate();
  });
  server.on("connection", (socket) => {
    const send = (what: object) => socket.send(JSON.stringify(what));
    send({ type: "hello" });
    socket.send("not JSON");
    send({ type: "events_api", envelope_id: "1", payload: { type: "app_rate_limited" } });
    send({ type: "interactive", envelope_id: "2", payload: { type: "block_actions" } });
  });
  const { port } = server.address() as AddressInfo;
  const fetch = async () => Response.json({ ok: true, url: `ws://127.0.0.1:${port}/` });
  const { taken } = holding(socketTo("http://slack.test", APP_TOKEN, fetch));
  await expect.poll(() => taken.map(({ type }) => type)).toEqual(["interactive"]);
  expect(words.join("\n")).toContain("not understood");
});

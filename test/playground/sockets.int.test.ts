import { once } from "node:events";
import { afterEach, beforeEach, expect, test } from "vitest";
import { WebSocket } from "ws";
import { openSockets, type Sockets } from "#playground/slack/sockets.ts";

/** Slack's end of Socket Mode, spoken to frame by frame. */
let sockets: Sockets;
let complaints: string[];
let now: number;
beforeEach(() => {
  complaints = [];
  now = Date.now();
  sockets = openSockets({
    appId: "A0AGENT",
    answerWithinMs: 200,
    now: () => now,
    complain: (what) => complaints.push(what),
  });
});
afterEach(() => sockets.stop());

interface Frame {
  readonly type: string;
  readonly envelope_id?: string;
  readonly [name: string]: unknown;
}

/** A client that has been greeted; `next` is its next frame. */
async function connected(): Promise<{ socket: WebSocket; next: () => Promise<Frame> }> {
  const socket = new WebSocket(await sockets.address());
  const frames: Frame[] = [];
  const waiting: ((frame: Frame) => void)[] = [];
  socket.on("message", (data) => {
    const frame = JSON.parse(data.toString()) as Frame;
    const first = waiting.shift();
    if (first) first(frame);
    else frames.push(frame);
  });
  const next = () =>
    new Promise<Frame>((resolve) => {
      const frame = frames.shift();
      if (frame) resolve(frame);
      else waiting.push(resolve);
    });
  expect(await next()).toMatchObject({ type: "hello", connection_info: { app_id: "A0AGENT" } });
  return { socket, next };
}
const payload = { type: "event_callback" };

test("an address is good for one connection, and for half a minute", async () => {
  const address = await sockets.address();
  const first = new WebSocket(address);
  await once(first, "open");
  const again = new WebSocket(address);
  expect(String(await once(again, "error"))).toContain("401");
  const stale = await sockets.address();
  now += 31_000;
  expect(String(await once(new WebSocket(stale), "error"))).toContain("401");
  first.terminate();
});

test("a page of another site opens no socket", async () => {
  const foreign = new WebSocket(await sockets.address(), { origin: "https://evil.example.com" });
  expect(String(await once(foreign, "error"))).toContain("401");
});

test("an envelope has Slack's shape, and its answer is the acknowledgement's payload", async () => {
  const { socket, next } = await connected();
  const sent = sockets.send({ kind: "slash_commands", payload: { command: "/agent" } });
  const envelope = await next();
  expect(envelope).toEqual({
    type: "slash_commands",
    envelope_id: expect.any(String),
    accepts_response_payload: true,
    payload: { command: "/agent" },
  });
  socket.send(JSON.stringify({ envelope_id: envelope.envelope_id, payload: { text: "Hi" } }));
  expect(await sent).toMatchObject({ ok: true, status: 200, body: '{"text":"Hi"}' });
});

test("an event that is sent again says which time and why", async () => {
  const { socket, next } = await connected();
  const retry = { num: 2, reason: "http_timeout" };
  const sent = sockets.send({ kind: "events_api", payload, retry });
  const envelope = await next();
  expect(envelope).toMatchObject({ retry_attempt: 2, retry_reason: "http_timeout", accepts_response_payload: false });
  socket.send(JSON.stringify({ envelope_id: envelope.envelope_id, payload: { text: "Hi" } }));
  expect((await sent).ok).toBe(true);
  expect(complaints).toEqual(["an event was answered with a payload, and Slack takes none"]);
});

test("what is not acknowledged in time is not answered, and a late acknowledgement changes nothing", async () => {
  const { socket, next } = await connected();
  const sent = sockets.send({ kind: "events_api", payload });
  const { envelope_id } = await next();
  expect(await sent).toMatchObject({ ok: false, reason: "http_timeout" });
  socket.send(JSON.stringify({ envelope_id }));
  socket.send("not JSON");
  socket.send(JSON.stringify({ envelope: "1" }));
  await expect.poll(() => complaints.length).toBe(3);
});

test("without a socket an event waits for one, and then fails", async () => {
  expect(await sockets.send({ kind: "events_api", payload })).toMatchObject({ ok: false, reason: "connection_failed" });
  const sent = sockets.send({ kind: "events_api", payload });
  const { socket, next } = await connected();
  socket.send(JSON.stringify({ envelope_id: (await next()).envelope_id }));
  expect((await sent).ok).toBe(true);
});

test("a connection that is to make way gets nothing more, and the next one does", async () => {
  const old = await connected();
  sockets.refresh("warning");
  expect(await old.next()).toMatchObject({ type: "disconnect", reason: "warning" });
  const { socket, next } = await connected();
  const sent = sockets.send({ kind: "interactive", payload: { type: "block_actions" } });
  socket.send(JSON.stringify({ envelope_id: (await next()).envelope_id }));
  expect(await sent).toMatchObject({ ok: true, body: "" });
});

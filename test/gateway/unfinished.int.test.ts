import { once } from "node:events";
import { symlink } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createListener } from "node:net";
import path from "node:path";
import { text } from "node:stream/consumers";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { Secret } from "#ports/secret.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { readAll } from "./wire.ts";
import { linesUntil, makeWorld, type World, type WorldOptions } from "./world.ts";

type Json = Record<string, unknown>;

const KEY = "real-key-of-the-operator";
const CHAT = "/model/openai/v1/chat/completions";
const MESSAGES = "/model/anthropic/v1/messages";

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function worldWith(
  answer: (body: Json, res: ServerResponse) => void,
  o: WorldOptions & { usd?: number } = {},
): Promise<{ world: World; bodies: Json[] }> {
  const bodies: Json[] = [];
  const server = createServer((req, res) => {
    void text(req).then((sent) => {
      const body = sent === "" ? {} : (JSON.parse(sent) as Json);
      bodies.push(body);
      answer(body, res);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const key = new Secret("model", KEY);
  const models = { openai: { baseUrl: `${url}/v1`, key }, anthropic: { baseUrl: url, key } };
  const world = await makeWorld({ ...o, config: { models } });
  open.push(() => world.close());
  const budget = { usd: o.usd ?? 1, tokens: 10_000_000 };
  await world.client.grant(bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), models: ["*"], budget }));
  return { world, bodies };
}

async function begin(world: World, target: string, body: Json) {
  const socket = await world.open("s");
  const json = JSON.stringify(body);
  const head = [`POST ${target} HTTP/1.1`, "Host: g", "x-api-key: tok", "Connection: close"];
  socket.write(`${[...head, `Content-Length: ${Buffer.byteLength(json)}`].join("\r\n")}\r\n\r\n${json}`);
  return socket;
}

const call = async (world: World, target: string, body: Json) =>
  (await readAll(await begin(world, target, body))).toString("utf8");
const statusOf = (answer: string) => Number(answer.split(" ")[1]);
const metered = (world: World, count: number) =>
  linesUntil(world, "r", (all) => all.filter((line) => line.kind === "model").length === count);

test("calls that are broken off before their answer are held at what they may have cost", async () => {
  const asked = createListener();
  const { world, bodies } = await worldWith(() => void asked.emit("asked"), { usd: 0.1 });
  // 5,000 tokens of answer are $0.04: two fit, and what is left of the third is bounded by it.
  const body = { model: "scripted", messages: [], max_tokens: 5_000 };
  let status = 0;
  let calls = 0;
  while (status !== 403 && calls < 10) {
    const reached = once(asked, "asked");
    const socket = await begin(world, CHAT, body);
    const refused = once(socket, "data").then(([chunk]) => statusOf((chunk as Buffer).toString()));
    const first = await Promise.race([reached.then(() => 0), refused]);
    status = first;
    socket.destroy();
    refused.catch(() => undefined);
    if (status === 0) await metered(world, ++calls);
  }
  expect(status).toBe(403);
  const allowed = bodies.reduce((sum, sent) => sum + Number(sent.max_tokens), 0);
  expect(allowed * 8).toBeLessThanOrEqual(0.1 * 1_000_000);
});

test("a stream that is broken off while it only thinks is held at what it can have thought in its time", async () => {
  let now = Date.now();
  const started = createListener();
  const { world, bodies } = await worldWith(
    (_body, res) => {
      res.writeHead(200, { "content-type": "text/event-stream" }).write(": thinking\n\n");
      started.emit("started");
    },
    { now: () => now, usd: 0.49 },
  );
  const body = { model: "scripted", messages: [], max_tokens: 30_000, stream: true };
  const breakOff = async (afterMs: number, count: number) => {
    const socket = await begin(world, CHAT, body);
    const [chunk] = (await once(socket, "data")) as [Buffer];
    expect(statusOf(chunk.toString())).toBe(200);
    now += afterMs;
    await world.client.lease();
    socket.destroy();
    await metered(world, count);
  };
  // Half a second: 250 tokens. The next may be as long as it likes.
  await breakOff(500, 1);
  const socket = await begin(world, CHAT, body);
  await once(socket, "data");
  expect(bodies.at(-1)?.max_tokens).toBe(30_000);
  socket.destroy();
  await metered(world, 2);
  // A minute: 30,000 tokens, $0.24 each. After two of them there is next to nothing.
  await breakOff(60_000, 3);
  await breakOff(60_000, 4);
  const refused = await call(world, CHAT, { ...body, max_tokens: 1_000 });
  expect(refused).toContain('"reason":"budget"');
});

test("a message that is broken off is charged at its text, not at the token it began with", async () => {
  const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
  const { world } = await worldWith((_body, res) => {
    res.writeHead(200, { "content-type": "text/event-stream" });
    res.write(event({ type: "message_start", message: { usage: { input_tokens: 900, output_tokens: 1 } } }));
    res.write(event({ type: "content_block_delta", delta: { type: "text_delta", text: "x".repeat(3_500) } }));
  });
  const body = { model: "claude-sonnet-4-5", max_tokens: 4_000, stream: true, messages: [] };
  const socket = await begin(world, MESSAGES, body);
  for (let seen = ""; !seen.includes("xxx"); ) seen += String(((await once(socket, "data")) as [Buffer])[0]);
  socket.destroy();
  const [line] = await metered(world, 1);
  expect(line).toMatchObject({ kind: "model", usage: { inputTokens: 900, outputTokens: 1_000 } });
});

test.each([
  [504, "a service that gave up waiting", 403],
  [503, "a service that is busy", 200],
])("%i, %s: the next call is answered %i", async (status, _name, next) => {
  let first = true;
  const { world } = await worldWith(
    (_body, res) => {
      res.writeHead(first ? status : 200, { "content-type": "application/json" });
      res.end(JSON.stringify(first ? {} : { usage: { prompt_tokens: 1, completion_tokens: 1 } }));
      first = false;
    },
    { usd: 0.083 },
  );
  const body = { model: "scripted", messages: [], max_tokens: 10_000 };
  expect(statusOf(await call(world, CHAT, body))).toBe(status);
  const answer = await call(world, CHAT, body);
  expect(statusOf(answer)).toBe(next);
});

test("a whole answer of a service that never counts is charged at its text, and holds nothing", async () => {
  const { world } = await worldWith(
    (_body, res) => void res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ a: "b" })),
    { usd: 0.1 },
  );
  const body = { model: "scripted", messages: [], max_tokens: 10_000 };
  for (let i = 0; i < 20; i += 1) expect(statusOf(await call(world, CHAT, body))).toBe(200);
  expect(await world.client.usage("r")).toMatchObject({ calls: 20, outputTokens: 60 });
});

const USAGE = JSON.stringify({ answer: "fine", usage: { prompt_tokens: 11, completion_tokens: 5 } });
const STREAM = `data: ${JSON.stringify({ choices: [{ delta: { content: "fine" } }] })}\n\ndata: ${USAGE}\n\ndata: [DONE]\n\n`;

test.each([
  ["gzip", gzipSync, USAGE, false],
  ["br", brotliCompressSync, USAGE, false],
  ["gzip", gzipSync, STREAM, true],
  ["identity", (bytes: Buffer) => bytes, STREAM, true],
])("an answer coded as %s is metered and passed on in plain bytes", async (coding, code, plain, stream) => {
  const { world } = await worldWith((_body, res) => {
    const type = stream ? "text/event-stream" : "application/json";
    res.writeHead(200, { "content-type": type, "content-encoding": coding }).end(code(Buffer.from(plain)));
  });
  const answer = await call(world, CHAT, { model: "scripted", messages: [], stream });
  expect(answer).toContain("fine");
  expect(answer.toLowerCase()).not.toContain("content-encoding");
  expect(await world.client.usage("r")).toMatchObject({ inputTokens: 11, outputTokens: 5 });
});

test("an answer in a coding that cannot be read is not passed on", async () => {
  const { world } = await worldWith((_body, res) => {
    res.writeHead(200, { "content-type": "text/event-stream", "content-encoding": "rot13" }).end("svar");
  });
  const answer = await call(world, CHAT, { model: "scripted", messages: [] });
  expect(statusOf(answer)).toBe(502);
  expect(answer).not.toContain("svar");
});

test("the real key does not come back, neither in an error nor in a stream, a header or a list of models", async () => {
  const { world } = await worldWith((body, res) => {
    const type = body.stream === true ? "text/event-stream" : "application/json";
    res.writeHead(body.stream === true ? 200 : 400, { "content-type": type, "x-request-id": `for-${KEY}` });
    res.write(`data: {"you sent": "Bearer ${KEY.slice(0, 9)}`);
    setImmediate(() => res.end(`${KEY.slice(9)}"}\n\n`));
  });
  const body = { model: "scripted", messages: [] };
  for (const answer of [
    await call(world, CHAT, body),
    await call(world, CHAT, { ...body, stream: true }),
    await call(world, "/model/anthropic/v1/messages/count_tokens", body),
  ]) {
    expect(answer).toContain("[secret:model]");
    expect(answer).not.toContain(KEY);
  }
});

test("a client that does not read is cut when it has not for long, and its call is billed", async () => {
  const piece = `data: ${JSON.stringify({ choices: [{ delta: { content: "x".repeat(35_000) } }] })}\n\n`;
  const much = Buffer.from(piece.repeat(120));
  const { world } = await worldWith(
    (_body, res) => void res.writeHead(200, { "content-type": "text/event-stream" }).write(much),
    { limits: { modelIdleMs: 500 }, usd: 1_000 },
  );
  const socket = await begin(world, CHAT, { model: "scripted", messages: [], stream: true, max_tokens: 10_000_000 });
  socket.pause();
  const [line] = await metered(world, 1);
  expect(line).toMatchObject({ kind: "model", usage: { calls: 1 } });
  socket.destroy();
});

test("a call whose line cannot be written ends as refused, and no other goes out before it is", async () => {
  const { world, bodies } = await worldWith(
    (_body, res) => void res.writeHead(200, { "content-type": "text/event-stream" }).end(STREAM),
    {
      before: (stateDir) => symlink("/dev/full", path.join(stateDir, "audit.jsonl")),
    },
  );
  const body = { model: "scripted", messages: [], stream: true };
  const first = await call(world, CHAT, body);
  expect(first).toContain('"code":"fail_closed"');
  const second = await call(world, CHAT, body);
  expect(statusOf(second)).toBe(403);
  expect(second).toContain('"reason":"fail_closed"');
  expect(bodies.length).toBe(1);
});

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "vitest";
import { costOf } from "#gateway/model/prices.ts";
import { bareGrant, hashOf } from "#test/contracts/gateway.ts";
import { readAll } from "./wire.ts";
import { makeWorld, type World } from "./world.ts";

type Json = Record<string, unknown>;

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const number = (value: unknown): number | null => (typeof value === "number" ? value : null);

/** As many tokens as a service would give that looks at its own dialect's bound only; without one, a hundred thousand. */
const LIMITS: Readonly<Record<string, (body: Json) => number>> = {
  "/v1/chat/completions": (body) =>
    (number(body.max_completion_tokens) ?? number(body.max_tokens) ?? 100_000) * (number(body.n) ?? 1),
  "/v1/responses": (body) => number(body.max_output_tokens) ?? 100_000,
  "/v1/messages": (body) => number(body.max_tokens) ?? 100_000,
};

function usageOf(path: string, input: number, output: number): Json {
  if (path === "/v1/chat/completions") return { prompt_tokens: input, completion_tokens: output };
  if (path === "/v1/responses") return { input_tokens: input, output_tokens: output };
  return { input_tokens: 0, cache_creation_input_tokens: input, output_tokens: output };
}

/** The last events of a stream whose every output token was hidden reasoning. */
function streamed(path: string, usage: Json): string {
  const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
  if (path === "/v1/chat/completions") return event({ choices: [], usage });
  if (path === "/v1/responses") return event({ type: "response.completed", response: { usage } });
  return (
    event({ type: "message_start", message: { usage: { ...usage, output_tokens: 1 } } }) +
    event({ type: "message_delta", usage })
  );
}

/** Answers with the most that it was allowed, of which nothing shows, and counts one token per byte it was sent. */
async function dearest(): Promise<{ url: string; bodies: Json[] }> {
  const bodies: Json[] = [];
  const server = createServer((req, res) => {
    void text(req).then((sent) => {
      const path = req.url ?? "";
      const body = JSON.parse(sent) as Json;
      bodies.push(body);
      const usage = usageOf(path, Buffer.byteLength(sent), LIMITS[path]?.(body) ?? 0);
      res.writeHead(200, { "content-type": body.stream === true ? "text/event-stream" : "application/json" });
      res.end(body.stream === true ? streamed(path, usage) : JSON.stringify({ usage }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(async () => {
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

async function worldOf(budget: { usd: number; tokens: number }): Promise<{ world: World; bodies: Json[] }> {
  const { url, bodies } = await dearest();
  const models = { openai: { baseUrl: `${url}/v1`, key: null }, anthropic: { baseUrl: url, key: null } };
  const world = await makeWorld({ config: { models } });
  open.push(() => world.close());
  await world.client.grant(bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), models: ["*"], budget }));
  return { world, bodies };
}

async function call(world: World, path: string, body: Json): Promise<{ status: number; answer: string }> {
  const socket = await world.open("s");
  const json = JSON.stringify(body);
  const head = [`POST ${path} HTTP/1.1`, "Host: gateway", "x-api-key: tok", "Connection: close"];
  socket.write(`${[...head, `Content-Length: ${Buffer.byteLength(json)}`].join("\r\n")}\r\n\r\n${json}`);
  const answer = (await readAll(socket)).toString("utf8");
  return { status: Number(answer.split(" ")[1]), answer };
}

const CHAT = "/model/openai/v1/chat/completions";
const RESPONSES = "/model/openai/v1/responses";
const MESSAGES = "/model/anthropic/v1/messages";
const said = [{ role: "user", content: "hello" }];

const CALLS: readonly (readonly [string, string, Json])[] = [
  ["a chat answer in JSON, without a bound", CHAT, { model: "gpt-5", messages: said }],
  ["a chat stream that only reasons", CHAT, { model: "gpt-5", messages: said, stream: true }],
  [
    "the smaller of two bounds first",
    CHAT,
    { model: "gpt-4o", messages: said, max_tokens: 10, max_completion_tokens: 100_000 },
  ],
  ["another dialect's bound on chat", CHAT, { model: "gpt-4o", messages: said, max_output_tokens: 1 }],
  ["several answers at once", CHAT, { model: "gpt-4o", messages: said, n: 5, max_tokens: 2_000 }],
  ["a bound written as text", CHAT, { model: "gpt-4o", messages: said, max_tokens: "100000" }],
  ["a bound below nothing", CHAT, { model: "gpt-4o", messages: said, max_tokens: -1 }],
  ["an answer of Responses in JSON, without a bound", RESPONSES, { model: "gpt-5", input: "hello" }],
  ["a stream of Responses with chat's bound", RESPONSES, { model: "gpt-5", input: said, stream: true, max_tokens: 5 }],
  ["a message in JSON, without a bound", MESSAGES, { model: "claude-sonnet-4-5", messages: said }],
  [
    "a stream of messages with another dialect's bound",
    MESSAGES,
    { model: "claude-opus-4-5", messages: said, stream: true, max_completion_tokens: 3 },
  ],
  [
    "a long text that looks like an inlined image",
    CHAT,
    { model: "gpt-4o", max_tokens: 100, messages: [{ role: "user", content: "QUJD".repeat(20_000) }] },
  ],
  ["a model that nobody knows", CHAT, { model: "brand-new", messages: said }],
];

test.each(CALLS)(
  "%s: twenty calls at once, each answered with all it was allowed, stay within the budget",
  async (_name, path, body) => {
    const budget = 0.5;
    const { world, bodies } = await worldOf({ usd: budget, tokens: 10_000_000 });
    const answers = await Promise.all(Array.from({ length: 20 }, () => call(world, path, body)));
    for (const { status } of answers) expect([200, 403]).toContain(status);
    expect(bodies.length).toBeGreaterThan(0);
    const spent = await world.client.usage("r");
    expect(spent.usd).toBeLessThanOrEqual(budget * 1.02);
  },
);

test.each(CALLS)("%s: the tokens of the budget hold as its money does", async (_name, path, body) => {
  const budget = 100_000;
  const { world } = await worldOf({ usd: 10_000, tokens: budget });
  await Promise.all(Array.from({ length: 20 }, () => call(world, path, body)));
  const spent = await world.client.usage("r");
  expect(spent.inputTokens + spent.outputTokens).toBeLessThanOrEqual(budget * 1.02);
});

test("what a call may cost is written into the body that goes out, in its dialect's field and in no other", async () => {
  const { world, bodies } = await worldOf({ usd: 100, tokens: 10_000_000 });
  const limits = {
    max_tokens: 10,
    max_completion_tokens: 300,
    max_output_tokens: 700,
    n_predict: 5,
    min_tokens: 9_000,
  };
  await call(world, CHAT, { model: "gpt-5", messages: said, ...limits });
  await call(world, CHAT, { model: "qwen", messages: said, ...limits });
  await call(world, RESPONSES, { model: "gpt-5", input: "hello", n: 4, ...limits });
  await call(world, MESSAGES, { model: "claude-sonnet-4-5", messages: said, n: 4, ...limits });
  expect(bodies).toEqual([
    { model: "gpt-5", messages: said, stream: false, max_completion_tokens: 300 },
    { model: "qwen", messages: said, stream: false, max_tokens: 300 },
    { model: "gpt-5", input: "hello", stream: false, max_output_tokens: 700 },
    { model: "claude-sonnet-4-5", messages: said, stream: false, max_tokens: 10 },
  ]);
});

test("a conversation that grows is held at what it was counted at, and only its new words at their length", async () => {
  // Held at a token a byte the second call could not be paid; the first was counted at a tenth of that.
  const long = "word ".repeat(20_000);
  const counted = 25_000;
  const server = createServer((req, res) => {
    void text(req).then(() => {
      const usage = { prompt_tokens: counted, completion_tokens: 10 };
      res.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ usage }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  open.push(() => new Promise<void>((resolve) => void server.close(() => resolve())));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const world = await makeWorld({ config: { models: { openai: { baseUrl, key: null }, anthropic: null } } });
  open.push(() => world.close());
  const first = costOf("scripted", { input: counted, cached: 0, cacheWrite: 0, output: 10 });
  const budget = { usd: 0.21 + first, tokens: 10_000_000 };
  await world.client.grant(bareGrant({ sandbox: "s", run: "r", tokenHash: hashOf("tok"), models: ["*"], budget }));
  const messages = [{ role: "user", content: long }];
  const more = [...messages, { role: "assistant", content: "done" }, { role: "user", content: "go on" }];
  const other = [{ role: "user", content: `${long}!` }];
  for (const turn of [messages, more, more]) {
    expect((await call(world, CHAT, { model: "scripted", max_tokens: 200, messages: turn })).status).toBe(200);
  }
  const refused = await call(world, CHAT, { model: "scripted", max_tokens: 200, messages: other });
  expect(refused.status).toBe(403);
  expect(refused.answer).toContain('"reason":"budget"');
});

test.each([
  "/model/openai/v1/embeddings",
  "/model/openai/v1/completions",
  "/model/openai/v1/images/generations",
  "/model/openai/v1/audio/speech",
  "/model/openai/v1/moderations",
  "/model/openai/v1/responses/compact",
  "/model/anthropic/v1/complete",
])("%s has no price and is not served", async (path) => {
  const { world, bodies } = await worldOf({ usd: 1, tokens: 1_000 });
  expect((await call(world, path, { model: "gpt-4o", input: "hello" })).status).toBe(403);
  expect(bodies).toEqual([]);
});

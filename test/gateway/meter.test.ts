import { expect, test } from "vitest";
import { estimateInput, type ModelCall, outgoingBody, reachesOut, readCall } from "#gateway/model/call.ts";
import { openLedger } from "#gateway/model/ledger.ts";
import { bodyMeter, type ModelApi, streamMeter } from "#gateway/model/meter.ts";
import { costOf, priceOf } from "#gateway/model/prices.ts";
import { openPurse } from "#gateway/model/purse.ts";
import type { Grant } from "#ports/gateway.ts";
import { bareGrant } from "#test/contracts/gateway.ts";

const event = (value: unknown) => `event: x\ndata: ${JSON.stringify(value)}\n\n`;

const STREAMS: [ModelApi, string, object][] = [
  [
    "chat",
    event({ choices: [{ delta: { content: "héllo" } }] }) +
      event({
        choices: [],
        usage: { prompt_tokens: 1100, completion_tokens: 51, prompt_tokens_details: { cached_tokens: 400 } },
      }),
    { input: 1100, cached: 400, cacheWrite: 0, output: 51 },
  ],
  [
    "responses",
    event({ type: "response.output_text.delta", delta: "hello" }) +
      event({
        type: "response.completed",
        response: { usage: { input_tokens: 1000, output_tokens: 50, input_tokens_details: { cached_tokens: 400 } } },
      }),
    { input: 1000, cached: 400, cacheWrite: 0, output: 50 },
  ],
  [
    "messages",
    event({
      type: "message_start",
      message: {
        usage: { input_tokens: 600, cache_read_input_tokens: 400, cache_creation_input_tokens: 100, output_tokens: 1 },
      },
    }) +
      event({ type: "content_block_delta", delta: { type: "text_delta", text: "hello" } }) +
      event({ type: "message_delta", delta: { stop_reason: "end_turn" }, usage: { output_tokens: 50 } }),
    { input: 1100, cached: 400, cacheWrite: 100, output: 50 },
  ],
];

test.each(STREAMS)("usage of a %s stream is read whatever the chunk borders", (api, stream, wanted) => {
  const bytes = Buffer.from(stream);
  for (const size of [1, 3, 50, bytes.length]) {
    const meter = streamMeter(api);
    for (let at = 0; at < bytes.length; at += size) meter.push(bytes.subarray(at, at + size));
    expect(meter.usage()).toEqual(wanted);
    expect(meter.outputFloor()).toBeGreaterThan(0);
  }
});

test("a stream that ends without usage has none, and its text is the floor", () => {
  const meter = streamMeter("chat");
  meter.push(Buffer.from(event({ choices: [{ delta: { content: "x".repeat(350) } }] })));
  expect(meter.usage()).toBeNull();
  expect(meter.outputFloor()).toBe(100);
});

test("junk between events is passed over", () => {
  const meter = streamMeter("chat");
  meter.push(Buffer.from("data: [DONE]\n\ndata: {broken\n\n: comment\ndata: 7\n\n"));
  expect(meter.usage()).toBeNull();
});

test("a JSON answer is read whole", () => {
  const meter = bodyMeter("messages");
  meter.push(Buffer.from('{"usage":{"input_tokens":10,'));
  meter.push(Buffer.from('"output_tokens":5}}'));
  expect(meter.usage()).toEqual({ input: 10, cached: 0, cacheWrite: 0, output: 5 });
});

test("a model that the table does not know costs as much as the dearest", () => {
  const unknown = priceOf("brand-new");
  for (const name of ["claude-opus-4-1", "gpt-5", "scripted", "o3"]) {
    expect(unknown.input).toBeGreaterThanOrEqual(priceOf(name).input);
    expect(unknown.output).toBeGreaterThanOrEqual(priceOf(name).output);
  }
});

test("cached input is charged as such", () => {
  const tokens = { input: 1_000_000, cached: 1_000_000, cacheWrite: 0, output: 0 };
  expect(costOf("claude-sonnet-4-5", tokens)).toBeCloseTo(0.3);
  expect(costOf("openai/gpt-4.1", { ...tokens, cached: 0 })).toBeCloseTo(2);
});

const call = (body: object, api: ModelApi = "chat") => readCall(api, Buffer.from(JSON.stringify(body))) as ModelCall;

test("a body that is no object with a model name is no call", () => {
  for (const text of ["", "[]", "{}", '{"model":""}', '{"model":7}', "nonsense"]) {
    expect(readCall("chat", Buffer.from(text))).toBeNull();
  }
});

test("usage is asked for in a chat stream even where the client said not to", () => {
  const body = JSON.parse(
    outgoingBody(call({ model: "m", stream: true, stream_options: { include_usage: false } }), null),
  );
  expect(body.stream_options).toEqual({ include_usage: true });
});

test("a bound on the answer goes where the dialect has it", () => {
  expect(JSON.parse(outgoingBody(call({ model: "m" }, "responses"), 7))).toMatchObject({ max_output_tokens: 7 });
  expect(JSON.parse(outgoingBody(call({ model: "m", max_completion_tokens: 90 }), 7))).toMatchObject({
    max_completion_tokens: 7,
  });
  expect(JSON.parse(outgoingBody(call({ model: "m", max_tokens: 90 }, "messages"), 7))).toMatchObject({
    max_tokens: 7,
  });
});

test.each([
  ["a server-side fetch tool", { tools: [{ type: "web_fetch_20250910" }] }],
  ["a server-side search tool", { tools: [{ type: "web_search_preview" }] }],
  ["a remote MCP server", { mcp_servers: [{ url: "https://x" }] }],
  ["an MCP tool", { tools: [{ type: "mcp", server_url: "https://x" }] }],
  ["search options", { web_search_options: {} }],
  ["an image by URL", { messages: [{ content: [{ type: "image_url", image_url: { url: "https://x/y.png" } }] }] }],
  ["a document by URL", { messages: [{ content: [{ type: "document", source: { type: "url", url: "https://x" } }] }] }],
  ["an uploaded file", { input: [{ content: [{ type: "input_file", file_id: "file-1" }] }] }],
  [
    "an image inside a tool result",
    { messages: [{ content: [{ type: "tool_result", content: [{ source: { type: "url" } }] }] }] },
  ],
])("%s makes the provider reach out", (_name, body) => {
  expect(reachesOut(call({ model: "m", ...body }))).not.toBeNull();
});

test.each([
  [
    "a function tool",
    {
      tools: [
        { type: "function", function: { name: "bash" } },
        { name: "edit", input_schema: {} },
      ],
    },
  ],
  [
    "an inlined image",
    { messages: [{ content: [{ type: "image_url", image_url: { url: "data:image/png;base64,AA" } }] }] },
  ],
  ["plain text", { messages: [{ role: "user", content: "https://x/y.png" }] }],
])("%s does not", (_name, body) => {
  expect(reachesOut(call({ model: "m", ...body }))).toBeNull();
});

test("an inlined image is estimated as an image, not as its text", () => {
  const image = `data:image/png;base64,${"A".repeat(1_000_000)}`;
  expect(estimateInput(call({ model: "m", messages: [{ content: [{ image_url: { url: image } }] }] }))).toBeLessThan(
    3_000,
  );
});

const grant = (usd: number, tokens = 1_000_000): Grant =>
  bareGrant({ sandbox: "s", run: "r", budget: { usd, tokens } });

test("calls under way hold their share, so that many at once cannot spend more than there is", () => {
  const ledger = openLedger();
  const one = () => openPurse(ledger, grant(0.025), call({ model: "scripted", max_tokens: 1_000 }));
  const purses = Array.from({ length: 10 }, one);
  // Three whole answers, and a fourth bounded by what is left.
  expect(purses.filter((purse) => purse && purse.maxOutput === null).length).toBe(3);
  expect(purses.filter((purse) => purse && purse.maxOutput !== null).length).toBeLessThanOrEqual(1);
  for (const purse of purses) purse?.release();
  expect(one()?.maxOutput).toBeNull();
});

test("the token budget holds as the money does", () => {
  expect(openPurse(openLedger(), grant(100, 50), call({ model: "scripted", max_tokens: 1_000 }))).toBeNull();
});

test("an answer may grow while there is money, and no further", () => {
  const ledger = openLedger();
  const purse = openPurse(ledger, grant(0.1), call({ model: "scripted" }));
  expect(purse?.grow(8_000)).toBe(true);
  expect(purse?.grow(12_000)).toBe(true);
  expect(purse?.grow(13_000)).toBe(false);
});

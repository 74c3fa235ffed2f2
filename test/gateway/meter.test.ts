import { expect, test } from "vitest";
import type { ModelApi } from "#gateway/model/dialect.ts";
import { bodyMeter, streamMeter } from "#gateway/model/meter.ts";
import { costOf, priceOf, pricesFor } from "#gateway/model/prices.ts";

const event = (value: unknown) => `event: x\ndata: ${JSON.stringify(value)}\n\n`;

const STREAMS: [ModelApi, string, object][] = [
  [
    "chat",
    event({ choices: [{ delta: { content: "héllo" } }] }) +
      event({
        choices: [],
        usage: { prompt_tokens: 1100, completion_tokens: 51, prompt_tokens_details: { cached_tokens: 400 } },
      }),
    { input: 1100, cached: 400, output: 51 },
  ],
  [
    "responses",
    event({ type: "response.output_text.delta", delta: "hello" }) +
      event({
        type: "response.completed",
        response: { usage: { input_tokens: 1000, output_tokens: 50, input_tokens_details: { cached_tokens: 400 } } },
      }),
    { input: 1000, cached: 400, output: 50 },
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
    expect(meter.counted()).toEqual(wanted);
    expect(meter.outputFloor()).toBeGreaterThan(0);
  }
});

test("a stream that ends without usage has none, and its text is the floor", () => {
  const meter = streamMeter("chat");
  meter.push(Buffer.from(event({ choices: [{ delta: { content: "x".repeat(350) } }] })));
  expect(meter.counted()).toEqual({});
  expect(meter.outputFloor()).toBe(100);
});

test("junk between events is passed over", () => {
  const meter = streamMeter("chat");
  meter.push(Buffer.from("data: [DONE]\n\ndata: {broken\n\n: comment\ndata: 7\n\n"));
  expect(meter.counted()).toEqual({});
});

test("a JSON answer is read whole", () => {
  const meter = bodyMeter("messages");
  meter.push(Buffer.from('{"usage":{"input_tokens":10,'));
  meter.push(Buffer.from('"output_tokens":5}}'));
  expect(meter.counted()).toEqual({ input: 10, output: 5 });
});

const countedIn = (api: ModelApi, text: string, size = text.length) => {
  const meter = streamMeter(api);
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += size) meter.push(bytes.subarray(at, at + size));
  return meter.counted();
};

const LAST = JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } });

test.each([
  ["no line's end behind it", `data: ${LAST}`],
  ["CR as its line's end", `data: {}\r\rdata: ${LAST}\r\r`],
  ["CR and LF", `data: {}\r\n\r\ndata: ${LAST}\r\n\r\n`],
  ["its data in several lines", `data: ${LAST.slice(0, 14)}\ndata: ${LAST.slice(14)}\n\n`],
  ["its data in several lines with CR and LF", `data: ${LAST.slice(0, 14)}\r\ndata: ${LAST.slice(14)}\r\n\r\n`],
  ["an event without counts after it", `data: ${LAST}\n\ndata: {"usage":{}}\n\ndata: {"usage":{"total_tokens":0}}\n\n`],
  ["a smaller count after it", `data: ${LAST}\n\ndata: {"usage":{"prompt_tokens":0,"completion_tokens":0}}\n\n`],
])("a count with %s is read, whatever the chunk borders", (_name, text) => {
  for (const size of [1, 2, 7, text.length]) expect(countedIn("chat", text, size)).toEqual({ input: 7, output: 3 });
});

test("what a message says of its answer at the start is no count of it", () => {
  const start = event({ type: "message_start", message: { usage: { input_tokens: 600, output_tokens: 1 } } });
  expect(countedIn("messages", start)).toEqual({ input: 600 });
});

test("blanks before a JSON answer do not hide its count", () => {
  const meter = bodyMeter("chat");
  meter.push(Buffer.from(`\n\n   ${LAST}\n`));
  expect(meter.counted()).toEqual({ input: 7, output: 3 });
});

test("the dialect's own words are no text of the model", () => {
  const meter = streamMeter("messages");
  for (let i = 0; i < 100; i += 1) {
    meter.push(Buffer.from(event({ type: "content_block_delta", delta: { type: "text_delta", text: "abc" } })));
    meter.push(Buffer.from(event({ type: "content_block_delta", delta: { type: "signature_delta", signature: "x" } })));
  }
  expect(meter.outputSeen()).toBe(300);
});

test("what is kept in the cache for an hour is charged at twice the price of input", () => {
  const usage = {
    input_tokens: 0,
    cache_creation_input_tokens: 1_000_000,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 1_000_000 },
    output_tokens: 0,
  };
  const meter = bodyMeter("messages");
  meter.push(Buffer.from(JSON.stringify({ usage })));
  const counted = { cached: 0, cacheWrite: 0, input: 0, output: 0, ...meter.counted() };
  expect(costOf("claude-sonnet-4-5", counted)).toBeCloseTo(6);
  expect(costOf("claude-sonnet-4-5", { ...counted, cacheHour: 0 })).toBeCloseTo(3.75);
});

test("a model that the table does not know costs as much as the dearest", () => {
  const unknown = priceOf("brand-new", 0);
  for (const name of ["claude-opus-4-1", "gpt-5", "gpt-5.5-pro", "scripted", "o3"]) {
    expect(unknown.input).toBeGreaterThanOrEqual(priceOf(name, 0).input);
    expect(unknown.output).toBeGreaterThanOrEqual(priceOf(name, 0).output);
  }
});

test.each([
  ["o3-pro", "o3"],
  ["o3-deep-research", "o3"],
  ["o1-pro", "brand-new"],
  ["gpt-4.5-preview", "gpt-5.5"],
  ["gpt-5.5", "gpt-5.4"],
  ["gpt-5.4-mini", "gpt-5-mini"],
  ["gpt-5.9", "gpt-5.5-pro"],
  ["anthropic/claude-opus-4.1", "anthropic/claude-opus-4.5"],
  ["anthropic/claude-opus-4", "anthropic/claude-opus-4.5"],
  ["claude-opus-4-20250514", "claude-opus-4-5"],
  ["claude-opus-9", "claude-opus-4-5"],
])("%s does not pass for the cheaper %s", (dear, cheap) => {
  const [one, other] = [priceOf(dear, 0), priceOf(cheap, 0)];
  expect(one.output).toBeGreaterThanOrEqual(other.output);
  expect(one.input + one.output).toBeGreaterThanOrEqual(other.input + other.output);
});

test("a long input is dearer where the vendor says so, and so is the answer to it", () => {
  const tokens = { input: 300_000, cached: 0, cacheWrite: 0, output: 10_000 };
  expect(costOf("gpt-5.5", tokens)).toBeCloseTo(0.3 * 10 + 0.01 * 45);
  expect(costOf("gpt-5.5", { ...tokens, input: 272_000 })).toBeCloseTo(0.272 * 5 + 0.01 * 30);
  expect(costOf("gpt-4.1", tokens)).toBeCloseTo(0.3 * 2 + 0.01 * 8);
});

test("a call of a model that the table does not know says that it was charged as the dearest", () => {
  expect(pricesFor("brand-new")).toBe("2026-11-21, dearest: not in the table");
  expect(pricesFor("openai/gpt-5")).toBe("2026-11-21");
});

test("cached input is charged as such", () => {
  const tokens = { input: 1_000_000, cached: 1_000_000, cacheWrite: 0, output: 0 };
  expect(costOf("claude-sonnet-4-5", tokens)).toBeCloseTo(0.3);
  expect(costOf("openai/gpt-4.1", { ...tokens, cached: 0 })).toBeCloseTo(2);
});

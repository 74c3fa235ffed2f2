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

test("a call of a model that the table does not know says that it was charged as the dearest", () => {
  expect(pricesFor("brand-new")).toBe("2026-11-21, dearest: not in the table");
  expect(pricesFor("openai/gpt-5")).toBe("2026-11-21");
});

test("cached input is charged as such", () => {
  const tokens = { input: 1_000_000, cached: 1_000_000, cacheWrite: 0, output: 0 };
  expect(costOf("claude-sonnet-4-5", tokens)).toBeCloseTo(0.3);
  expect(costOf("openai/gpt-4.1", { ...tokens, cached: 0 })).toBeCloseTo(2);
});

import { expect, test } from "vitest";
import { type ModelCall, readCall } from "#gateway/model/call.ts";
import type { ModelApi } from "#gateway/model/dialect.ts";
import { conversationOf, inputTokens } from "#gateway/model/input.ts";
import { openLedger } from "#gateway/model/ledger.ts";
import { openPurse, shortOf } from "#gateway/model/purse.ts";
import type { Grant } from "#ports/gateway.ts";
import { bareGrant } from "#test/contracts/gateway.ts";

const call = (body: object, api: ModelApi = "chat") => readCall(api, Buffer.from(JSON.stringify(body))) as ModelCall;
const most = (body: object, api: ModelApi = "chat", counted = new Map<string, number>()) =>
  inputTokens(conversationOf(call(body, api)), counted).most;
const grant = (usd: number, tokens = 1_000_000): Grant =>
  bareGrant({ sandbox: "s", run: "r", budget: { usd, tokens } });

test("a text is held at a token a byte, whatever it looks like", () => {
  for (const content of ["QUJD".repeat(10_000), `data:image/png;base64,${"A".repeat(40_000)}`, "é".repeat(20_000)]) {
    expect(most({ model: "m", messages: [{ role: "user", content }] })).toBeGreaterThanOrEqual(40_000);
    expect(most({ model: "m", messages: [], tools: [{ function: { url: content } }] })).toBeGreaterThanOrEqual(40_000);
    const parts = [{ type: "text", text: content }];
    expect(most({ model: "m", messages: [{ role: "user", content: parts }] })).toBeGreaterThanOrEqual(40_000);
  }
});

const data = "A".repeat(1_000_000);
const PICTURES: readonly (readonly [ModelApi, object])[] = [
  ["chat", { messages: [{ content: [{ type: "image_url", image_url: { url: `data:image/png;base64,${data}` } }] }] }],
  ["responses", { input: [{ output: [{ type: "input_image", image_url: `data:image/png;base64,${data}` }] }] }],
  [
    "messages",
    {
      messages: [
        {
          content: [
            {
              type: "tool_result",
              content: [{ type: "image", source: { type: "base64", media_type: "image/png", data } }],
            },
          ],
        },
      ],
    },
  ],
];

test.each(PICTURES)("an inlined picture of %s is held as a picture, not as its text", (api, body) => {
  const size = inputTokens(conversationOf(call({ model: "m", ...body }, api)), new Map());
  expect(size.most).toBeLessThan(12_000);
  expect(size.likely).toBeLessThan(3_000);
});

test("what is said beside a picture is held at its length", () => {
  const picture = { type: "image_url", image_url: { url: "data:image/png;base64,AA" }, text: "x".repeat(50_000) };
  expect(most({ model: "m", messages: [{ content: [picture] }] })).toBeGreaterThan(60_000);
});

test("what was counted before is held at its count, as long as it is the beginning of the same conversation", () => {
  const ledger = openLedger();
  const first = { role: "user", content: [{ type: "text", text: "x".repeat(10_000) }] };
  const marked = {
    role: "user",
    content: [{ type: "text", text: "x".repeat(10_000), cache_control: { type: "ephemeral" } }],
  };
  const purse = openPurse(ledger, grant(1), call({ model: "scripted", max_tokens: 9, messages: [marked] }, "messages"));
  purse?.learn(500);
  const again = (body: object) => most({ model: "scripted", max_tokens: 9, ...body }, "messages", ledger.counted("r"));
  const next = { role: "user", content: "go on" };
  expect(again({ messages: [first, next] })).toBeLessThan(2_000);
  expect(again({ messages: [next, first] })).toBeGreaterThan(10_000);
  expect(again({ messages: [first, next], system: "other" })).toBeGreaterThan(10_000);
  expect(again({ model: "claude-opus-4-5", messages: [first, next] })).toBeGreaterThan(10_000);
});

test("a mark inside a tool's arguments is a text like any other", () => {
  const ledger = openLedger();
  const turn = (text: string) => ({
    role: "assistant",
    content: [{ type: "tool_use", id: "t", name: "n", input: { cache_control: text } }],
  });
  openPurse(ledger, grant(1), call({ model: "scripted", messages: [turn("")] }, "messages"))?.learn(20);
  const other = { model: "scripted", messages: [turn("x".repeat(10_000))] };
  expect(most(other, "messages", ledger.counted("r"))).toBeGreaterThan(10_000);
});

test("calls under way hold their share, so that many at once cannot spend more than there is", () => {
  const ledger = openLedger();
  const one = () => openPurse(ledger, grant(0.035), call({ model: "scripted", max_tokens: 1_000 }));
  const purses = Array.from({ length: 10 }, one);
  // Three whole answers, a fourth bounded by what is left, and then nothing.
  expect(purses.slice(0, 3).map((purse) => purse?.maxOutput)).toEqual([1_000, 1_000, 1_000]);
  expect(purses[3]?.maxOutput ?? 64).toBeLessThan(1_000);
  expect(purses.slice(4)).toEqual([null, null, null, null, null, null]);
});

test("an answer whose length nobody asked for is bounded all the same, and longer where a model thinks", () => {
  expect(openPurse(openLedger(), grant(100), call({ model: "scripted" }))?.maxOutput).toBe(8_192);
  expect(openPurse(openLedger(), grant(100), call({ model: "gpt-5" }))?.maxOutput).toBe(32_768);
  expect(openPurse(openLedger(), grant(0.05), call({ model: "gpt-5" }))?.maxOutput).toBeLessThan(8_192);
});

test("the token budget holds as the money does", () => {
  expect(openPurse(openLedger(), grant(100, 50), call({ model: "scripted", max_tokens: 1_000 }))).toBeNull();
});

test("who cannot pay is told what is left, what is held, and that a price is not known", () => {
  const ledger = openLedger();
  openPurse(ledger, grant(0.5), call({ model: "scripted", max_tokens: 50_000 }));
  const words = shortOf(ledger, grant(0.5), call({ model: "brand-new" }));
  expect(words).toMatch(/left of \$0\.5000 and 1000000: \$0\.0000 is spent, \$0\.40\d\d is held for other calls/);
  expect(words).toContain('No price is known for "brand-new"');
});

test("an answer may grow while there is money, and no further", () => {
  const ledger = openLedger();
  const purse = openPurse(ledger, grant(0.1), call({ model: "scripted" }));
  expect(purse?.grow(8_000)).toBe(true);
  expect(purse?.grow(12_000)).toBe(true);
  expect(purse?.grow(13_000)).toBe(false);
});

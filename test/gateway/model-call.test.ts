import { expect, test } from "vitest";
import { type ModelCall, outgoingBody, readCall } from "#gateway/model/call.ts";
import type { ModelApi } from "#gateway/model/dialect.ts";
import { reachesOut } from "#gateway/model/reach.ts";

const call = (body: object, api: ModelApi = "chat") => readCall(api, Buffer.from(JSON.stringify(body))) as ModelCall;

test("a body that is no object with a model name is no call", () => {
  for (const text of ["", "[]", "{}", '{"model":""}', '{"model":7}', "nonsense"]) {
    expect(readCall("chat", Buffer.from(text))).toBeNull();
  }
});

test("a count of answers that servers may read differently is no call", () => {
  for (const n of [0, -1, 1.5, "3", 1e300, [2]]) {
    expect(readCall("chat", Buffer.from(JSON.stringify({ model: "m", n })))).toBeNull();
  }
  expect(call({ model: "m", n: null }).answers).toBe(1);
  expect(call({ model: "m", n: 3 }).answers).toBe(3);
});

test("nesting that no honest request has is no call", () => {
  const deep = `{"model":"m","messages":${"[".repeat(5_000)}${"]".repeat(5_000)}}`;
  expect(readCall("chat", Buffer.from(deep))).toBeNull();
});

const sent = (asked: ModelCall, bound: number, openai = false) =>
  JSON.parse(outgoingBody(asked, bound, openai)) as Record<string, unknown>;

test("the bound that a client gives is the largest of those its dialect has, and of no other", () => {
  expect(call({ model: "m", max_tokens: 10, max_completion_tokens: 100_000 }).maxOutput).toBe(100_000);
  expect(call({ model: "m", max_output_tokens: 1 }).maxOutput).toBeNull();
  expect(call({ model: "m", max_output_tokens: 7, max_tokens: 900 }, "responses").maxOutput).toBe(7);
  expect(call({ model: "m", max_tokens: 9, max_completion_tokens: 900 }, "messages").maxOutput).toBe(9);
  for (const odd of [0, -1, "100", null]) expect(call({ model: "m", max_tokens: odd }).maxOutput).toBeNull();
});

test("the bound goes out in one field, the one that the service reads", () => {
  const both = { max_tokens: 90, max_completion_tokens: 90, max_output_tokens: 90 };
  const bounds = (asked: ModelCall, openai?: boolean) =>
    Object.entries(sent(asked, 7, openai)).filter(([name]) => name.startsWith("max_"));
  expect(bounds(call({ model: "m", ...both }))).toEqual([["max_tokens", 7]]);
  expect(bounds(call({ model: "m", ...both }), true)).toEqual([["max_completion_tokens", 7]]);
  expect(bounds(call({ model: "openai/gpt-5", ...both }))).toEqual([["max_completion_tokens", 7]]);
  expect(bounds(call({ model: "o3", ...both }, "responses"))).toEqual([["max_output_tokens", 7]]);
  expect(bounds(call({ model: "claude-x", ...both }, "messages"))).toEqual([["max_tokens", 7]]);
});

test("fields that the dialect does not have, or that cost otherwise, do not go out", () => {
  const odd = { service_tier: "priority", models: ["dearer"], n_predict: -1, options: { num_predict: -1 }, best_of: 9 };
  const messages = [{ role: "user", content: "hi" }];
  for (const api of ["chat", "messages"] as const) {
    expect(sent(call({ model: "m", messages, ...odd }, api), 7)).toEqual({
      model: "m",
      messages,
      stream: false,
      max_tokens: 7,
    });
  }
});

test("usage is asked for in a chat stream even where the client said not to", () => {
  const body = sent(call({ model: "m", stream: true, stream_options: { include_usage: false } }), 7);
  expect(body.stream_options).toEqual({ include_usage: true });
});

test("a budget for thinking stays below a bound that was lowered", () => {
  const thinking = { type: "enabled", budget_tokens: 10_000 };
  const asked = call({ model: "claude-x", max_tokens: 20_000, thinking }, "messages");
  expect(sent(asked, 20_000).thinking).toEqual(thinking);
  expect(sent(asked, 5_000).thinking).toEqual({ type: "enabled", budget_tokens: 4_999 });
  expect(sent(asked, 1_000).thinking).toEqual({ type: "disabled" });
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
  [
    "an image by URL in a tool's answer",
    { input: [{ output: [{ type: "input_image", image_url: "https://x/y.png" }] }] },
  ],
  ["a file by id in chat", { messages: [{ content: [{ type: "file", file: { file_id: "file-1" } }] }] }],
  ["a video by URL", { messages: [{ content: [{ type: "video_url", video_url: { url: "https://x/y.mp4" } }] }] }],
  [
    "an image in a document's content",
    { messages: [{ content: [{ source: { type: "content", content: [{ source: { type: "url" } }] } }] }] },
  ],
  ["an image by URL in the system's words", { system: [{ type: "image", source: { type: "url", url: "https://x" } }] }],
  ["a hosted shell", { tools: [{ type: "shell", environment: { type: "container_auto" } }] }],
  ["a tool of a kind that nobody knows", { tools: [{ type: "browse_20270101" }] }],
  ["a second model behind a tool", { tools: [{ type: "advisor_20260301", model: "dearer" }] }],
  ["a server-side tool in a namespace", { tools: [{ type: "namespace", tools: [{ type: "web_search" }] }] }],
  ["tools in a shape that is no list", { tools: { 0: { type: "web_search" } } }],
  ["a kept conversation", { previous_response_id: "resp_1" }],
  ["another kept conversation", { conversation: "conv_1" }],
  ["a kept prompt", { prompt: { id: "pmpt_1" } }],
  ["a kept turn", { input: [{ type: "item_reference", id: "msg_1" }] }],
  ["work that goes on unseen", { background: true }],
  ["a container that is kept", { container: "container_1" }],
  ["a model that searches", { model: "gpt-4o-search-preview" }],
  ["a router's search", { model: "openai/gpt-4o:online" }],
  [
    "sound, which has no price here",
    { messages: [{ content: [{ type: "input_audio", input_audio: { data: "AA" } }] }] },
  ],
])("%s makes the provider reach out, or work where nobody counts", (_name, body) => {
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
  [
    "a tool that the client runs",
    {
      tools: [
        { type: "bash_20250124", name: "bash" },
        { type: "custom", name: "apply" },
        { type: "local_shell" },
        { type: "shell", environment: { type: "local" } },
        { type: "namespace", tools: [{ type: "function", name: "f" }] },
      ],
    },
  ],
  [
    "a URL among a tool's arguments",
    { messages: [{ content: [{ type: "tool_use", input: { image_url: "https://x", file_id: "7" } }] }] },
  ],
  ["nothing kept", { previous_response_id: null, background: false, conversation: null }],
  ["plain text", { messages: [{ role: "user", content: "https://x/y.png" }] }],
])("%s does not", (_name, body) => {
  expect(reachesOut(call({ model: "m", ...body }))).toBeNull();
});

import { expect, test } from "vitest";
import { checkCall, checkView } from "#playground/slack/validate.ts";
import { unknownArguments } from "#test/doubles/slack/arguments.ts";

const text = (text: string) => ({ type: "mrkdwn", text });
const plain = (text: string) => ({ type: "plain_text", text });
const button = (more: object = {}) => ({ type: "button", action_id: "a", text: plain("Go"), ...more });
const section = (body: string) => ({ type: "section", text: text(body) });

/** Block lists, the error, and a piece of the message Slack gives. */
const BLOCKS: readonly [string, unknown, string][] = [
  ["an unknown block type", [{ type: "nonsense" }], "unsupported type: nonsense [json-pointer:/blocks/0]"],
  ["no type at all", [{}], "missing required field: type [json-pointer:/blocks/0]"],
  ["a mrkdwn header", [{ type: "header", text: text("x") }], 'must be "plain_text" [json-pointer:/blocks/0/text/type]'],
  ["a mrkdwn button", [{ type: "actions", elements: [button({ text: text("x") })] }], "/blocks/0/elements/0/text/type"],
  ["a green button", [{ type: "actions", elements: [button({ style: "green" })] }], "must be a valid enum value"],
  ["a property Slack does not know", [{ ...section("x"), colour: "red" }], "invalid additional property: colour"],
  [
    "a section of 3,001 characters",
    [section("x".repeat(3_001))],
    "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
  ],
  ["an empty section", [section("")], "must be more than 0 characters"],
  ["a section without text or fields", [{ type: "section" }], "missing required field: text or fields"],
  [
    "eleven fields",
    [{ type: "section", fields: Array.from({ length: 11 }, () => text("x")) }],
    "no more than 10 items",
  ],
  ["a field of 2,001 characters", [{ type: "section", fields: [text("x".repeat(2_001))] }], "must be less than 2001"],
  ["a header of 151 characters", [{ type: "header", text: plain("x".repeat(151)) }], "must be less than 151"],
  [
    "a button text of 76 characters",
    [{ type: "actions", elements: [button({ text: plain("x".repeat(76)) })] }],
    "less than 76",
  ],
  [
    "a button value of 2,001 characters",
    [{ type: "actions", elements: [button({ value: "x".repeat(2_001) })] }],
    "less than 2001",
  ],
  [
    "an action_id of 256 characters",
    [{ type: "actions", elements: [button({ action_id: "x".repeat(256) })] }],
    "less than 256",
  ],
  [
    "26 elements",
    [{ type: "actions", elements: Array.from({ length: 26 }, (_, i) => button({ action_id: `${i}` })) }],
    "no more than 25",
  ],
  ["no elements", [{ type: "actions", elements: [] }], "no less than 1 items"],
  ["two equal action ids", [{ type: "actions", elements: [button(), button()] }], "already exists for another element"],
  [
    "two equal block ids",
    [
      { ...section("a"), block_id: "b" },
      { ...section("c"), block_id: "b" },
    ],
    "already exists for another block",
  ],
  [
    "51 blocks",
    Array.from({ length: 51 }, () => ({ type: "divider" })),
    "no more than 50 items allowed [json-pointer:/blocks]",
  ],
  [
    "a confirm title of 101 characters",
    [{ type: "actions", elements: [button({ confirm: { title: plain("x".repeat(101)), text: plain("?") } })] }],
    "/confirm/title/text",
  ],
  [
    "a task with an unknown state",
    [{ type: "plan", title: "p", tasks: [{ type: "task_card", task_id: "1", title: "t", status: "done" }] }],
    "/tasks/0/status",
  ],
];

test.each(BLOCKS)("blocks with %s are refused as invalid_blocks", (_, blocks, message) => {
  const checked = checkCall("chat.postMessage", { channel: "C0SITE", text: "x", blocks: JSON.stringify(blocks) });
  expect(checked).toMatchObject({ ok: false, error: "invalid_blocks" });
  expect(checked.ok ? [] : checked.messages.join("\n")).toContain(message);
  expect(checked.ok ? [] : checked.messages.every((line) => line.startsWith("[ERROR] "))).toBe(true);
});

const CALLS: readonly [string, string, Record<string, unknown>, string][] = [
  ["no channel", "chat.postMessage", { text: "x" }, "invalid_arguments"],
  ["nothing to say", "chat.postMessage", { channel: "C0SITE" }, "no_text"],
  ["40,001 characters", "chat.update", { channel: "C0SITE", ts: "1", text: "x".repeat(40_001) }, "msg_too_long"],
  ["blocks that are not JSON", "chat.postMessage", { channel: "C0SITE", blocks: "[{" }, "invalid_blocks_format"],
  [
    "metadata that is not JSON",
    "chat.postMessage",
    { channel: "C0SITE", text: "x", metadata: "{" },
    "invalid_metadata_format",
  ],
  [
    "a limit that is no number",
    "conversations.replies",
    { channel: "C0SITE", ts: "1", limit: "many" },
    "invalid_arguments",
  ],
  ["no view", "views.open", { trigger_id: "1" }, "invalid_arguments"],
];

test.each(CALLS)("a call with %s is refused", (_, method, args, error) => {
  expect(checkCall(method, args)).toMatchObject({ ok: false, error });
});

const modal = (more: object = {}) => ({ type: "modal", title: plain("Deny"), blocks: [section("x")], ...more });
const input = { type: "input", label: plain("Why"), element: { type: "plain_text_input", action_id: "t" } };

const VIEWS: readonly [string, Record<string, unknown>, string][] = [
  [
    "a title of 25 characters",
    modal({ title: plain("x".repeat(25)) }),
    "must be less than 25 characters [json-pointer:/view/title/text]",
  ],
  ["an input and no submit", modal({ blocks: [input] }), "missing required field: submit"],
  ["101 blocks", modal({ blocks: Array.from({ length: 101 }, () => ({ type: "divider" })) }), "no more than 100 items"],
  ["3,001 characters of private metadata", modal({ private_metadata: "x".repeat(3_001) }), "/view/private_metadata"],
  [
    "an unknown block",
    modal({ blocks: [{ type: "nonsense" }] }),
    "unsupported type: nonsense [json-pointer:/view/blocks/0]",
  ],
];

test.each(VIEWS)("a modal with %s is refused as invalid_arguments", (_, view, message) => {
  expect(checkCall("views.open", { trigger_id: "1", view: JSON.stringify(view) })).toMatchObject({
    error: "invalid_arguments",
  });
  expect(checkView(view as never).join("\n")).toContain(message);
});

test("what fits Slack's types passes, by form and by JSON alike", () => {
  const richText = {
    type: "rich_text",
    elements: [{ type: "rich_text_section", elements: [{ type: "text", text: "x" }] }],
  };
  const blocks = [
    section("*hi*"),
    { type: "header", text: plain("Hi") },
    {
      type: "plan",
      title: "Plan",
      tasks: [{ type: "task_card", task_id: "1", title: "t", status: "complete", output: richText }],
    },
    { type: "alert", text: text("careful"), level: "warning" },
    { type: "markdown", text: "# hi" },
    { type: "container", title: plain("Scope"), child_blocks: [section("x")], is_collapsible: true },
    {
      type: "actions",
      elements: [button({ style: "primary", confirm: { title: plain("Sure?"), text: text("Really") } })],
    },
    { type: "context", elements: [text("small"), plain("plain")] },
  ];
  const asForm = checkCall("chat.postMessage", {
    channel: "C0SITE",
    text: "x",
    unfurl_links: "false",
    blocks: JSON.stringify(blocks),
  });
  const asJson = checkCall("chat.postMessage", { channel: "C0SITE", text: "x", unfurl_links: false, blocks });
  expect(asForm).toEqual(asJson);
  expect(asForm.ok).toBe(true);
  expect(checkView(modal({ blocks: [input], submit: plain("Send") }) as never)).toEqual([]);
});

test("an argument Slack does not know is ignored, and a test that wants none of ours can name it", () => {
  const args = { channel: "C0SITE", text: "x", colour: "red" };
  expect(checkCall("chat.postMessage", args).ok).toBe(true);
  expect(unknownArguments("chat.postMessage", args)).toEqual(["colour"]);
  expect(unknownArguments("no.such.method", { channel: "C0SITE" })).toEqual(["channel"]);
});

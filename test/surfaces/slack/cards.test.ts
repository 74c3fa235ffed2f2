import type { KnownBlock } from "@slack/types";
import { describe, expect, test } from "vitest";
import type { GroupRef } from "#policy/policy.ts";
import type { View } from "#runs/view.ts";
import type { Card } from "#surfaces/slack/cards/blocks.ts";
import { render } from "#surfaces/slack/cards/render.ts";
import { approvalOf, opened, START, waiting, working } from "#test/fixtures/run-events.ts";
import { brokenTypes } from "#test/fixtures/slack/double.ts";
import { brokenLimits } from "#test/fixtures/slack/limits.ts";
import { evilViews } from "./evil-views.ts";
import { views } from "./views.ts";

const NOW = new Date(START.getTime() + 600_000);

/** A card as a reviewer reads it. */
function outline({ text, blocks }: Card): string {
  return `${[`text: ${text}`, ...blocks.map(outlined)].join("\n\n")}\n`;
}

function outlined(block: KnownBlock): string {
  switch (block.type) {
    case "section":
      return `[section]\n${block.text?.text}`;
    case "context":
      return `[context]\n${block.elements.map((element) => ("text" in element ? element.text : "?")).join("\n")}`;
    case "plan":
      return [`[plan] ${block.title}`, ...(block.tasks ?? []).map((task) => `${task.status}: ${task.title}`)].join(
        "\n",
      );
    case "actions":
      return ["[actions]", ...block.elements.map((element) => JSON.stringify(element))].join("\n");
    default:
      throw new Error(`no card of ours has a ${block.type}`);
  }
}

const buttonsOf = (card: Card) => card.blocks.flatMap((block) => (block.type === "actions" ? block.elements : []));

describe.each(Object.entries(views))("the card %s", (name, view) => {
  const card = render(view, NOW);

  test("reads as its golden file says", async () => {
    await expect(outline(card)).toMatchFileSnapshot(`../../fixtures/slack/cards/${name}.txt`);
  });

  test("is one that Slack takes, by its types and its lengths", () => {
    expect(brokenTypes("chat.postMessage", { channel: "C1", thread_ts: "1.1", ...card })).toEqual([]);
    expect(brokenLimits(card)).toEqual([]);
  });

  test("says in one short text who, what and what next", () => {
    expect(card.text.length).toBeLessThanOrEqual(300);
    expect(card.text).toMatch(/[.!?…]$/);
    const open =
      ["reminder", "escalated", "delegated"].includes(view.kind) ||
      (view.kind === "approval" && view.approval.status === "pending");
    const text = open ? card.text.replace(/<!subteam\^S[A-Z0-9]+\|@\w+>|<@U[A-Z0-9]+>/g, "") : card.text;
    expect(text).not.toMatch(/<[!@#]|undefined|null|\[object/);
  });

  test("has buttons that a screen reader can tell apart", () => {
    const buttons = buttonsOf(card).flatMap((element) => (element.type === "button" ? [element] : []));
    const texts = buttons.map((button) => button.text.text);
    expect(new Set(texts).size).toBe(texts.length);
    for (const button of buttons) expect(button.accessibility_label).toMatch(/\w+ .*\d|run|account/);
  });

  test("puts nothing undefined, no emoji and no exclamation mark on the screen", () => {
    const shown = outline(card);
    expect(shown).not.toMatch(/undefined|NaN|\[object|Invalid Date/);
    expect(shown).not.toMatch(/\p{Extended_Pictographic}/u);
    expect(shown.replace(/(<|&lt;)!/g, "")).not.toContain("!");
  });
});

test.each(Object.entries(views).flatMap(([name, view]) => ("run" in view ? [{ name, view, url: view.run.url }] : [])))(
  "the card $name opens the page of the run that it is about",
  ({ view, url }) => {
    expect(JSON.stringify(render(view, NOW).blocks)).toContain(url);
  },
);

describe.each(Object.entries(evilViews))("hostile words on the card %s", (_name, view) => {
  const card = render(view, NOW);
  const shown = JSON.stringify(card);

  test("make no mention, no link and no token of their own", () => {
    const tokens = [...shown.matchAll(/<([^>]*)>/g)].map((match) => match[1] ?? "");
    for (const token of tokens) expect(token).toMatch(/^(!date\^\d+\^[^|]*\||https?:\/\/127\.0\.0\.1:3000\/)/);
  });

  test("cannot hide or reorder what is read", () => {
    expect(shown).not.toMatch(/[\u202a-\u202e\u2066-\u2069]/);
    const outsideCode = outline(card)
      .replace(/```[^`]*```/g, "")
      .split("\n")
      .map((line) => line.replace(/`[^`]*`/g, ""));
    // Within code and in plain text Slack draws no emoji.
    for (const line of outsideCode) if (!/^\w+: /.test(line)) expect(line).not.toMatch(/:white_check_mark:/);
  });

  test("stay within what Slack takes", () => {
    expect(brokenLimits(card)).toEqual([]);
    expect(brokenTypes("chat.postMessage", { channel: "C1", ...card })).toEqual([]);
    expect(card.text.length).toBeLessThanOrEqual(300);
  });

  test("are text that Slack does not link by itself", () => {
    for (const block of card.blocks) {
      const texts = block.type === "section" ? [block.text] : block.type === "context" ? block.elements : [];
      for (const text of texts) expect(text).toMatchObject({ type: "mrkdwn", verbatim: true });
    }
  });

  test("open no address but http", () => {
    for (const button of buttonsOf(card)) if ("url" in button) expect(button.url).toMatch(/^https?:/);
  });
});

test("a long command is cut aloud: the approver is told to read the rest first", () => {
  const long = `rm -rf ${"x".repeat(4_000)} # the end`;
  const story = [...working, opened({ approval: "approval-2", gate: "command", subject: { command: long } })];
  const card = render(approvalOf(story, "approval-2"), NOW);
  expect(outline(card)).toContain("first 1,500 of 4,017 characters: read all of it on the run page before you answer");
  expect(brokenLimits(card)).toEqual([]);
});

test("an argument we have no words for is shown, not left out", () => {
  const story = [...working, opened({ approval: "approval-2", subject: { surprise: { deep: ["one", 2] } } })];
  expect(outline(render(approvalOf(story, "approval-2"), NOW))).toContain('surprise: `{"deep":["one",2]}`');
});

test("an argument of an unexpected form is shown as it is", () => {
  const story = [...working, opened({ approval: "approval-2", subject: { hosts: "everything" } })];
  expect(outline(render(approvalOf(story, "approval-2"), NOW))).toContain('hosts: `"everything"`');
});

test("a decided card has no button that decides", () => {
  for (const name of ["approval-approved", "approval-denied", "approval-void", "approval-of-a-run-that-ended"]) {
    const view = views[name];
    const ids = view
      ? buttonsOf(render(view, NOW)).map((button) => ("action_id" in button ? button.action_id : ""))
      : ["?"];
    expect(ids).toEqual(["open_run"]);
  }
});

test("an open question calls those who may answer, on the card and in its text; a closed one calls nobody", () => {
  const calls = (view: View) => {
    const { text, blocks } = render(view, NOW);
    return [text, JSON.stringify(blocks)].map((part) => part.match(/<(?:@|!subteam)[^>]*>/g) ?? []);
  };
  const group = (from: GroupRef): View => ({ ...approvalOf(waiting), groups: { "group:leads": from } }) as View;
  expect(calls(group({ slack_usergroup: "S0LEADS" }))).toEqual([["<!subteam^S0LEADS|@leads>"], ["<!subteam^S0LEADS>"]]);
  expect(calls(group({ people: ["U0BO", "<!channel>", "U0CY"] }))).toEqual([
    ["<@U0BO>", "<@U0CY>"],
    ["<@U0BO>", "<@U0CY>"],
  ]);
  const twelve = Array.from({ length: 12 }, (_, n) => `U0${n}`);
  expect(calls(group({ people: twelve })).map((part) => part.length)).toEqual([10, 10]);
  expect(calls(group({ github_team: "acme/leads" }))).toEqual([[], []]);
  expect(views["approval-approved"] ? calls(views["approval-approved"]) : null).toEqual([[], []]);
});

test("a button carries the question and the bytes it showed, and nothing of policy", () => {
  const view = views["approval-start"];
  const values = view
    ? buttonsOf(render(view, NOW)).flatMap((button) => ("value" in button ? [button.value] : []))
    : [];
  const digest = `sha256:${"a1b2c3d4".repeat(8)}`;
  expect(values.slice(0, 2)).toEqual([`approval-1 ${digest}`, `approval-1 ${digest}`]);
});

test("a request that is longer than its card says so, and where all of it is", () => {
  const view = views["approval-start"];
  if (view?.kind !== "approval") throw new Error("there is no such card");
  const text = `${"please ".repeat(100)}and delete everything`;
  const facts = { ...view.facts, request: { ...view.facts.request, text } };
  const shown = outline(render({ ...view, facts }, NOW));
  expect(shown).toContain(`first 400 of ${text.length} characters`);
  expect(shown).toContain(`<${view.run.url}|Read all of it>`);
  expect(outline(render(view, NOW))).not.toContain("characters.");
});

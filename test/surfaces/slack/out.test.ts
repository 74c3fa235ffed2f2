import { expect, test } from "vitest";
import { slackAccess } from "#adapters/directory/slack-access.ts";
import { ChatUnavailable, type Place } from "#ports/chat.ts";
import { Secret } from "#ports/secret.ts";
import { keepAlive } from "#surfaces/slack/keep-alive.ts";
import { slackChat } from "#surfaces/slack/out.ts";
import { AT_WORK } from "#surfaces/slack/sessions.ts";
import { chatContract } from "#test/contracts/chat.ts";
import { shopRun } from "#test/fixtures/run.ts";
import * as story from "#test/fixtures/run-events.ts";
import { BOT_ID, type SlackDouble, slackDouble, WORKSPACE } from "#test/fixtures/slack/double.ts";
import { policyViews } from "./views.ts";

const place: Place = { provider: "slack", workspace: WORKSPACE, channel: "C0SHOP", thread: "1700000000.000100" };
const KEY = "slack:run:status";
/** Right after the story's request: what is wanted now is fresh. */
const JUST_THEN = story.START.getTime() + 500;

function world() {
  const double = slackDouble();
  const clock = { now: story.START.getTime() - 1_000 };
  const lines: string[] = [];
  const { urgent, progress } = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-test"),
    slackApiUrl: "http://slack.test/api/",
    fetch: double.fetch,
    log: () => {},
  });
  const made = () =>
    slackChat({ urgent, progress, botId: BOT_ID, now: () => new Date(clock.now), log: (line) => lines.push(line) });
  const chat = made();
  clock.now = JUST_THEN;
  return { double, clock, lines, made, chat };
}

/** What was asked of Slack to show a message: its thread's session comes after it, and nobody waits for that. */
const shownBy = (double: SlackDouble) =>
  double.calls.map((call) => call.method).filter((method) => !method.startsWith("agents."));

chatContract("slack", () => {
  const { double, clock, made, chat } = world();
  return {
    chat,
    place,
    first: story.statusOf(story.accepted),
    second: story.statusOf(story.waiting),
    messages: () => double.messages.map((message) => String(message.args.text)),
    whispers: () => double.ephemerals.map((one) => ({ to: String(one.user), text: String(one.text) })),
    loseNextAnswer: () => double.fail("chat.postMessage", { lost: "after" }),
    cutNext: () => double.fail("chat.postMessage", { lost: "before" }),
    restarted: made,
    later: () => {
      clock.now += 120_000;
    },
  };
});

const OWNERS: Place = { ...place, channel: "C0SEC", thread: "" };
const broken = { ...policyViews.broken, at: new Date(1_700_000_090_000) };

test("a message to a channel itself is no reply, and one that got through is found there again", async () => {
  const { double, made, chat } = world();
  double.fail("chat.postMessage", { lost: "after" });
  await expect(chat.show("policy:1", OWNERS, broken, null)).rejects.toBeInstanceOf(ChatUnavailable);
  expect(double.messages[0]?.args).not.toHaveProperty("thread_ts");
  const { messageId } = await made().show("policy:1", OWNERS, broken, null);
  expect(messageId).toBe(double.messages[0]?.ts);
  expect(double.messages).toHaveLength(1);
});

test("a message is a reply in the thread, with its key where people do not see it", async () => {
  const { double, chat } = world();
  await chat.show(KEY, place, story.statusOf(story.accepted), null);
  expect(double.messages[0]?.args).toMatchObject({
    channel: "C0SHOP",
    thread_ts: place.thread,
    metadata: { event_type: "countersign", event_payload: { key: KEY } },
    unfurl_links: false,
  });
});

test("the first message of a fresh request costs one call", async () => {
  const { double, chat } = world();
  await chat.show(KEY, place, story.statusOf(story.accepted), null);
  expect(shownBy(double)).toEqual(["chat.postMessage"]);
});

test("an older one is looked for before it is posted", async () => {
  const { double, clock, chat } = world();
  clock.now += 60_000;
  await chat.show(KEY, place, story.statusOf(story.accepted), null);
  expect(shownBy(double)).toEqual(["conversations.replies", "chat.postMessage"]);
});

test("one that was wanted before we began is looked for, however young", async () => {
  const { double, made, chat } = world();
  await chat.show(KEY, place, story.statusOf(story.accepted), null);
  await made().show(KEY, place, story.statusOf(story.accepted), null);
  expect(double.messages).toHaveLength(1);
});

test("a look-up that fails posts nothing", async () => {
  const { double, clock, chat } = world();
  clock.now += 60_000;
  double.fail("conversations.replies", { retryAfterSec: 7 });
  const shown = chat.show(KEY, place, story.statusOf(story.accepted), null);
  await expect(shown).rejects.toMatchObject({ name: "ChatUnavailable", retryAfterMs: 7_000 });
  expect(double.messages).toEqual([]);
});

test("somebody else's message under our key is not taken for ours", async () => {
  const { double, clock, chat } = world();
  await chat.show(KEY, place, story.statusOf(story.accepted), null);
  const stranger = slackChat({ ...pick(double), botId: "B0OTHER", now: () => new Date(clock.now), log: () => {} });
  clock.now += 60_000;
  await stranger.show(KEY, place, story.statusOf(story.accepted), null);
  expect(double.messages).toHaveLength(2);
});

function pick(double: ReturnType<typeof slackDouble>) {
  const { urgent, progress } = slackAccess({
    botToken: new Secret("slack_bot_token", "xoxb-other"),
    slackApiUrl: "http://slack.test/api/",
    fetch: double.fetch,
    log: () => {},
  });
  return { urgent, progress };
}

test("the same card is not sent twice", async () => {
  const { double, chat } = world();
  const view = story.statusOf(story.waiting);
  const { messageId } = await chat.show(KEY, place, view, null);
  await chat.show(KEY, place, view, messageId);
  expect(double.of("chat.update")).toEqual([]);
});

test("a new state is shown at once, a new step waits for its turn", async () => {
  const { double, clock, chat } = world();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.preparing), null);
  await chat.show(KEY, place, story.statusOf(story.working), messageId);
  expect(double.of("chat.update")).toHaveLength(1);
  clock.now += 1_000;
  const step = story.statusOf([
    ...story.working,
    { kind: "agent.planned", tasks: [{ title: "Read src/checkout.ts", status: "in_progress" }] },
  ]);
  await expect(chat.show(KEY, place, step, messageId)).rejects.toMatchObject({ retryAfterMs: 2_000 });
  clock.now += 2_000;
  await chat.show(KEY, place, step, messageId);
  expect(double.of("chat.update")).toHaveLength(2);
});

test("passing time alone is an edit once a minute", async () => {
  const { double, clock, chat } = world();
  const view = story.statusOf(story.working);
  clock.now += 600_000;
  const { messageId } = await chat.show(KEY, place, view, null);
  clock.now += 59_000;
  await chat.show(KEY, place, view, messageId);
  expect(double.of("chat.update")).toEqual([]);
  clock.now += 61_000;
  await chat.show(KEY, place, view, messageId);
  expect(double.of("chat.update")).toHaveLength(1);
});

test("what another process has shown since is edited, also when we had shown the same before it", async () => {
  const { double, clock, made, chat } = world();
  const other = made();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.working), null, { last: 0, now: 1 });
  const atWork = double.messages[0]?.args.text;
  clock.now += 5_000;
  await other.show(KEY, place, story.statusOf(story.suspended), messageId, { last: 1, now: 2 });
  expect(double.messages[0]?.args.text).not.toBe(atWork);
  clock.now += 5_000;
  await chat.show(KEY, place, story.statusOf(story.working), messageId, { last: 2, now: 3 });
  expect(double.messages[0]?.args.text).toBe(atWork);
  // From here on nobody else was there, and what is the same is not sent again.
  await chat.show(KEY, place, story.statusOf(story.working), messageId, { last: 3, now: 4 });
  await chat.show(KEY, place, story.statusOf(story.working), messageId, { last: 4, now: 5 });
  expect(double.of("chat.update")).toHaveLength(2);
});

test("a limit on edits says when to come back, and holds no post", async () => {
  const { double, clock, chat } = world();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.accepted), null);
  double.fail("chat.update", { retryAfterSec: 30 });
  await expect(chat.show(KEY, place, story.statusOf(story.waiting), messageId)).rejects.toMatchObject({
    retryAfterMs: 30_000,
  });
  clock.now += 1_000;
  await expect(chat.show(KEY, place, story.statusOf(story.waiting), messageId)).rejects.toMatchObject({
    retryAfterMs: 29_000,
  });
  expect(double.of("chat.update")).toHaveLength(1);
  await chat.show("slack:run:approval", place, story.approvalOf(story.waiting), null);
  expect(double.messages).toHaveLength(2);
});

test("a message that a person deleted is posted anew", async () => {
  const { double, chat } = world();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.accepted), null);
  double.fail("chat.update", { error: "message_not_found" });
  const again = await chat.show(KEY, place, story.statusOf(story.waiting), messageId);
  expect(again.messageId).not.toBe(messageId);
});

test("a workspace that refuses the blocks gets the sentence and the buttons", async () => {
  const { double, lines, chat } = world();
  double.fail("chat.postMessage", { error: "invalid_blocks" });
  await chat.show(KEY, place, story.statusOf(story.accepted), null);
  const blocks = double.messages[0]?.args.blocks as { type: string }[];
  expect(blocks.map((block) => block.type)).toEqual(["section", "actions"]);
  expect(lines).toEqual(["Slack refused a card; its plain form is shown"]);
});

test("a question whose blocks are refused still calls those who may answer", async () => {
  const { double, chat } = world();
  double.fail("chat.postMessage", { error: "invalid_blocks" });
  await chat.show("slack:run:approval", place, story.approvalOf(story.waiting), null);
  const blocks = double.messages[0]?.args.blocks as { text?: { text: string } }[];
  expect(blocks[0]?.text?.text).toContain("asks <!subteam^S0LEADS|@leads> to decide");
});

test("a channel that we were thrown out of is tried again later, aloud", async () => {
  const { double, lines, chat } = world();
  double.fail("chat.postMessage", { error: "not_in_channel" });
  const shown = chat.show(KEY, place, story.statusOf(story.accepted), null);
  await expect(shown).rejects.toMatchObject({ retryAfterMs: 600_000 });
  await expect(shown).rejects.toThrow(ChatUnavailable);
  expect(lines).toEqual(["Slack refuses what we show"]);
});

test("a whisper goes into the thread; to somebody who left the channel it is let go", async () => {
  const { double, lines, chat } = world();
  const to = { provider: "slack", workspace: WORKSPACE, id: "U0ANA" };
  const view = { kind: "noted", what: "approved", run: story.title } as const;
  await chat.whisper(place, to, view);
  expect(double.ephemerals[0]).toMatchObject({ channel: "C0SHOP", user: "U0ANA", thread_ts: place.thread });
  double.fail("chat.postEphemeral", { error: "user_not_in_channel" });
  await chat.whisper(place, to, view);
  expect(lines).toEqual(["a note could not reach its person"]);
  double.fail("chat.postEphemeral", { retryAfterSec: 3 });
  await expect(chat.whisper(place, to, view)).rejects.toMatchObject({ retryAfterMs: 3_000 });
});

test("a thread's session follows its run: at work, waiting for people, and at rest", async () => {
  const { double, chat } = world();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.accepted), null);
  for (const part of [story.waiting, story.working, story.checking, story.inReview]) {
    await chat.show(KEY, place, story.statusOf(part), messageId).catch((error: unknown) => {
      if (!(error instanceof ChatUnavailable)) throw error;
    });
    await chat.settled();
  }
  const told = double.of("agents.sessions.setStatus");
  expect(told.map(({ status }) => status)).toEqual(["processing", "suspended", "processing", "active"]);
  expect(told[0]).toMatchObject({
    channel_id: "C0SHOP",
    thread_ts: place.thread,
    title: expect.stringMatching(/^Run \d+: /),
  });
});

test("what another process has told a thread's session since is put right", async () => {
  const { double, made, chat } = world();
  const other = made();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.working), null, { last: 0, now: 1 });
  await chat.settled();
  await other.show(KEY, place, story.statusOf(story.suspended), messageId, { last: 1, now: 2 });
  await other.settled();
  const onwards = [...story.suspended, story.moved("suspended", "working")];
  await chat.show(KEY, place, story.statusOf(onwards), messageId, { last: 2, now: 3 });
  await chat.settled();
  const told = double.of("agents.sessions.setStatus").map(({ status }) => status);
  expect(told).toEqual(["processing", "suspended", "processing"]);
});

test("a long run says again that it works before Slack forgets it", async () => {
  const { double, clock, chat } = world();
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.preparing), null);
  clock.now += 20 * 60_000;
  await chat.show(KEY, place, story.statusOf(story.working), messageId);
  await chat.settled();
  expect(double.of("agents.sessions.setStatus")).toHaveLength(1);
  clock.now += 20 * 60_000;
  await chat.show(KEY, place, story.statusOf(story.checking), messageId);
  await chat.settled();
  expect(double.of("agents.sessions.setStatus")).toHaveLength(2);
});

test("a run at work is shown again every quarter of an hour, where Slack follows it, and a young one not yet", async () => {
  let now = new Date("2026-11-24T14:00:00.000Z");
  const mirror = { ...place, channel: "C0TICKETS" };
  const onLinear: Place = { provider: "linear", workspace: "o", channel: "t", thread: "s" };
  const at = (minutes: number) => new Date(now.getTime() - minutes * 60_000);
  const runs = [
    shopRun({ id: "here", createdAt: at(20) }),
    shopRun({ id: "mirrored", createdAt: at(20), place: onLinear, mirror }),
    shopRun({ id: "elsewhere", createdAt: at(20), place: onLinear }),
    shopRun({ id: "young", createdAt: at(1) }),
  ];
  const later = (minutes: number) => {
    now = new Date(now.getTime() + minutes * 60_000);
  };
  const asked: string[] = [];
  const alive = keepAlive({
    atWork: async () => runs,
    again: async (run, where) => void asked.push(`${run.id} in ${where.channel}`),
    now: () => now,
  });
  await alive();
  later(5);
  await alive();
  expect(asked).toEqual(["here in C0SHOP", "mirrored in C0TICKETS"]);
  later(10);
  await alive();
  expect(asked.slice(2)).toEqual(["here in C0SHOP", "mirrored in C0TICKETS", "young in C0SHOP"]);
  expect(AT_WORK).toEqual(["requested", "queued", "preparing", "working", "checking", "publishing"]);
});

test("where the app is no agent, that is said once, and messages go on", async () => {
  const { double, lines, chat } = world();
  double.fail("agents.sessions.setStatus", { error: "not_authorized" });
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.accepted), null);
  await chat.settled();
  await chat.show(KEY, place, story.statusOf(story.waiting), messageId);
  await chat.settled();
  expect(double.of("agents.sessions.setStatus")).toHaveLength(1);
  expect(lines.filter((line) => line.includes("no agent sessions"))).toHaveLength(1);
  expect(double.of("chat.update")).toHaveLength(1);
});

test("a session that could not be told is told with the next change", async () => {
  const { double, chat } = world();
  double.fail("agents.sessions.setStatus", { retryAfterSec: 5 });
  const { messageId } = await chat.show(KEY, place, story.statusOf(story.waiting), null);
  await chat.settled();
  await chat.show(KEY, place, story.statusOf(story.working), messageId);
  await chat.settled();
  expect(double.of("agents.sessions.setStatus").map(({ status }) => status)).toEqual(["suspended", "processing"]);
});

import { beforeEach, expect, test } from "vitest";
import { type MemoryTracker, memoryTracker } from "#adapters/ticket/memory.ts";
import type { Chat, Place } from "#ports/chat.ts";
import { TicketUnavailable } from "#ports/ticket.ts";
import type { EventBody } from "#runs/event.ts";
import { tasksOf, type View } from "#runs/view.ts";
import { ahead } from "#surfaces/linear/ahead.ts";
import { keepAlive } from "#surfaces/linear/keep-alive.ts";
import { linearChat } from "#surfaces/linear/out.ts";
import type { Story } from "#test/fixtures/run-events.ts";
import * as story from "#test/fixtures/run-events.ts";

const home: Place = { provider: "linear", workspace: "org", channel: "SHOP", thread: "session-1" };
const thread: Place = { provider: "slack", workspace: "T0", channel: "C0SHOP", thread: "1700000000.000100" };
const ticket = { id: "issue-1", name: "SHOP-1", url: "https://linear.app/acme/issue/SHOP-1" };

let tracker: MemoryTracker;
let now: Date;
let logged: string[];
const chat = (): Chat<View> =>
  linearChat({
    tracker,
    now: () => now,
    permalink: ({ channel, thread: ts }) => `https://acme.slack.com/archives/${channel}/p${ts.replace(".", "")}`,
    log: (message) => void logged.push(message),
  });
beforeEach(() => {
  tracker = memoryTracker();
  now = new Date(story.START.getTime() + 3_000);
  logged = [];
});

/** The same story, asked for on a ticket. */
const onTicket = ([first, ...rest]: Story): Story => [
  { ...(first as Extract<EventBody, { kind: "run.requested" }>), ticket },
  ...rest,
];

function status(events: Story, o: { mirror: boolean } = { mirror: true }): View {
  const facts = story.factsOf(onTicket(events));
  const run = { ...story.title, ...(o.mirror ? { mirror: thread } : {}) };
  return { kind: "status", run, facts, tasks: tasksOf(facts) };
}
const KEY = "linear:run:status";
const kinds = () => tracker.posted.map(({ activity }) => activity.kind);

test("what was posted is remembered in the message's id: a new process posts what is missing, and nothing twice", async () => {
  const { messageId } = await chat().show(KEY, home, status(story.waiting), null);
  const before = tracker.posted.length;
  expect(before).toBeGreaterThan(1);
  const again = await chat().show(KEY, home, status(story.waiting), messageId);
  expect(tracker.posted).toHaveLength(before);
  await chat().show(KEY, home, status(story.merged), again.messageId);
  expect(kinds().at(-1)).toBe("response");
  const ids = tracker.posted.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a kill before anything was remembered posts nothing twice, nor does an id that cannot be read", async () => {
  await chat().show(KEY, home, status(story.inReview), null);
  const before = tracker.posted.length;
  await chat().show(KEY, home, status(story.inReview), null);
  await chat().show(KEY, home, status(story.inReview), "{not what we wrote");
  expect(tracker.posted).toHaveLength(before);
});

test("a question waits for the thread that it leads to, though not for ever", async () => {
  await expect(chat().show(KEY, home, status(story.waiting, { mirror: false }), null)).rejects.toMatchObject({
    name: "ChatUnavailable",
    retryAfterMs: 1_000,
  });
  expect(kinds()).not.toContain("elicitation");
  now = new Date(now.getTime() + 60_000);
  await chat().show(KEY, home, status(story.waiting, { mirror: false }), null);
  expect(kinds()).toContain("elicitation");
});

test("a limit says when to come back, and nothing that was posted is posted again", async () => {
  const one = chat();
  tracker.fail(new TicketUnavailable("limited", "too many calls", { retryAfterMs: 42_000 }));
  await expect(one.show(KEY, home, status(story.waiting), null)).rejects.toMatchObject({ retryAfterMs: 42_000 });
  tracker.loseNextAnswer();
  await expect(one.show(KEY, home, status(story.waiting), null)).rejects.toMatchObject({ name: "ChatUnavailable" });
  await one.show(KEY, home, status(story.waiting), null);
  const ids = tracker.posted.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("what Linear refuses for good is said in the log and tried rarely; a ticket that cannot be moved holds nothing up", async () => {
  tracker.fail(new TicketUnavailable("refused", "no such session"));
  await expect(chat().show(KEY, home, status(story.accepted), null)).rejects.toMatchObject({ retryAfterMs: 600_000 });
  expect(logged).toEqual(["Linear refuses what we show"]);
  tracker.fail(new TicketUnavailable("refused", "may not"), "begin");
  await chat().show(KEY, home, status(story.working), null);
  expect(logged).toContain("the ticket could not be moved to a state of work");
  expect(kinds().length).toBeGreaterThan(2);
});

test("the ticket is begun when work begins, and no sooner", async () => {
  await chat().show(KEY, home, status(story.approved), null);
  expect(tracker.begun).toEqual([]);
  await chat().show(KEY, home, status(story.preparing), null);
  expect(tracker.begun).toEqual(["issue-1"]);
});

test("steps and links are replaced whole when they change, and only then", async () => {
  const one = chat();
  await one.show(KEY, home, status(story.working), null);
  const first = tracker.outlines.get("session-1");
  await one.show(KEY, home, status(story.working), null);
  expect(tracker.outlines.get("session-1")).toBe(first);
  await one.show(KEY, home, status(story.inReview), null);
  expect(tracker.outlines.get("session-1")?.links.map(({ label }) => label)).toEqual([
    "Run 42",
    "Slack thread",
    "Pull request #7",
  ]);
});

test("what another process has told a session since is known from the outbox, and put right where it differs", async () => {
  const [one, other] = [chat(), chat()];
  const first = await one.show(KEY, home, status(story.working), null);
  const wanted = tracker.outlines.get("session-1");
  const second = await other.show(KEY, home, status(story.inReview), first.messageId);
  expect(tracker.outlines.get("session-1")?.plan).not.toEqual(wanted?.plan);
  const asked = tracker.posted.length;
  // Failing checks went back to the agent: the steps are again what this process had shown before.
  await one.show(KEY, home, status(story.working), second.messageId);
  expect(tracker.outlines.get("session-1")).toEqual(wanted);
  expect(tracker.posted).toHaveLength(asked);
});

test("messages that say what the status says already are not shown a second time", async () => {
  const one = chat();
  expect(await one.show("linear:run:outcome", home, story.outcomeOf(story.cancelled), null)).toEqual({ messageId: "" });
  expect(tracker.posted).toEqual([]);
});

test("two messages at once come out in order, each once", async () => {
  const one = chat();
  const receipt = { ...story.receiptOf(story.inReview) } as View;
  await Promise.all([
    one.show(KEY, home, status(story.inReview), null),
    one.show("linear:run:receipt", home, receipt, null),
  ]);
  const ids = tracker.posted.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(kinds().at(-1)).toBe("response");
});

test("a session whose run goes on hears of it every twenty minutes, from several processes once, and after the end no more", async () => {
  const createdAt = new Date(now.getTime() - 25 * 60_000);
  let state: "waiting" | "working" | "cancelled" = "waiting";
  const open = async () => [{ id: "run", number: 1, state, place: home, createdAt } as never];
  const make = () => keepAlive({ tracker, open, now: () => now, log: (message) => void logged.push(message) });
  const [one, other] = [make(), make()];
  await one();
  await other();
  await one();
  expect(tracker.posted).toHaveLength(1);
  expect(tracker.posted[0]).toMatchObject({
    ephemeral: true,
    activity: { kind: "thought", body: expect.stringContaining("Slack") },
  });
  now = new Date(now.getTime() + 21 * 60_000);
  state = "working";
  await one();
  expect(tracker.posted).toHaveLength(2);
  now = new Date(now.getTime() + 21 * 60_000);
  state = "cancelled";
  await one();
  expect(tracker.posted).toHaveLength(2);
});

test("work begins when everything that goes first is done, and does not wait for ever", async () => {
  const { first, after } = ahead(60_000);
  const [one, other] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const order: string[] = [];
  const going = [one, other].map(({ promise }) => first(() => promise.then(() => void order.push("first"))));
  const work = after().then(() => void order.push("work"));
  one.resolve();
  await going[0];
  other.reject(new Error("not taken"));
  await Promise.allSettled([...going, work]);
  expect(order).toEqual(["first", "work"]);
  await after();
  const impatient = ahead(0);
  void impatient.first(() => new Promise<void>(() => undefined));
  await impatient.after();
});

import { expect, test } from "vitest";
import type { LinkRefusal } from "#runs/linkable.ts";
import { activitiesOf } from "#surfaces/linear/activities.ts";
import { answerOf } from "#surfaces/linear/answers.ts";
import { activityId } from "#surfaces/linear/ids.ts";
import { code, link, quoted, said } from "#surfaces/linear/text.ts";
import { notLinkedWords, words } from "#surfaces/linear/words.ts";
import * as questions from "#test/fixtures/question-events.ts";
import type { Story } from "#test/fixtures/run-events.ts";
import * as story from "#test/fixtures/run-events.ts";

const REFUSALS: readonly LinkRefusal[] = [
  "code_bad",
  "code_late",
  "code_used",
  "theirs",
  "another",
  "guest",
  "directory_unavailable",
];
const around = { run: story.title, threadUrl: "https://acme.slack.com/archives/C0SHOP/p1" };
const STORIES: Readonly<Record<string, Story>> = {
  merged: story.merged,
  closed: story.closedUnmerged,
  "asked again": story.askedAgain,
  "denied by a person": story.deniedByPerson,
  "denied by policy": story.deniedByPolicy,
  "denied without a rule": story.deniedWithoutRule,
  "denied for its sandbox": story.deniedForItsSandbox,
  answered: story.answered,
  cancelled: story.cancelled,
  "handed off": story.handedOff,
  suspended: story.suspended,
  escalated: questions.escalated,
  delegated: questions.delegated,
};
const of = (events: Story) => activitiesOf(story.factsOf(events), around);
const bodies = (events: Story) =>
  of(events).map(({ activity }) => ("body" in activity ? activity.body : activity.parameter));

test.each(Object.entries(STORIES))("the list of a run only grows: %s", (_name, events) => {
  let before: readonly string[] = [];
  for (let n = 1; n <= events.length; n += 1) {
    const now = of(events.slice(0, n)).map(({ key }) => key);
    expect(now.slice(0, before.length)).toEqual(before);
    expect(new Set(now).size).toBe(now.length);
    before = now;
  }
  expect(before.length).toBeGreaterThan(1);
});

test.each(Object.entries(STORIES))("every activity says something, and its end is the last: %s", (_name, events) => {
  const all = of(events);
  for (const { activity } of all) {
    if (activity.kind === "action") expect(activity.parameter).not.toBe("");
    else expect(activity.body.length).toBeGreaterThan(10);
  }
  const ends = all.filter(({ activity }) => activity.kind === "response" || activity.kind === "error");
  if (ends.length > 0) expect(all.at(-1)).toBe(ends.at(-1));
});

test("a question is a link to where people answer, never a choice, and who decided is said", () => {
  const [asked] = of(story.waiting).filter(({ activity }) => activity.kind === "elicitation");
  expect(asked?.activity).toMatchObject({ body: expect.stringContaining("https://acme.slack.com/archives/C0SHOP/p1") });
  expect(bodies(story.waiting).join("\n")).toContain("**leads**");
  expect(bodies(story.approved).join("\n")).toContain("Bo approved the start of this run in Slack.");
  expect(bodies(story.deniedByPerson).at(-1)).toMatch(/^Bo said no/);
  expect(bodies(story.deniedForItsSandbox).at(-1)).toMatch(
    /^It was denied: policy limits the sandbox's disk, and local cannot hold it to that\. It is rule `sandbox\.disk 10GB` at `teams\/shop\.yaml:9:12`\./,
  );
  expect(bodies(story.deniedWithoutDecision).at(-1)).toBe(
    "It was denied: policy asks for more by now than was approved.",
  );
});

test("a pull request in review is called ready for review only when it has left draft", () => {
  const left = [
    ...story.inReview.slice(0, -1),
    { kind: "pull_request.ready", repo: "acme/shop", number: 7 } as const,
    ...story.inReview.slice(-1),
  ];
  expect(bodies(story.inReview).at(-1)).toMatch(
    /^Draft pull request \[acme\/shop \\#7\]\S+ waits for a review\. We never merge/,
  );
  expect(bodies(left).at(-1)).toMatch(/^Pull request \[acme\/shop \\#7\]\S+ is ready for review\. We never merge/);
});

test("a handoff says what failed, whose fault it looks like and what to do", () => {
  const last = of(story.handedOff).at(-1)?.activity;
  expect(last?.kind).toBe("error");
  expect(last !== undefined && "body" in last && last.body).toMatch(
    /- Failed: [\s\S]*- This looks like [\s\S]*- Next: /,
  );
});

test("what people and agents wrote makes no link, image, mention, heading or second line", () => {
  const evil =
    "![x](https://evil.example/p.png) [click](javascript:alert(1)) <b>@everyone</b>\n# Approved by Bo\nhttps://evil.example";
  for (const text of [said(evil, 500), quoted(evil, 500)]) {
    expect(text).not.toMatch(/(?<!\\)\]\(|(?<!\\)!\[|(?<!\\)<b>|(?<!\\)@|https:\/\//);
    expect(text).not.toMatch(/^# /m);
  }
  expect(said(evil, 500)).not.toContain("\n");
  expect(
    quoted(evil, 500)
      .split("\n")
      .every((line) => line.startsWith("> ")),
  ).toBe(true);
  expect(code("a `b` c\nd")).toBe("`a ˋbˋ c d`");
  expect(link("javascript:alert(1)", "x")).toBe("x");
  expect(link("https://example.com/a>b", "a]b")).toBe("[a\\]b](<https://example.com/a%3Eb>)");
  expect(said("a\u202eb")).toBe("a\\\\u202eb");
});

test("the same words are always the same UUID v4, and others are another", () => {
  expect(activityId("run", "accepted")).toBe(activityId("run", "accepted"));
  expect(activityId("run", "accepted")).not.toBe(activityId("run:accepted"));
  expect(activityId("run", "x")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("a refusal that only Slack knows says to go there; every answer to a code is a sentence", () => {
  expect(words({ code: "stale_menu" })).toContain("Slack");
  expect(words({ code: "no_mirror", team: "shop", fix: "C0123456789: shop" })).toContain("`C0123456789: shop`");
  for (const refused of REFUSALS) expect(notLinkedWords({ refused, holder: null }, "u1")).toMatch(/nothing was linked/);
});

test("a no about a run leads to its page, and one about none does not", () => {
  const refusal = { code: "not_yours_to_stop", requester: "Ana" } as const;
  const said = "Only Ana, the other authors and this run's approvers may stop it, so it goes on. Ask one of them.";
  expect(answerOf({ kind: "refused", refusal, run: story.title })).toEqual({
    kind: "response",
    body: `${said}\n\n[The page of run 42](<${story.title.url}>)`,
  });
  expect(answerOf({ kind: "refused", refusal })).toEqual({ kind: "response", body: said });
});

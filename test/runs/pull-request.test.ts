import { expect, test } from "vitest";
import type { EventBody } from "#runs/event.ts";
import { facts } from "#runs/facts.ts";
import { pullRequestText, subjectOf } from "#runs/pull-request.ts";
import type { Run } from "#runs/run.ts";
import { shopRun } from "#test/fixtures/run.ts";
import { accepted, eventsOf, inReview, requested, type Story, title } from "#test/fixtures/run-events.ts";

/** What a reviewer meets first, as the forge is given it. */
const textOf = (story: Story, run: Run) => pullRequestText(run, facts(eventsOf(story)), title.url, title.agent);
const golden = (name: string) => `../fixtures/pull-request/${name}.md`;

test("the text of a run that was approved, followed up and checked reads as its golden file says", async () => {
  const asked =
    "Fix the *flaky* checkout test.\n# It waits for nothing\nSee [here](https://evil.example), @bo <!-- x -->";
  const ran = { kind: "check.ran", name: "a|b `c`", command: "npm run odd", oid: "", ms: 1, output: "" } as const;
  const story: Story = [
    requested(asked),
    ...inReview.slice(1),
    {
      kind: "turn.started",
      turn: 2,
      cause: "follow_up",
      by: { id: "person-cy", name: "Cy_1" },
      text: "and\n> quote it",
    },
    { ...ran, on: "base", exitCode: 0 },
    { ...ran, on: "head", exitCode: null },
    { kind: "check.judged", name: "a|b `c`", required: false, verdict: "not_run" },
    { kind: "agent.said", text: "I wait for the promise now.\n| a | table |" },
  ];
  const { title: subject, body } = textOf(story, shopRun({ text: "what is not redacted" }));
  expect(subject).toBe("Fix the *flaky* checkout test.");
  await expect(`${body}\n`).toMatchFileSnapshot(golden("checked"));
});

test("without checks, approvals and refused hosts it says so, and that no checks are not green", async () => {
  const { scope } = shopRun();
  const { body } = textOf(accepted, shopRun({ scope: scope && { ...scope, checks: [] } }));
  expect(body).toContain("No checks are declared for this repository: nothing was run, and that is not green.");
  await expect(`${body}\n`).toMatchFileSnapshot(golden("unchecked"));
});

test("its title is the request's first line, cut between two words", () => {
  expect(subjectOf({ text: "fix   the test\nand more", number: 1 }, 100)).toBe("fix the test");
  expect(subjectOf({ text: "fix the flaky test", number: 1 }, 15)).toBe("fix the flaky…");
  expect(subjectOf({ text: " \nfix", number: 7 }, 15)).toBe("Run 7");
});

type Ticket = NonNullable<Extract<EventBody, { kind: "run.requested" }>["ticket"]>;

/** The line about the ticket that it was asked for on; none without one. */
function ticketLines(ticket: Ticket | null): readonly string[] {
  const [first, ...rest] = inReview;
  const asked = first as Extract<EventBody, { kind: "run.requested" }>;
  const { body } = textOf([ticket === null ? asked : { ...asked, ticket }, ...rest], shopRun());
  return body.split("\n").filter((line) => line.startsWith("| Ticket"));
}

test("a reviewer finds the ticket that it was asked for on", () => {
  const ticket = { id: "issue-1", name: "SHOP-7", url: "https://linear.app/acme/issue/SHOP-7/ship-it" };
  expect(ticketLines(ticket)).toEqual(["| Ticket | [SHOP-7](https://linear.app/acme/issue/SHOP-7/ship-it) |"]);
});

test("a request in chat has no ticket", () => {
  expect(ticketLines(null)).toEqual([]);
});

test.each(["javascript:alert(1)", "https://linear.app/a) [b](https://evil.example", "https://a.example/|x|", "SHOP-7"])(
  "a ticket's address that could say something else (%s) makes no link",
  (url) => {
    expect(ticketLines({ id: "issue-1", name: "SHOP-7 | *x*", url })).toEqual(["| Ticket | SHOP-7 \\| \\*x\\* |"]);
  },
);

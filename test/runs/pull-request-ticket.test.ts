import { expect, test } from "vitest";
import type { EventBody } from "#runs/event.ts";
import { pullRequestText } from "#runs/pull-request.ts";
import * as story from "#test/fixtures/run-events.ts";

type Ticket = NonNullable<Extract<EventBody, { kind: "run.requested" }>["ticket"]>;

const run = {
  id: story.title.id,
  number: story.title.number,
  team: "shop",
  requester: { id: "person-ana", name: "Ana" },
  model: "scripted",
  scope: null,
};

/** The body, of a run that was asked for on this ticket. */
function bodyOf(ticket: Ticket | null): string {
  const [first, ...rest] = story.inReview;
  const asked = first as Extract<EventBody, { kind: "run.requested" }>;
  const facts = story.factsOf([ticket === null ? asked : { ...asked, ticket }, ...rest]);
  return pullRequestText(run, facts, "https://agents.example.com/runs/1", "the demo agent").body;
}

const lines = (ticket: Ticket | null) => bodyOf(ticket).split("\n");

test("a reviewer finds the ticket that it was asked for on", () => {
  const ticket = { id: "issue-1", name: "SHOP-7", url: "https://linear.app/acme/issue/SHOP-7/ship-it" };
  expect(lines(ticket)).toContain("| Ticket | [SHOP-7](https://linear.app/acme/issue/SHOP-7/ship-it) |");
});

test("a request in chat has no ticket", () => {
  expect(lines(null).filter((line) => line.startsWith("| Ticket"))).toEqual([]);
});

test.each(["javascript:alert(1)", "https://linear.app/a) [b](https://evil.example", "https://a.example/|x|", "SHOP-7"])(
  "an address that could say something else (%s) makes no link",
  (url) => {
    expect(lines({ id: "issue-1", name: "SHOP-7 | *x*", url })).toContain("| Ticket | SHOP-7 \\| \\*x\\* |");
  },
);

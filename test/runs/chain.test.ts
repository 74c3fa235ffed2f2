import { expect, test } from "vitest";
import { brokenAt, genesis, link } from "#runs/chain.ts";
import type { RunEvent } from "#runs/event.ts";

/** Events of one run, each bound to the one before. */
function chain(runId: string, ...texts: string[]): RunEvent[] {
  let hash = genesis(runId);
  return texts.map((text, index) => {
    const body = { kind: "notice" as const, text };
    const [seq, at] = [index + 1, new Date(1_700_000_000_000 + index)];
    hash = link(hash, seq, at, body);
    return { runId, seq, at, body, hash };
  });
}

const whole = chain("r1", "asked", "approved", "done");
const numbered = (events: readonly RunEvent[]) => events.map((event, index) => ({ ...event, seq: index + 1 }));
/** Every event made anew at its place, each bound to nothing but itself. */
const relinked = (events: readonly RunEvent[]) =>
  events.map((event) => ({ ...event, hash: link(genesis("r1"), event.seq, event.at, event.body) }));

test("a chain that nobody touched holds", () => {
  expect(brokenAt("r1", whole)).toBeNull();
  expect(brokenAt("r1", [])).toBeNull();
});

const TOUCHED: Record<string, [readonly RunEvent[], number]> = {
  "the words of one are changed": [
    whole.map((event) => (event.seq === 2 ? { ...event, body: { kind: "notice", text: "denied" } } : event)),
    2,
  ],
  "the time of one is changed": [whole.map((event) => (event.seq === 2 ? { ...event, at: new Date(0) } : event)), 2],
  "one is taken out": [whole.toSpliced(1, 1), 2],
  "one is taken out and the rest is counted anew": [numbered(whole.toSpliced(1, 1)), 2],
  "the first is taken out and the rest is counted anew": [numbered(whole.slice(1)), 1],
  "two change places": [[whole[0], whole[2], whole[1]].filter((event) => event !== undefined), 2],
  "it is the chain of another run": [chain("r2", "asked", "approved", "done"), 1],
  "its events are bound to nothing but themselves": [relinked(whole), 2],
};
for (const [sentence, [events, at]] of Object.entries(TOUCHED)) {
  test(`a chain does not hold when ${sentence}`, () => {
    expect(brokenAt("r1", events)).toBe(at);
  });
}

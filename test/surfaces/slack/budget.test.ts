import { expect, test } from "vitest";
import { budget, type Urgency } from "#surfaces/slack/budget.ts";

function at(start = 1_000_000) {
  const clock = { now: start };
  return { clock, spend: budget(() => clock.now) };
}

test("no minute sees more than Slack's fifty edits, however many want one", () => {
  const { clock, spend } = at();
  const granted: number[] = [];
  for (let ms = 0; ms < 180_000; ms += 50) {
    clock.now = 1_000_000 + ms;
    if (spend.take("chat.update", "state", `run ${ms}`) === 0) granted.push(clock.now);
  }
  for (const from of granted)
    expect(granted.filter((time) => time >= from && time < from + 60_000).length).toBeLessThanOrEqual(50);
  expect(granted.length).toBeGreaterThan(100);
});

test("the last tokens are for what people wait for", () => {
  const { spend } = at();
  const all: Urgency[] = ["heartbeat", "task", "receipt", "state"];
  const left: Urgency[][] = [];
  for (let n = 0; n < 10; n++) {
    spend.take("chat.update", "state", `run ${n}`);
    const probe = budgetAfter(n + 1);
    left.push(all.filter((urgency) => probe(urgency) === 0));
  }
  expect(left[0]).toEqual(["heartbeat", "task", "receipt", "state"]);
  expect(left[4]).toEqual(["task", "receipt", "state"]);
  expect(left[7]).toEqual(["receipt", "state"]);
  expect(left[8]).toEqual(["state"]);
  expect(left[9]).toEqual([]);

  function budgetAfter(spent: number) {
    return (urgency: Urgency) => {
      const { spend: copy } = at();
      for (let n = 0; n < spent; n++) copy.take("chat.update", "state", `run ${n}`);
      return copy.take("chat.update", urgency, "another run");
    };
  }
});

test("the wait that is told is long enough", () => {
  const { clock, spend } = at();
  for (let n = 0; n < 10; n++) expect(spend.take("chat.update", "state", `run ${n}`)).toBe(0);
  const waitMs = spend.take("chat.update", "receipt", "run x");
  expect(waitMs).toBeGreaterThan(0);
  clock.now += waitMs;
  expect(spend.take("chat.update", "receipt", "run x")).toBe(0);
});

test("those who must wait have their turns one after the other", () => {
  const { clock, spend } = at();
  for (let n = 0; n < 10; n++) spend.take("chat.update", "state", `run ${n}`);
  const turns = Array.from({ length: 5 }, (_, n) => spend.take("chat.update", "state", `late ${n}`));
  expect(turns).toEqual([1_500, 3_000, 4_500, 6_000, 7_500]);
  for (const [n, turn] of turns.entries()) {
    clock.now = 1_000_000 + turn;
    expect(spend.take("chat.update", "state", `late ${n}`)).toBe(0);
  }
});

test("who asks again before their turn keeps it and moves nobody else's", () => {
  const { clock, spend } = at();
  for (let n = 0; n < 10; n++) spend.take("chat.update", "state", `run ${n}`);
  expect(spend.take("chat.update", "state", "late")).toBe(1_500);
  clock.now += 500;
  for (let n = 0; n < 5; n++) expect(spend.take("chat.update", "state", "late")).toBe(1_000);
  expect(spend.take("chat.update", "state", "later")).toBe(2_500);
});

test("steps of one run keep a distance, its state does not wait for it", () => {
  const { clock, spend } = at();
  expect(spend.take("chat.update", "task", "run 1")).toBe(0);
  clock.now += 1_000;
  expect(spend.take("chat.update", "task", "run 1")).toBe(2_000);
  expect(spend.take("chat.update", "state", "run 1")).toBe(0);
  clock.now += 3_000;
  expect(spend.take("chat.update", "task", "run 1")).toBe(0);
});

test("the distance grows with the runs that are at work, and shrinks when they are quiet", () => {
  const { clock, spend } = at();
  for (let run = 0; run < 10; run++) {
    clock.now += 2_000;
    expect(spend.take("chat.update", "state", `run ${run}`)).toBe(0);
  }
  expect(spend.take("chat.update", "task", "run 9")).toBe(20_000);
  clock.now += 61_000;
  spend.take("chat.update", "state", "run 9");
  expect(spend.take("chat.update", "task", "run 9")).toBe(3_000);
});

test("a limit that Slack sets closes one method and no other", () => {
  const { clock, spend } = at();
  spend.limited("chat.update", 30_000);
  expect(spend.take("chat.update", "state", "run 1")).toBe(30_000);
  expect(spend.take("chat.postMessage", "state", "run 1")).toBe(0);
  spend.limited("chat.update", 1_000);
  expect(spend.take("chat.update", "state", "run 1")).toBe(30_000);
  clock.now += 30_000;
  expect(spend.take("chat.update", "state", "run 1")).toBe(0);
});

test("posts are left to Slack's own limit", () => {
  const { spend } = at();
  for (let n = 0; n < 500; n++) expect(spend.take("chat.postMessage", "state", `run ${n}`)).toBe(0);
});

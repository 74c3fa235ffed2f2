import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { canMove, isFinal, isParked, MOVES, queueOf, RUN_STATES } from "#runs/state.ts";

test("the chart in docs/lifecycle.md is the table of moves", () => {
  const chart = readFileSync(path.resolve(import.meta.dirname, "../../docs/lifecycle.md"), "utf8");
  const drawn = [...chart.matchAll(/^ {2}(\w+) --> (\w+)$/gm)].map(([, from, to]) => `${from} ${to}`).sort();
  const moves = RUN_STATES.flatMap((from) =>
    MOVES[from].filter((to) => to !== "cancelled" && to !== "handed_off").map((to) => `${from} ${to}`),
  ).sort();
  expect(drawn).toEqual(moves);
});

test("every state that is not final can be cancelled and handed off", () => {
  for (const state of RUN_STATES.filter((one) => !isFinal(one))) {
    expect(canMove(state, "cancelled"), state).toBe(true);
    expect(canMove(state, "handed_off"), state).toBe(true);
  }
});

test("every state can be reached from a request, and every run can end", () => {
  const reached = new Set<string>(["requested"]);
  for (const state of reached) for (const to of MOVES[state as keyof typeof MOVES]) reached.add(to);
  expect([...reached].sort()).toEqual([...RUN_STATES].sort());
});

test("a run that waits for a person holds no job, and what may take minutes never stands before what takes milliseconds", () => {
  expect(RUN_STATES.filter((state) => isParked(state) && !isFinal(state))).toEqual([
    "waiting",
    "suspended",
    "in_review",
  ]);
  expect(RUN_STATES.filter((state) => queueOf(state) === "agent")).toEqual([
    "preparing",
    "working",
    "checking",
    "publishing",
  ]);
});

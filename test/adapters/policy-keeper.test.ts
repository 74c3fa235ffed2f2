import { expect, test } from "vitest";
import { keepPolicy, type PolicyChange, type PolicyReading, unusable } from "#adapters/policy/keeper.ts";
import { loadPolicy } from "#policy/load/load.ts";

const MINUTE = 60_000;
const ORG = `version: 1
kind: org
routing: {}
ceiling: {repos: [], egress: [], limits: {cost_usd: 1, runtime: 1h, tokens: 1M, upload: 1MB, concurrent_runs: 1}, models: []}
`;
const good = (commit: string): PolicyReading => {
  const files = new Map([["org.yaml", ORG]]);
  return { commit, loaded: loadPolicy(files, { commit }), files };
};
const away = (words: string) => unusable(words, words, true);

function kept() {
  let reading = good("a");
  let now = 0;
  const changes: PolicyChange[] = [];
  const keeper = keepPolicy(
    async () => reading,
    (change) => changes.push(change),
    () => now,
  );
  const look = async (at: number, what: PolicyReading) => {
    [now, reading] = [at * MINUTE, what];
    await keeper.reload();
    return changes.splice(0).map((change) => (change.ok ? "ok" : change.passing ? "passing" : change.tree));
  };
  return { look };
}

test("what cannot be looked at is an alarm after a quarter of an hour, once, and its end is told", async () => {
  const { look } = kept();
  expect(await look(0, good("a"))).toEqual([]);
  expect(await look(1, away("no answer"))).toEqual(["passing"]);
  expect(await look(15, away("no answer"))).toEqual([]);
  expect(await look(16, away("another word for it"))).toEqual(["passing", "away a"]);
  expect(await look(60, away("no answer"))).toEqual(["passing"]);
  expect(await look(61, good("a"))).toEqual(["ok"]);
  expect(await look(62, away("no answer"))).toEqual(["passing"]);
  expect(await look(77, away("no answer"))).toEqual(["away a"]);
});

test("many short failures are no long one", async () => {
  const { look } = kept();
  await look(0, good("a"));
  for (let minute = 0; minute < 60; minute += 10) {
    expect(await look(minute + 1, away("no answer"))).toEqual(["passing"]);
    expect(await look(minute + 9, good("a"))).toEqual(["ok"]);
  }
});

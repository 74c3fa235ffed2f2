import { expect, test } from "vitest";
import type { ExternalId } from "#ports/directory.ts";
import { type Answered, quickRules } from "#runs/quick-yes.ts";
import type { OpenAsk } from "#runs/seat.ts";

const account = (id: string): ExternalId => ({ provider: "slack", workspace: "T1", id });
const [BO, CY] = [account("U0BO"), account("U0CY")];
const ask = (at: string, members: readonly ExternalId[] = [BO], more: Partial<OpenAsk> = {}): OpenAsk => ({
  from: "group:leads",
  quorum: 1,
  self: false,
  assurance: "chat",
  expiresMs: 1_000,
  remindMs: 1_000,
  giveUpMs: 1_000,
  escalate: null,
  delegate: false,
  grants: { for: "run", uses: null, ms: null },
  binds: [],
  rule: { at, text: "ask run.start", why: null },
  members,
  ...more,
});

const OPENED = Date.parse("2026-11-02T09:00:00Z");
/** Answers, each after so many milliseconds. */
const answers = (asks: readonly OpenAsk[], afterMs: readonly number[], o: Partial<Answered> = {}): Answered[] =>
  afterMs.map((ms, n) => {
    const openedAt = new Date(OPENED + n * 60_000);
    return { asks, openedAt, account: BO, choice: "approve", at: new Date(openedAt.getTime() + ms), ...o };
  });
const times = (n: number, ms: number): number[] => Array.from({ length: n }, () => ms);
const SHOP = [ask("teams/shop.yaml:8:5")];

test("a rule whose every answer is a yes within five seconds is named, from its twentieth answer on", () => {
  expect(quickRules(answers(SHOP, times(19, 900)))).toEqual([]);
  expect(quickRules(answers(SHOP, times(20, 900)))).toEqual([
    { rule: { at: "teams/shop.yaml:8:5", text: "ask run.start" }, answers: 20, quick: 20 },
  ]);
});

test("95 in a hundred are not too many, 96 are; five seconds are time enough, and a no is never quick", () => {
  const of = (quick: number, slow: readonly Answered[]) => quickRules([...answers(SHOP, times(quick, 4_999)), ...slow]);
  expect(of(95, answers(SHOP, times(5, 5_000)))).toEqual([]);
  expect(of(96, answers(SHOP, times(4, 5_000)))).toMatchObject([{ answers: 100, quick: 96 }]);
  expect(of(95, answers(SHOP, times(5, 100), { choice: "deny" }))).toEqual([]);
});

test("an answer counts for the rules that asked its person, and once for each", () => {
  const both = [
    ask("teams/shop.yaml:8:5"),
    ask("teams/shop.yaml:8:5", [BO], { from: "group:more" }),
    ask("org.yaml:20:5", [CY]),
    ask("teams/site.yaml:4:5", [CY], { escalated: { at: "2026-11-02T09:00:00Z", members: [BO] } }),
  ];
  expect(quickRules(answers(both, times(20, 100))).map(({ rule, answers: n }) => [rule.at, n])).toEqual([
    ["teams/shop.yaml:8:5", 20],
    ["teams/site.yaml:4:5", 20],
  ]);
});

test("a rule that moved in its file is the same rule, named where it stands; another text is another rule", () => {
  const moved = answers([ask("teams/shop.yaml:9:5")], times(10, 100)).map((one) => ({
    ...one,
    at: new Date(one.at.getTime() + 3_600_000),
    openedAt: new Date(one.openedAt.getTime() + 3_600_000),
  }));
  expect(quickRules([...moved, ...answers(SHOP, times(10, 100))])).toMatchObject([
    { rule: { at: "teams/shop.yaml:9:5" }, answers: 20 },
  ]);
  const another = [ask("teams/shop.yaml:8:5", [BO], { rule: { at: "teams/shop.yaml:8:5", text: "ask x", why: null } })];
  expect(quickRules([...answers(another, times(10, 100)), ...answers(SHOP, times(10, 100))])).toEqual([]);
});

test("the surest sign stands first", () => {
  const site = [ask("teams/site.yaml:4:5")];
  const mixed = [...answers(site, [...times(39, 100), 60_000]), ...answers(SHOP, times(20, 100))];
  expect(quickRules(mixed).map(({ rule, quick }) => [rule.at, quick])).toEqual([
    ["teams/shop.yaml:8:5", 20],
    ["teams/site.yaml:4:5", 39],
  ]);
});

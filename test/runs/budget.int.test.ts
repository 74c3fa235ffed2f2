import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const LIMITS = "limits: { cost_usd: 4, runtime: 1h, upload: 10MB }";
const ASK = "rules:\n  - { ask: { action: run.extend }, from: group:leads }\n";

const spend = (run: string, usd: number, tokens = 1_000) =>
  house.gateway.happen({
    ...{ id: randomUUID(), at: new Date().toISOString(), run, sandbox: null, kind: "model", model: "m" },
    ...{ status: 200, prices: "p", durationMs: 1 },
    usage: { usd, inputTokens: tokens, cachedTokens: 0, outputTokens: 0, calls: 1 },
  });
const refuse = (run: string) =>
  house.gateway.happen({
    ...{ id: randomUUID(), at: new Date().toISOString(), run, sandbox: null, kind: "egress", via: "model", host: "m" },
    ...{ port: 443, method: "POST", outcome: "deny", reason: "budget", rule: null },
  });

/** The agent writes, spends `usd` and is refused the next call, as often as `times`; then it has enough. */
async function spending(usd: number, times = 1, rules = ASK, tokens = 1_000) {
  let left = times;
  house = await memoryHouse({
    play: () => {
      if (left <= 0) return [{ write: "README.md", content: "finished\n" }, { say: "Done." }];
      left -= 1;
      const run = [...house.gateway.grants.values()].find((grant) => grant.git?.branch)?.run ?? "";
      spend(run, usd, tokens);
      refuse(run);
      return [{ write: "README.md", content: `half ${left}\n` }, { fail: "403 budget" }];
    },
  });
  house.policy.edit(DATA, "rules:\n", rules);
  await house.say(ANA, "do a lot", { channel: "C0DATA" });
}

const budgetOf = (run: Run) => [...house.gateway.grants.values()].find((grant) => grant.run === run.id)?.budget;

test("people are asked with what was spent and what more is asked, and the work so far is kept meanwhile", async () => {
  await spending(3.98);
  const run = await house.until("suspended");
  const question = await house.question(run);
  expect(question).toMatchObject({
    gate: "budget",
    asks: [{ from: "group:leads" }],
    subject: {
      spent: { usd: 3.98, tokens: 1_000 },
      budget: { usd: 4, tokens: 5_000_000 },
      more: { usd: 4, tokens: 5_000_000 },
    },
  });
  expect(house.world.pushed).not.toBeNull();
  expect((await factsOf(house.core, run.id)).work?.files).toEqual([expect.objectContaining({ path: "README.md" })]);
  expect(house.gateway.grants.size).toBe(0);
});

test("a yes raises the run's budget by what was asked, and it goes on to its pull request", async () => {
  await spending(3.98);
  const run = await house.until("suspended");
  const question = await house.question(run);
  const granted: number[] = [];
  const { grant } = house.gateway;
  house.gateway.grant = async (one) => {
    granted.push(one.budget.usd);
    await grant(one);
  };
  await house.answer(BO, question.id);
  await house.until("in_review");
  expect(granted[0]).toBe(8);
  const { approvals } = await factsOf(house.core, run.id);
  expect(approvals).toMatchObject([{ gate: "budget", status: "approved", digest: question.digest }]);
  expect(house.repoHost.textOf("acme/reports", 1)?.body).toContain("| Cost | $3.98 of $8.00, 1 model call |");
});

test("the next question asks for no more than the ceiling, and there is none above it", async () => {
  await spending(4, 3);
  const first = await house.until("suspended");
  await house.answer(BO, (await house.question(first)).id);
  await house.until("suspended");
  const second = await house.question(first);
  expect(second.subject).toMatchObject({ spent: { usd: 8 }, budget: { usd: 8 }, more: { usd: 2 } });
  await house.answer(BO, second.id);
  const run = await house.until("handed_off");
  const { handoff } = await factsOf(house.core, run.id);
  expect(handoff).toMatchObject({
    fault: "budget",
    failed: expect.stringMatching(
      /^The budget of \$10\.00 is spent \(limits\.cost_usd 4 at teams\/data\.yaml:\d+:\d+\)\.$/,
    ),
    next: expect.stringContaining("at the ceiling"),
  });
});

test("a no ends the run with the work kept, and says who and why", async () => {
  await spending(4);
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id, "deny", { reason: "too dear" });
  const over = await house.until("handed_off");
  const { handoff, work } = await factsOf(house.core, over.id);
  expect(handoff).toMatchObject({ fault: "budget", failed: "The budget is spent, and Bo said no to more: too dear" });
  expect(work).not.toBeNull();
  expect(over.headOid).toBe(work?.head);
});

test("nobody answers: the question expires, the run waits, and in the end it is handed off with the work kept", async () => {
  await spending(4);
  const run = await house.until("suspended");
  await house.question(run);
  await house.pass(31 * 60_000, run);
  expect((await factsOf(house.core, run.id)).approvals).toMatchObject([{ status: "expired" }]);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("suspended");
  await house.pass(8 * 24 * 3_600_000, run);
  const over = await house.until("handed_off");
  expect((await factsOf(house.core, over.id)).handoff).toMatchObject({
    fault: "budget",
    failed: expect.stringContaining("nobody who may give more answered"),
  });
});

test("a team whose policy asks nobody for more is handed off, with the limit's line and the work kept", async () => {
  await spending(4, 1, "rules:\n");
  const run = await house.until("handed_off");
  const { handoff, work, approvals, decisions } = await factsOf(house.core, run.id);
  expect(approvals).toEqual([]);
  expect(decisions.slice(-2)).toMatchObject([
    { about: "budget", subject: "run.extend", outcome: "deny" },
    { about: "budget", subject: "cost_usd", reason: "over_limit", rules: [{ text: "limits.cost_usd 4" }] },
  ]);
  expect(handoff).toMatchObject({
    fault: "budget",
    failed: expect.stringMatching(
      /^The budget of \$4\.00 is spent \(limits\.cost_usd 4 at teams\/data\.yaml:\d+:\d+\)\.$/,
    ),
  });
  expect(work?.head).toBe(run.headOid);
});

test("tokens that are spent first are what is asked for", async () => {
  await spending(0.5, 1, ASK, 5_000_000);
  const run = await house.until("suspended");
  expect((await house.question(run)).subject).toMatchObject({
    spent: { tokens: 5_000_000 },
    more: { tokens: 5_000_000 },
  });
});

test("a yes ends when policy no longer has it asked about", async () => {
  await spending(4, 1);
  const run = await house.until("suspended");
  let seen: (usd: number) => void = () => undefined;
  const first = new Promise<number>((resolve) => {
    seen = resolve;
  });
  const { grant } = house.gateway;
  house.gateway.grant = async (one) => {
    seen(one.budget.usd);
    await grant(one);
  };
  house.policy.edit(DATA, ASK, "rules:\n  - { deny: { action: run.extend } }\n");
  await house.answer(BO, (await house.question(run)).id);
  expect(await first).toBe(4);
  await house.until("in_review", "handed_off");
});

test("where the month and not the run's own limit is spent nobody is asked: a yes could give nothing", async () => {
  await spending(3, 1);
  house.policy.edit(DATA, LIMITS, "limits: { cost_usd: 4, runtime: 1h, upload: 10MB, per_month: { cost_usd: 3 } }");
  const run = await house.until("handed_off");
  const { handoff, approvals, decisions } = await factsOf(house.core, run.id);
  expect(approvals).toEqual([]);
  expect(decisions.at(-1)).toMatchObject({
    ...{ about: "budget", subject: "per_month.cost_usd", outcome: "deny", reason: "over_limit" },
    rules: [{ text: "limits.per_month.cost_usd 3" }],
  });
  expect(handoff?.failed).toMatch(
    /^The month of team data is used up: \$3\.00 of \$3\.00 \(limits\.per_month\.cost_usd 3 at /,
  );
});

test("a live sandbox has its grown budget at every grant anew, until policy takes it back", async () => {
  house = await memoryHouse({
    play: (prompt) => {
      const run = [...house.gateway.grants.values()].find((grant) => grant.git?.branch)?.run ?? "";
      if (prompt.includes("interrupted")) return [{ run: "rm -rf build", ask: true }, { fail: "403 budget" }];
      spend(run, 4);
      refuse(run);
      return [{ fail: "403 budget" }];
    },
  });
  house.policy.edit(DATA, "rules:\n", ASK);
  await house.say(ANA, "do a lot", { channel: "C0DATA" });
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("working");
  await house.question(run);
  await regrant(house.core);
  expect(budgetOf(run)).toEqual({ usd: 8, tokens: 10_000_000 });
  const words = async () =>
    (await factsOf(house.core, run.id)).decisions
      .filter(({ subject }) => subject === "run.extend")
      .map(({ outcome, rules: [rule] }) => [outcome, rule?.text]);
  const asked = ["ask", "ask action run.extend from group:leads"];
  expect(await words()).toEqual([asked]);
  // What policy takes back is in the record, by its rule, once.
  house.policy.edit(DATA, ASK, "rules:\n  - { deny: { action: run.extend } }\n");
  await regrant(house.core);
  await regrant(house.core);
  expect(budgetOf(run)?.usd).toBe(4);
  const taken = [asked, ["deny", "deny action run.extend"]];
  expect(await words()).toEqual(taken);
  await house.answer(BO, (await house.question(run)).id);
  await house.until("handed_off");
  expect(await words()).toEqual(taken);
});

test("more money counts no more once who said yes to it has added to the run", async () => {
  let turn = 0;
  house = await memoryHouse({
    play: () => {
      turn += 1;
      if (turn > 1) return [{ run: "rm -rf build", ask: true }, { say: "Done." }];
      const run = [...house.gateway.grants.values()].find((grant) => grant.git?.branch)?.run ?? "";
      spend(run, 3.98);
      refuse(run);
      return [{ write: "README.md", content: "half\n" }, { fail: "403 budget" }];
    },
  });
  house.policy.edit(DATA, "rules:\n", ASK);
  await house.say(ANA, "do a lot", { channel: "C0DATA" });
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("working");
  await house.question(run);
  expect(budgetOf(run)?.usd).toBe(8);
  await house.say(BO, "and the second list", { in: run });
  expect(budgetOf(run)?.usd).toBe(4);
});

import { randomUUID } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { sweep } from "#runs/life/sweep.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const LIMITS = "limits: { cost_usd: 4, runtime: 1h, upload: 10MB }";
const ASKED: Script = { play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] };

/** A house in which the data team is held to `limits` beside its own. */
async function held(limits: string, script: Script = ASKED) {
  house = await memoryHouse(script);
  house.policy.edit(DATA, LIMITS, `limits: { cost_usd: 4, runtime: 1h, upload: 10MB, ${limits} }`);
}

const ask = async (account = ANA) => {
  await house.say(account, "clean up", { channel: "C0DATA" });
};
/** A run whose agent waits for a person: at work, for as long as the test wants. */
async function atWork(account = ANA): Promise<Run> {
  await ask(account);
  const run = await house.until("working");
  await house.question(run);
  return run;
}
const stateOf = async (run: Run) => (await house.core.stores.runs.get(run.id))?.state;
const budgetOf = (run: Run) => [...house.gateway.grants.values()].find((grant) => grant.run === run.id)?.budget;

/** The gateway meters a call of the run. */
function metered(run: Run, usd: number, tokens = 0): void {
  house.gateway.happen({
    ...{ id: randomUUID(), at: new Date().toISOString(), run: run.id, sandbox: null, kind: "model", model: "m" },
    ...{ status: 200, prices: "p", durationMs: 1 },
    usage: { usd, inputTokens: tokens, cachedTokens: 0, outputTokens: 0, calls: 1 },
  });
}

/** The same; in the record when this resolves. */
async function spend(run: Run, usd: number, tokens = 0): Promise<void> {
  metered(run, usd, tokens);
  while ((await factsOf(house.core, run.id)).spent.usd < usd) await new Promise((resolve) => setImmediate(resolve));
}

test.each([
  ["per_repo", "1 of the 1 runs of acme/reports are at work", BO],
  ["per_person", "1 of Ana's 1 runs are at work", ANA],
] as const)(
  "%s: a run beyond it waits, says once why and where that is written, and starts by itself",
  async (name, words, second) => {
    await held(`${name}: { concurrent_runs: 1 }`);
    const first = await atWork();
    await ask(second);
    const waiting = await house.until("queued");
    await house.pass(6_000, waiting);
    await house.pass(6_000, waiting);
    expect(await stateOf(waiting)).toBe("queued");
    expect(await house.notices(waiting)).toEqual([
      expect.stringMatching(`^${words} \\(teams/data\\.yaml:\\d+:\\d+\\); this one starts when`),
    ]);
    const question = await house.question(first);
    await house.answer(BO, question.id);
    while ((await stateOf(first)) === "working") await new Promise((resolve) => setImmediate(resolve));
    await house.pass(6_000, waiting);
    expect(await house.until("working")).toMatchObject({ id: waiting.id });
    expect(await house.notices(waiting)).toHaveLength(1);
  },
);

test("a run that comes back with an answer waits for a place, says so, and is before whoever begins", async () => {
  await held("per_repo: { concurrent_runs: 1 }");
  const first = await atWork();
  const question = await house.question(first);
  house.world.offset += question.expiresAt.getTime() - house.core.clock.now().getTime() + 1_000;
  await house.pass(0, first);
  await house.until("suspended");
  const second = await atWork();
  const { askAgain } = await import("#runs/request/ask-again.ts");
  await askAgain(house.core, { approvalId: question.id, account: ANA, place: first.place });
  await house.answer(BO, (await house.question(first)).id);
  await house.pass(6_000, first);
  expect(await stateOf(first)).toBe("queued");
  await ask();
  const third = await house.until("queued");
  expect(third.id).not.toBe(first.id);
  expect(await house.notices(first)).toEqual([
    expect.stringMatching(/^1 of the 1 runs of acme\/reports are at work \(teams\/data\.yaml/),
  ]);
  await house.answer(BO, (await house.question(second)).id);
  while ((await stateOf(second)) === "working") await new Promise((resolve) => setImmediate(resolve));
  await house.pass(6_000, third);
  expect(await stateOf(third)).toBe("queued");
  await house.pass(0, first);
  while ((await stateOf(first)) === "queued") await new Promise((resolve) => setImmediate(resolve));
  expect(await stateOf(third)).toBe("queued");
});

test("per_person holds one person, and lets another begin", async () => {
  await held("per_person: { concurrent_runs: 1 }");
  await atWork();
  const other = await atWork(BO);
  expect(other.requester.name).toBe("Bo");
});

test("the gateway gets what is left of the month, and no more than is not promised to other runs", async () => {
  await held("per_month: { cost_usd: 5 }");
  const first = await atWork();
  expect(budgetOf(first)?.usd).toBe(4);
  await spend(first, 1);
  const second = await atWork(BO);
  // 5 in the month, 1 of it spent, 3 of it promised to the first.
  expect(budgetOf(second)?.usd).toBe(1);
  const { id, place } = first;
  const { stop } = await import("#runs/request/stop.ts");
  await stop(house.core, { runId: id, account: ANA, place });
  while ((await stateOf(first)) !== "cancelled") await new Promise((resolve) => setImmediate(resolve));
  await regrant(house.core);
  expect(budgetOf(second)?.usd).toBe(4);
});

test("a month that is promised to runs at work lets the next one wait, and says so once", async () => {
  await held("per_person_month: { cost_usd: 4 }");
  const first = await atWork();
  await ask();
  const waiting = await house.until("queued");
  await house.pass(6_000, waiting);
  expect(await house.notices(waiting)).toEqual([
    expect.stringMatching(
      /^Ana's month has \$0\.00 of \$4\.00 spent and the rest promised to runs at work \(teams\/data\.yaml:\d+:\d+\);/,
    ),
  ]);
  await spend(first, 1.5);
  await house.answer(BO, (await house.question(first)).id);
  while ((await stateOf(first)) === "working") await new Promise((resolve) => setImmediate(resolve));
  await house.pass(6_000, waiting);
  const run = await house.until("working");
  expect(budgetOf(run)?.usd).toBe(2.5);
});

test("what an ended run may have spent is promised to nobody before its last call is in the record", async () => {
  await held("per_month: { cost_usd: 4 }");
  const first = await atWork();
  let read = () => {};
  house.world.reader = new Promise((resolve) => {
    read = resolve;
  });
  metered(first, 3.5);
  const { stop } = await import("#runs/request/stop.ts");
  await stop(house.core, { runId: first.id, account: ANA, place: first.place });
  while ((await stateOf(first)) !== "cancelled") await new Promise((resolve) => setImmediate(resolve));
  await ask(BO);
  const second = await house.until("queued");
  await house.pass(6_000, second);
  await sweep(house.core);
  expect(await house.notices(second)).toEqual([
    expect.stringMatching(/^The month of team data has \$0\.00 of \$4\.00 spent and the rest promised/),
  ]);
  expect(await stateOf(second)).toBe("queued");
  read();
  while ((await factsOf(house.core, first.id)).spent.usd < 3.5) await new Promise((resolve) => setImmediate(resolve));
  await house.pass(6_000, second);
  expect(await house.until("working")).toMatchObject({ id: second.id });
  await house.question(second);
  expect(budgetOf(second)?.usd).toBe(0.5);
});

test("what a run that waits for people has not spent is free again, and held once more when it goes on", async () => {
  await held("per_person_month: { cost_usd: 5 }");
  const first = await atWork();
  const heldFor = async () => (await house.core.stores.shares.allotted(first.id))?.usd ?? null;
  expect(await heldFor()).toBe(4);
  const question = await house.question(first);
  house.world.offset += question.expiresAt.getTime() - house.core.clock.now().getTime() + 1_000;
  await house.pass(0, first);
  await house.until("suspended");
  await sweep(house.core);
  expect(await heldFor()).toBe(null);
  const { askAgain } = await import("#runs/request/ask-again.ts");
  await askAgain(house.core, { approvalId: question.id, account: ANA, place: first.place });
  await house.answer(BO, (await house.question(first)).id);
  await house.until("working", "in_review", "answered");
  expect(await heldFor()).toBe(4);
});

test.each([
  [
    "per_month: { tokens: 1k }",
    /^The month of team data is used up: 1,200 of 1,000 tokens \(limits\.per_month\.tokens 1k at teams\/data\.yaml:\d+:\d+\)\.$/,
  ],
  [
    "per_person_month: { cost_usd: 2 }",
    /^Ana's month is used up: \$2\.00 of \$2\.00 \(limits\.per_person_month\.cost_usd 2 at teams\/data\.yaml:\d+:\d+\)\.$/,
  ],
] as const)(
  "%s: when it is used up a run ends before anything is made, and says which, where, until when and who",
  async (limits, words) => {
    await held(limits, {});
    await ask();
    const first = await house.until("in_review");
    await spend(first, 2, 1_200);
    await ask();
    const run = await house.until("handed_off");
    const { handoff, decisions, sandboxes } = await factsOf(house.core, run.id);
    expect(handoff).toMatchObject({ fault: "budget", failed: expect.stringMatching(words) });
    expect(handoff?.next).toMatch(
      /^The next month begins on 1 \w+ \d{4}, 00:00 UTC: ask again then\. Before that group:security can raise it at teams\/data\.yaml:\d+:\d+\.$/,
    );
    expect(decisions.at(-1)).toMatchObject({ about: "budget", outcome: "deny", reason: "over_limit" });
    expect(sandboxes).toEqual([]);
  },
);

test("nobody is asked for a yes that would start nothing", async () => {
  house = await memoryHouse({});
  house.policy.edit("teams/shop.yaml", "limits: { cost_usd: 5,", "limits: { per_month: { cost_usd: 1 }, cost_usd: 5,");
  await house.say(ANA, "fix the discount");
  const first = await house.until("waiting");
  await house.answer(BO, (await house.question(first)).id);
  const done = await house.until("in_review");
  await spend(done, 1);
  await house.say(ANA, "fix it again");
  const run = await house.until("handed_off");
  expect((await eventsOf(house.core, run.id)).some(({ body }) => body.kind === "approval.opened")).toBe(false);
});

test("a month that is made smaller holds for a run at work at the next grant", async () => {
  await held("per_month: { cost_usd: 100 }");
  const run = await atWork();
  expect(budgetOf(run)?.usd).toBe(4);
  house.policy.edit(DATA, "per_month: { cost_usd: 100 }", "per_month: { cost_usd: 3 }");
  await regrant(house.core);
  expect(budgetOf(run)?.usd).toBe(3);
});

import { afterEach, expect, test } from "vitest";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const MINUTE = 60_000;
const data = { channel: "C0DATA" };
const HANGS: Script = { play: () => [{ run: "sleep infinity", hangs: true }] };

/** A run whose agent is at work and will not end by itself. */
async function hanging(): Promise<Run> {
  house = await memoryHouse(HANGS);
  await house.say(ANA, "count to infinity", data);
  const run = await house.until("working");
  await expect
    .poll(async () => (await eventsOf(house.core, run.id)).map(({ body }) => body.kind))
    .toContain("tool.started");
  return run;
}

test("a run's time begins when it is admitted, and is as long as policy says", async () => {
  const before = Date.now();
  const { deadlineAt } = await hanging();
  expect(deadlineAt?.getTime()).toBeGreaterThanOrEqual(before + 60 * MINUTE);
  expect(deadlineAt?.getTime()).toBeLessThanOrEqual(Date.now() + 60 * MINUTE);
});

test("a run that is not done in its time is handed off, with the limit and where it is written", async () => {
  const run = await hanging();
  house.world.offset = 61 * MINUTE;
  await house.until("handed_off");
  const { handoff, decisions } = await factsOf(house.core, run.id);
  expect(decisions.at(-1)).toMatchObject({
    ...{ about: "budget", subject: "runtime", outcome: "deny", reason: "over_limit" },
    rules: [{ text: "limits.runtime 1h" }],
  });
  expect(handoff).toMatchObject({
    fault: "budget",
    failed: expect.stringMatching(
      /^It was not done within 60 min, the limit of data \(limits\.runtime 1h at teams\/data\.yaml:\d+:\d+\)\.$/,
    ),
    next: expect.stringContaining("more time"),
  });
});

test("a narrower time holds at once, also for an agent that is at work", async () => {
  const run = await hanging();
  house.world.offset = 31 * MINUTE;
  house.policy.edit(DATA, "runtime: 1h", "runtime: 30m");
  await house.until("handed_off");
  const { handoff } = await factsOf(house.core, run.id);
  expect(handoff?.failed).toMatch(/^It was not done within 30 min, the limit of data \(limits\.runtime 30m at /);
});

test("more time waits for the next run", async () => {
  await hanging();
  house.policy.edit(DATA, "runtime: 1h", "runtime: 2h");
  house.world.offset = 61 * MINUTE;
  await house.until("handed_off");
});

test("with a narrower time the way out of its sandbox ends earlier too", async () => {
  const run = await hanging();
  const expires = () =>
    Date.parse([...house.gateway.grants.values()].find((one) => one.run === run.id)?.expiresAt ?? "");
  const before = expires();
  house.policy.edit(DATA, "runtime: 1h", "runtime: 30m");
  await regrant(house.core);
  expect(before - expires()).toBe(30 * MINUTE);
});

/** Waits for a person once, so that policy can be changed while the agent is at work. */
function asksOnce(): NonNullable<Script["play"]> {
  const works = [{ write: "README.md", content: "done\n" }, { say: "Done." }];
  const asks = [{ run: "rm -rf build", ask: true }];
  return () => [...asks.splice(0), ...works];
}

const judged = async (run: Pick<Run, "id">) =>
  (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    body.kind === "check.judged" ? [`${body.name}: ${body.verdict}${body.required ? "" : ", not required"}`] : [],
  );

test("a check that is not required says what it found, and holds nothing up", async () => {
  house = await memoryHouse({ checks: (on) => (on === "head" ? 1 : 0) });
  house.policy.edit(DATA, "timeout: 1m }", "timeout: 1m, required: false }");
  await house.say(ANA, "change the docs", data);
  const run = await house.until("in_review");
  expect(await judged(run)).toEqual(["query lint: broke, not required"]);
  const turns = await house.core.stores.turns.all(run.id);
  expect(turns.map(({ cause }) => cause)).toEqual(["request"]);
});

test("a check that takes longer than its timeout was not run, and what it printed until then is kept", async () => {
  const late = Promise.withResolvers<number>();
  house = await memoryHouse({ checks: (on) => (on === "base" ? 0 : late.promise) });
  house.policy.edit(DATA, "timeout: 1m }", "timeout: 1s, required: false }");
  await house.say(ANA, "change the docs", data);
  const run = await house.until("in_review");
  late.resolve(0);
  const head = (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    body.kind === "check.ran" && body.on === "head" ? [body] : [],
  );
  expect(head).toMatchObject([{ exitCode: null, output: expect.stringContaining("(stopped after 1 s)") }]);
  expect(await judged(run)).toEqual(["query lint: not_run, not required"]);
});

test.each([
  [
    "new",
    "checks:\n",
    "checks:\n  - { name: spelling, in: acme/reports, command: sh spelling.sh }\n",
    "spelling",
    "sh spelling.sh",
  ],
  [
    "changed",
    "command: sh scripts/lint.sh",
    "command: sh scripts/strict.sh",
    "query lint (now)",
    "sh scripts/strict.sh",
  ],
])("a check that is %s in policy holds at once for a run that is at work", async (_what, from, to, name, command) => {
  const ran: string[] = [];
  house = await memoryHouse({
    play: asksOnce(),
    checks: (on, _times, line) => {
      ran.push(line);
      return on === "head" && line.includes(command) ? 1 : 0;
    },
  });
  await house.say(ANA, "change the docs", data);
  const run = await house.until("working");
  const question = await house.question(run);
  house.policy.edit(DATA, from, to);
  await house.answer(BO, question.id);
  await house.until("handed_off");
  expect(ran.some((line) => line.includes(command))).toBe(true);
  expect(ran.some((line) => line.includes("sh scripts/lint.sh"))).toBe(true);
  expect(new Set(await judged(run))).toEqual(new Set(["query lint: green", `${name}: broke`]));
});

test("a check that policy requires by now holds a run that was begun when it was not required", async () => {
  house = await memoryHouse({
    play: asksOnce(),
    checks: (on) => (on === "head" ? 1 : 0),
  });
  house.policy.edit(DATA, "timeout: 1m }", "timeout: 1m, required: false }");
  await house.say(ANA, "change the docs", data);
  const run = await house.until("working");
  const question = await house.question(run);
  house.policy.edit(DATA, "timeout: 1m, required: false }", "timeout: 1m }");
  await house.answer(BO, question.id);
  await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({ fault: "code" });
});

import { afterEach, expect, test } from "vitest";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const MINUTE = 60_000;
const ASK = "rules:\n  - { ask: { action: run.extend }, from: group:leads }\n";

/** The agent writes and does not end, as often as `times`; then it is done. A run that has reached that. */
async function slow(times = 1, rules = ASK, runtime = "1h"): Promise<Run> {
  let left = times;
  house = await memoryHouse({
    play: () => {
      if (left <= 0) return [{ write: "README.md", content: "finished\n" }, { say: "Done." }];
      left -= 1;
      return [
        { write: "README.md", content: `half ${left}\n` },
        { run: `sleep ${left}`, hangs: true },
      ];
    },
  });
  house.policy.edit(DATA, "rules:\n", rules);
  house.policy.edit(DATA, "runtime: 1h", `runtime: ${runtime}`);
  await house.say(ANA, "do a lot", { channel: "C0DATA" });
  return atWork("sleep");
}

/** Once the agent runs what does not end. */
async function atWork(command: string): Promise<Run> {
  const run = await house.until("working");
  const seen = async () =>
    (await eventsOf(house.core, run.id)).some(
      ({ body }) => body.kind === "tool.started" && body.command?.startsWith(command) === true,
    );
  await expect.poll(seen, { timeout: 15_000 }).toBe(true);
  return run;
}

const later = (minutes: number) => {
  house.world.offset += minutes * MINUTE;
};
const leftOf = async (run: Run): Promise<number> => {
  const now = await house.core.stores.runs.get(run.id);
  return ((now?.deadlineAt?.getTime() ?? 0) - house.core.clock.now().getTime()) / MINUTE;
};

/** How long its sandbox reaches anything, in minutes. */
const wayOutOf = (run: Run): number => {
  const grant = [...house.gateway.grants.values()].find((one) => one.run === run.id);
  return (Date.parse(grant?.expiresAt ?? "") - house.core.clock.now().getTime()) / MINUTE;
};

test("a run whose time is over asks for as much again, with its work saved and its sandbox let go", async () => {
  const run = await slow();
  later(61);
  await house.until("suspended");
  expect(await house.question(run)).toMatchObject({
    gate: "budget",
    asks: [{ from: "group:leads" }],
    subject: { timeMs: 60 * MINUTE, moreMs: 60 * MINUTE },
  });
  expect(house.world.pushed).not.toBeNull();
  expect((await factsOf(house.core, run.id)).work?.files).toEqual([expect.objectContaining({ path: "README.md" })]);
  expect(house.gateway.grants.size).toBe(0);
  expect(await house.sandboxes.list({})).toEqual([]);
});

test("a yes gives what was asked from then on, to the run, its sandbox and its way out", async () => {
  const run = await slow(2);
  later(61);
  await house.until("suspended");
  const question = await house.question(run);
  // Who answers takes their time: none of it is the run's.
  later(20);
  await house.answer(BO, question.id);
  await atWork("sleep 0");
  expect(await leftOf(run)).toBeCloseTo(60, 0);
  // And a quarter of an hour, in which its work is saved.
  expect(wayOutOf(run)).toBeCloseTo(75, 0);
  const [box] = await house.sandboxes.list({ slot: "agent" });
  expect((box?.expiresAt.getTime() ?? 0) - house.core.clock.now().getTime()).toBeGreaterThan(60 * MINUTE);
  expect((await factsOf(house.core, run.id)).approvals).toMatchObject([
    { status: "approved", digest: question.digest },
  ]);
});

test("together it is never more than the ceiling, and nobody is asked above it", async () => {
  const run = await slow(9, ASK, "90m");
  later(91);
  await house.until("suspended");
  const question = await house.question(run);
  expect(question.subject).toMatchObject({ timeMs: 90 * MINUTE, moreMs: 30 * MINUTE });
  await house.answer(BO, question.id);
  await atWork("sleep 7");
  expect(await leftOf(run)).toBeCloseTo(30, 0);
  later(31);
  await house.until("handed_off");
  const { handoff, approvals, decisions } = await factsOf(house.core, run.id);
  expect(approvals).toHaveLength(1);
  expect(handoff).toMatchObject({
    fault: "budget",
    failed: expect.stringMatching(/^It was not done within 120 min, the limit of data \(limits\.runtime 90m at /),
    next: expect.stringContaining("at the ceiling"),
  });
  expect(decisions.at(-1)).toMatchObject({ subject: "runtime", reason: "over_limit" });
});

test("where policy has cut the time meanwhile, what is asked and given is of what is left", async () => {
  const run = await slow(2);
  house.policy.edit(DATA, "runtime: 1h", "runtime: 20m");
  later(21);
  await house.until("suspended");
  const question = await house.question(run);
  expect(question.subject).toMatchObject({ timeMs: 20 * MINUTE, moreMs: 20 * MINUTE });
  await house.answer(BO, question.id);
  await atWork("sleep 0");
  expect(wayOutOf(run)).toBeCloseTo(35, 0);
});

test("an answer about something else gives a run its whole time anew, as any run, also when it was given some before", async () => {
  const steps = [
    [{ run: "sleep 1", hangs: true }],
    [{ run: "rm -rf build", ask: true }],
    [{ run: "sleep 2", hangs: true }],
  ];
  house = await memoryHouse({ play: () => steps.shift() ?? [{ say: "Done." }] });
  house.policy.edit(DATA, "rules:\n", ASK);
  house.policy.edit(DATA, "runtime: 1h", "runtime: 90m");
  await house.say(ANA, "do a lot", { channel: "C0DATA" });
  const run = await atWork("sleep 1");
  later(91);
  await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("working");
  const command = await house.question(run);
  expect(await leftOf(run)).toBeLessThan(50);
  await house.pass(16 * MINUTE, run);
  await house.until("suspended");
  await askAgain(house.core, { approvalId: command.id, account: ANA, place: run.place });
  await house.answer(BO, (await house.question(run)).id);
  await atWork("sleep 2");
  expect(await leftOf(run)).toBeCloseTo(90, 0);
});

test("a no ends the run with its work kept, and says who and why", async () => {
  const run = await slow();
  later(61);
  await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id, "deny", { reason: "too slow" });
  const over = await house.until("handed_off");
  const { handoff, work } = await factsOf(house.core, run.id);
  expect(handoff).toMatchObject({ fault: "budget", failed: "Its time is used up, and Bo said no to more: too slow" });
  expect(over.headOid).toBe(work?.head);
});

test("nobody answers: the run is handed off in the end, and says that its time is used up", async () => {
  const run = await slow();
  later(61);
  await house.until("suspended");
  await house.question(run);
  await house.pass(31 * MINUTE, run);
  await house.pass(8 * 24 * 60 * MINUTE, run);
  await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({
    fault: "budget",
    failed: expect.stringMatching(/^Its time is used up, and nobody who may give more answered/),
  });
});

test("where policy asks nobody it is handed off as it was, with the work kept", async () => {
  const run = await slow(1, "rules:\n");
  later(61);
  const over = await house.until("handed_off");
  const { handoff, work, approvals } = await factsOf(house.core, run.id);
  expect(approvals).toEqual([]);
  expect(handoff?.failed).toMatch(/^It was not done within 60 min, the limit of data \(limits\.runtime 1h at /);
  expect(work?.head).toBe(over.headOid);
});

test("a yes gives nothing once policy has nobody asked for it any more", async () => {
  const run = await slow(9);
  later(61);
  await house.until("suspended");
  house.policy.edit(DATA, ASK, "rules:\n  - { deny: { action: run.extend } }\n");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff?.next).toContain("deny action run.extend");
});

test("an answer that comes while the work is being saved counts", async () => {
  const run = await slow(2);
  const { pendingOf } = house.core.stores.approvals;
  const { revoke } = house.gateway;
  let answered = false;
  house.gateway.revoke = async (key) => {
    const [open] = answered ? [] : await house.core.store.tx((tx) => pendingOf(tx, run.id));
    if (open !== undefined) {
      answered = true;
      await house.answer(BO, open.id);
    }
    await revoke(key);
  };
  later(61);
  await atWork("sleep 0");
  expect(answered).toBe(true);
  expect(await leftOf(run)).toBeCloseTo(60, 0);
});

test("a worker that comes long after the time was over saves the work all the same", async () => {
  const run = await slow();
  const granted: number[] = [];
  const { grant } = house.gateway;
  house.gateway.grant = async (one) => {
    granted.push(Date.parse(one.expiresAt) - house.core.clock.now().getTime());
    await grant(one);
  };
  later(100);
  await house.until("suspended");
  expect(await house.question(run)).toMatchObject({ subject: { timeMs: 60 * MINUTE } });
  expect(granted.at(-1)).toBeGreaterThan(10 * MINUTE);
  expect(house.world.pushed).not.toBeNull();
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

import { afterEach, expect, test } from "vitest";
import type { Approval } from "#runs/approval.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;

/** What was wanted for the thread beside the card, as the outbox keeps it. */
const wanted = (run: Run, approval: Approval) =>
  house.core.stores.outbox.get(`slack:${run.id}:reminder:${approval.id}`);

const remindersShown = async (): Promise<Extract<View, { kind: "reminder" }>[]> =>
  [...(await house.show()).values()].flatMap((view) => (view.kind === "reminder" ? [view] : []));

/** Ana's request, which a lead has to allow within 30 minutes; policy reminds them after 10. */
async function asked() {
  house = await memoryHouse();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  return { run, first: await house.question(run) };
}

test("a question that nobody answers is put to its group once more, at its own time and only once", async () => {
  const { run, first } = await asked();
  const remindAt = first.expiresAt.getTime() - 20 * MINUTE;
  expect((await house.core.stores.runs.get(run.id))?.wakeAt?.getTime()).toBe(remindAt);
  await house.pass(9 * MINUTE, run);
  expect(await wanted(run, first)).toBeNull();
  await house.pass(MINUTE, run);
  expect(await wanted(run, first)).toMatchObject({ version: 1, place: run.place });
  expect((await house.core.stores.runs.get(run.id))?.wakeAt).toEqual(first.expiresAt);
  expect(await remindersShown()).toEqual([
    expect.objectContaining({
      approval: expect.objectContaining({ id: first.id }),
      groups: { "group:leads": { slack_usergroup: "S0LEADS" } },
    }),
  ]);
  for (let look = 0; look < 5; look += 1) await house.pass(MINUTE, run);
  expect(await wanted(run, first)).toMatchObject({ version: 1 });
});

test("a worker that begins after another one's death reminds nobody twice", async () => {
  const { run, first } = await asked();
  await house.pass(10 * MINUTE, run);
  const taken = await house.core.stores.runs.take(run.id);
  await house.core.store.tx((tx) =>
    house.core.stores.runs.patch(tx, { id: run.id, epoch: taken?.epoch ?? 0 }, { wakeAt: new Date(0) }),
  );
  await house.pass(MINUTE, run);
  expect(await wanted(run, first)).toMatchObject({ version: 1 });
  expect((await house.core.stores.runs.get(run.id))?.wakeAt).toEqual(first.expiresAt);
});

test("after the decision nobody is reminded, not even when the reminder was on its way", async () => {
  const { run, first } = await asked();
  await house.pass(10 * MINUTE, run);
  await house.answer(BO, first.id);
  await house.until("in_review");
  expect(await remindersShown()).toEqual([]);
});

test("a question that was answered in time reminds nobody", async () => {
  const { run, first } = await asked();
  await house.pass(9 * MINUTE, run);
  await house.answer(BO, first.id);
  await house.until("in_review");
  expect(await wanted(run, first)).toBeNull();
});

test("a question that expires sooner than it would be reminded of reminds nobody, and expires at its time", async () => {
  house = await memoryHouse();
  house.policy.edit("org.yaml", "remind: 10m", "remind: 45m");
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const first = await house.question(run);
  expect((await house.core.stores.runs.get(run.id))?.wakeAt).toEqual(first.expiresAt);
  await house.pass(31 * MINUTE, run);
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("expired");
  expect(await wanted(run, first)).toBeNull();
});

test("a question that is asked again has a reminder of its own", async () => {
  const { run, first } = await asked();
  await house.pass(10 * MINUTE, run);
  await house.pass(21 * MINUTE, run);
  await askAgain(house.core, { approvalId: first.id, account: ANA, place: run.place });
  const second = await house.question(run);
  await house.pass(10 * MINUTE, run);
  expect(await wanted(run, second)).toMatchObject({ version: 1 });
});

test("a command that nobody answers about is put to its group once more while the agent waits", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  await house.pass(9 * MINUTE, run);
  expect(await wanted(run, first)).toBeNull();
  await house.pass(MINUTE, run);
  await house.pass(MINUTE, run);
  expect(await wanted(run, first)).toMatchObject({ version: 1 });
  expect(await remindersShown()).toHaveLength(1);
  await house.answer(BO, first.id);
  await house.until("answered");
});

const START = "ask: { action: run.start }\n";

/** The rule that a lead has to allow the start by says its own times. */
async function askedBy(words: string) {
  house = await memoryHouse();
  house.policy.edit("teams/shop.yaml", START, `${START}    ${words}\n`);
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  return { run, first: await house.question(run) };
}

test("a rule's own remind holds for its question, whatever the organisation's is", async () => {
  const { run, first } = await askedBy("remind: 3m");
  await house.pass(2 * MINUTE, run);
  expect(await wanted(run, first)).toBeNull();
  await house.pass(MINUTE, run);
  expect(await wanted(run, first)).toMatchObject({ version: 1 });
});

test("a rule's own remind may be later than the organisation's", async () => {
  const { run, first } = await askedBy("remind: 20m");
  await house.pass(19 * MINUTE, run);
  expect(await wanted(run, first)).toBeNull();
  await house.pass(MINUTE, run);
  expect(await wanted(run, first)).toMatchObject({ version: 1 });
});

test("a run that waits for an answer is given up when the rule says so, not when the organisation does", async () => {
  const { run, first } = await askedBy("give_up: 2h");
  await house.pass(31 * MINUTE, run);
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("expired");
  await house.pass(88 * MINUTE, run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("waiting");
  await house.pass(2 * MINUTE, run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("handed_off");
});

test("a run whose sandbox was let go is given up when the rule of its question says so", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] });
  house.policy.edit(
    "teams/data.yaml",
    "    why: deleting is asked first\n",
    "    why: deleting is asked first\n    give_up: 2h\n",
  );
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  await house.pass(31 * MINUTE, run);
  const parked = await house.until("suspended");
  const giveUpAt = (await house.core.stores.approvals.get(first.id))?.openedAt.getTime() ?? 0;
  expect(parked.wakeAt?.getTime()).toBe(giveUpAt + 120 * MINUTE);
  await house.pass(90 * MINUTE, run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("handed_off");
});

import { afterEach, expect, test } from "vitest";
import type { Approval } from "#runs/approval.ts";
import { eventsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;
const ASKS = { run: "rm -rf build", ask: true } as const;

/** The data team, whose agent asks about the same command as often as `times`. */
async function working(grants: string, times: number): Promise<Run> {
  house = await memoryHouse({
    play: () => [...Array.from({ length: times }, () => ASKS), { say: "Done." }],
  });
  house.policy.edit("teams/data.yaml", "    grants: { for: once }\n", grants);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  return house.until("working");
}
const commands = async (run: Run): Promise<readonly Approval[]> =>
  (await house.core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate === "command");
const uses = async (run: Run) =>
  (await eventsOf(house.core, run.id)).filter(({ body }) => body.kind === "grant.used").length;

test("a yes for two uses is asked about again at the third", async () => {
  const run = await working("    grants: { uses: 2 }\n", 3);
  const first = await house.question(run);
  await house.answer(BO, first.id);
  const second = await house.question(run);
  expect(second.id).not.toBe(first.id);
  expect(second.digest).toBe(first.digest);
  expect(await uses(run)).toBe(2);
  await house.answer(BO, second.id);
  await house.until("answered");
  expect(await uses(run)).toBe(3);
});

test("a yes for the run is asked for once, however often the agent asks", async () => {
  const run = await working("    grants: { for: run }\n", 4);
  await house.answer(BO, (await house.question(run)).id);
  await house.until("answered");
  expect(await commands(run)).toHaveLength(1);
  expect(await uses(run)).toBe(4);
});

test("a yes for a while is one until it has passed, and then it is asked about again", async () => {
  const other = { run: "git clean -fd", ask: true } as const;
  house = await memoryHouse({ play: () => [ASKS, ASKS, other, ASKS, { say: "Done." }] });
  house.policy.edit("teams/data.yaml", "    grants: { for: once }\n", "    grants: { for: 10m }\n");
  house.policy.edit("teams/data.yaml", ', "git clean*"]', "]");
  house.policy.edit(
    "teams/data.yaml",
    "rules:\n",
    'rules:\n  - { ask: { command: "git clean*" }, from: group:leads }\n',
  );
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  await house.answer(BO, first.id);
  // Twice within the ten minutes; then the agent asks about something else, and time passes until that is answered.
  const between = await house.question(run);
  expect(between.subject.command).toBe("git clean -fd");
  expect(await uses(run)).toBe(2);
  house.world.offset += 11 * MINUTE;
  await house.answer(BO, between.id);
  const anew = await house.question(run);
  expect(anew.digest).toBe(first.digest);
  expect(await commands(run)).toHaveLength(3);
});

test("a policy that grants less by now than it did when people said yes is the one that holds", async () => {
  const run = await working("    grants: { for: run }\n", 2);
  const first = await house.question(run);
  house.policy.edit("teams/data.yaml", "    grants: { for: run }\n", "    grants: { for: once }\n");
  await house.answer(BO, first.id);
  const second = await house.question(run);
  expect(second.id).not.toBe(first.id);
});

test("a yes to publishing that was for a while is none after it, and people are asked once more", async () => {
  house = await memoryHouse({
    changes: { files: [{ path: "scripts/lint.sh", status: "modified", additions: 1, deletions: 0 }] },
  });
  house.policy.edit("teams/data.yaml", "    why: scripts run", "    grants: { for: 10m }\n    why: scripts run");
  await house.say(ANA, "mend the lint script", { channel: "C0DATA" });
  const run = await house.until("suspended");
  const first = await house.question(run);
  const good = house.policy.current;
  // Between the yes and the push the policy cannot be read, for longer than the yes was for.
  await house.core.engine.drain(1_000);
  await house.answer(BO, first.id);
  house.policy.current = { ok: false, problem: "gone" };
  await house.pass(0, run);
  house.policy.current = good;
  await house.pass(11 * MINUTE, run);
  const second = await house.question(run);
  expect(second.digest).toBe(first.digest);
  house.world.offset = 0;
  await house.answer(BO, second.id);
  await house.pass(0, run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("in_review");
});

test("a run that stood in line for longer than the yes to its start was for waits for another one", async () => {
  house = await memoryHouse();
  house.policy.edit("teams/shop.yaml", "    why: the shop", "    grants: { for: 10m }\n    why: the shop");
  await house.core.engine.drain(1_000);
  await house.say(ANA, "append a line to README.md");
  const [queued] = await house.core.stores.runs.recent(house.core.orgId, 1);
  if (!queued) throw new Error("there is no run");
  await house.pass(0, queued);
  const first = await house.question(queued);
  await house.answer(BO, first.id);
  expect((await house.core.stores.runs.get(queued.id))?.state).toBe("queued");
  await house.pass(11 * MINUTE, queued);
  expect((await house.core.stores.runs.get(queued.id))?.state).toBe("waiting");
  const second = await house.question(queued);
  // The second yes gets its time from the database, whose clock has not moved.
  house.world.offset = 0;
  await house.answer(BO, second.id);
  await house.pass(0, queued);
  expect((await house.core.stores.runs.get(queued.id))?.state).toBe("preparing");
});

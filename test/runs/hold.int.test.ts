import { afterEach, expect, test } from "vitest";
import { DirectoryUnavailable } from "#ports/directory.ts";
import { factsOf } from "#runs/record/look.ts";
import { stop } from "#runs/request/stop.ts";
import type { Run } from "#runs/run.ts";
import type { RunState } from "#runs/state.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 61_000;

/** From now on nobody can say who the leads are; everyone else is known. Returns what ends it. */
function leadsAway(): () => void {
  const { directory } = house;
  const members = directory.members;
  directory.members = async (group, workspace) => {
    if ("slack_usergroup" in group && group.slack_usergroup === "S0LEADS")
      throw new DirectoryUnavailable("rate limited");
    return members(group, workspace);
  };
  return () => {
    directory.members = members;
  };
}

/** The run stands where it was, has said so once, and asks nobody, however often it looks. */
async function held(run: Run, state: RunState): Promise<void> {
  expect(await house.notices(run)).toEqual([
    "Nobody can be asked: who is in group:leads cannot be read. It is tried again every minute.",
  ]);
  const { approvals, runs } = house.core.stores;
  const asked = (await approvals.ofRun(run.id)).length;
  for (let look = 0; look < 4; look += 1) {
    const before = await runs.get(run.id);
    expect(before).toMatchObject({ state, cancelRequestedBy: null });
    expect(before?.wakeAt?.getTime()).toBeLessThanOrEqual(Date.now() + house.world.offset + MINUTE);
    await house.pass(MINUTE, run);
  }
  expect((await runs.get(run.id))?.state).toBe(state);
  expect(await approvals.ofRun(run.id)).toHaveLength(asked);
  expect(await house.notices(run)).toHaveLength(1);
}

const PACKAGE: Script = {
  changes: { files: [{ path: "package.json", status: "modified", additions: 1, deletions: 0 }] },
};
const ASKED: Script = {
  play: () => [{ run: "rm -rf build", ask: true }, { write: "sql/x.sql", content: "x" }, { say: "Done." }],
  changes: { files: [{ path: "sql/x.sql", status: "added", additions: 1, deletions: 0 }] },
};

test("a start that nobody can be asked about waits, says so once, and is asked when its group can be read", async () => {
  house = await memoryHouse();
  const back = leadsAway();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("requested");
  await held(run, "requested");
  back();
  await house.pass(MINUTE, run);
  await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("a command that nobody can be asked about keeps the agent waiting, and the wait is not the run's own time", async () => {
  house = await memoryHouse(ASKED);
  const back = leadsAway();
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.notices(run);
  const before = await house.core.stores.runs.get(run.id);
  await held(run, "working");
  const after = await house.core.stores.runs.get(run.id);
  expect((after?.deadlineAt?.getTime() ?? 0) - (before?.deadlineAt?.getTime() ?? 0)).toBe(4 * 60_000);
  back();
  await house.pass(MINUTE, run);
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("an agent that waits for longer than its sandbox is kept goes on in another one, with its work", async () => {
  house = await memoryHouse({
    ...ASKED,
    play: () => [{ write: "sql/x.sql", content: "x" }, { run: "rm -rf build", ask: true }, { say: "Done." }],
  });
  const back = leadsAway();
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.notices(run);
  // Two hours of looks, one a minute, would have moved its end there; the sandbox is kept for two and a quarter.
  const taken = await house.core.stores.runs.take(run.id);
  const deadlineAt = new Date(Date.now() + 180 * MINUTE);
  await house.core.store.tx((tx) =>
    house.core.stores.runs.patch(tx, { id: run.id, epoch: taken?.epoch ?? 0 }, { deadlineAt }),
  );
  await house.pass(125 * MINUTE, run);
  expect(house.world.pushed).not.toBeNull();
  back();
  await house.until("working");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  expect((await factsOf(house.core, run.id)).sandboxes.filter(({ slot }) => slot === "agent")).toHaveLength(2);
});

test("a result that nobody can be asked about is kept, and published when somebody could be asked and said yes", async () => {
  house = await memoryHouse(PACKAGE);
  await house.say(ANA, "add a package");
  const waiting = await house.until("waiting");
  await house.answer(BO, (await house.question(waiting)).id);
  const back = leadsAway();
  const run = await house.until("publishing");
  await held(run, "publishing");
  expect(house.repoHost.pushes).toEqual([]);
  back();
  await house.pass(MINUTE, run);
  await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  expect(house.repoHost.pushes).toHaveLength(1);
});

test("a second time that nobody can be asked is said again", async () => {
  house = await memoryHouse(PACKAGE);
  const back = leadsAway();
  await house.say(ANA, "add a package");
  const requested = await house.until("requested");
  await house.notices(requested);
  back();
  await house.pass(MINUTE, requested);
  const waiting = await house.until("waiting");
  await house.answer(BO, (await house.question(waiting)).id);
  leadsAway();
  await house.until("publishing");
  while ((await house.notices(waiting)).length < 2) await new Promise((resolve) => setImmediate(resolve));
});

test("a group that cannot be read for longer than policy's patience ends in a handoff that says so", async () => {
  house = await memoryHouse();
  leadsAway();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("requested");
  await house.notices(run);
  await house.pass(7 * 24 * 3_600_000 + MINUTE, run);
  await house.until("handed_off");
});

test("questions that cannot be put are given up when their own rule says so", async () => {
  house = await memoryHouse();
  const START = "ask: { action: run.start }\n";
  house.policy.edit("teams/shop.yaml", START, `${START}    give_up: 2h\n`);
  leadsAway();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("requested");
  await house.notices(run);
  await house.pass(60 * MINUTE, run);
  expect((await factsOf(house.core, run.id)).handoff).toBeNull();
  await house.pass(60 * MINUTE, run);
  await house.until("handed_off");
});

const BROKEN = { ok: false, problem: "org.yaml:3:1 unknown key" } as const;

test("a result that meets an unreadable policy is kept, and published when policy can be read", async () => {
  house = await memoryHouse({
    checks: () => {
      house.policy.current = BROKEN;
      return 0;
    },
  });
  const good = house.policy.current;
  await house.say(ANA, "append a line to README.md");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("publishing");
  expect(await house.notices(run)).toEqual(["Policy cannot be read: org.yaml:3:1 unknown key"]);
  await house.pass(MINUTE, run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("publishing");
  expect(house.repoHost.pushes).toEqual([]);
  house.policy.current = good;
  await house.pass(MINUTE, run);
  await house.until("in_review");
});

test("a run in line that meets an unreadable policy stays in line", async () => {
  house = await memoryHouse();
  const good = house.policy.current;
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const question = await house.question(run);
  // Votes are refused while policy cannot be read, so it becomes so in the moment after the last one.
  const { vote } = house.core.stores.approvals;
  house.core.stores.approvals.vote = async (...cast) => {
    house.policy.current = BROKEN;
    return vote(...cast);
  };
  await house.answer(BO, question.id);
  await house.notices(run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("queued");
  house.policy.current = good;
  await house.pass(MINUTE, run);
  await house.until("in_review");
});

test("a stop by somebody who may be an approver is refused while that cannot be known; an author's is not", async () => {
  house = await memoryHouse();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  await house.question(run);
  leadsAway();
  const by = (account: typeof ANA) => stop(house.core, { runId: run.id, account, place: run.place });
  expect(await by(BO)).toMatchObject({ kind: "refused", refusal: { code: "directory_unavailable" } });
  expect(await by(ANA)).toMatchObject({ kind: "noted", what: "stopping" });
  await house.until("cancelled");
});

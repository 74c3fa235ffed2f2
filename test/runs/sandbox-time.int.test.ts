import { afterEach, expect, test } from "vitest";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, HEAD, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;
const ASKED: Script = {
  play: (prompt) =>
    prompt.includes("<note>")
      ? [{ say: "I leave it." }]
      : [{ write: "sql/x.sql", content: "x" }, { run: "rm -rf build", ask: true }, { say: "Done." }],
  changes: { files: [{ path: "sql/x.sql", status: "added", additions: 1, deletions: 0 }] },
};

/** A run of one hour whose agent waits for a person, who has a day to answer. */
async function waiting() {
  house = await memoryHouse(ASKED);
  house.policy.edit("teams/data.yaml", "    expires: 15m\n", "    expires: 24h\n");
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  return { run, asked: await house.question(run) };
}

/** Time passes, and the sweep wakes the run. */
async function later(ms: number, { id }: Run): Promise<void> {
  house.world.offset += ms;
  await house.core.store.tx((tx) => house.core.engine.wake(tx, id, "agent"));
}

const kinds = async (run: Run) => (await eventsOf(house.core, run.id)).map(({ body }) => body.kind);

test("a wait that the sandbox would not outlive saves the work and keeps the question", async () => {
  const { run, asked } = await waiting();
  await later(70 * MINUTE, run);
  const parked = await house.until("suspended");
  expect(house.world.pushed).toBe(HEAD);
  expect(await house.sandboxes.list({})).toEqual([]);
  expect(parked.wakeAt?.getTime()).toBeLessThanOrEqual(asked.expiresAt.getTime());
  expect((await house.core.stores.approvals.get(asked.id))?.status).toBe("pending");
  house.world.offset += 12 * 60 * MINUTE;
  await house.answer(BO, asked.id);
  await house.until("in_review");
  expect(await house.core.stores.approvals.ofRun(run.id)).toHaveLength(1);
  expect(await kinds(run)).not.toContain("sandbox.lost");
});

test("a wait of half an hour keeps the sandbox, and the agent still has all its time in it", async () => {
  const { run, asked } = await waiting();
  const [box] = await house.sandboxes.list({});
  await later(30 * MINUTE, run);
  await house.answer(BO, asked.id);
  await house.until("in_review");
  expect((await kinds(run)).filter((kind) => kind === "turn.started")).toHaveLength(1);
  const left = (box?.expiresAt.getTime() ?? 0) - (Date.now() + house.world.offset);
  expect(left).toBeGreaterThan(60 * MINUTE);
});

test("a yes that comes while the sandbox is let go is not lost", async () => {
  const { run, asked } = await waiting();
  const { destroy } = house.sandboxes;
  house.sandboxes.destroy = async (id) => {
    house.sandboxes.destroy = destroy;
    await house.answer(BO, asked.id);
    await destroy(id);
  };
  await later(70 * MINUTE, run);
  await house.until("in_review");
  const { moves } = await factsOf(house.core, run.id);
  expect(moves.map(({ to }) => to)).not.toContain("suspended");
});

test("a no that comes after the sandbox was let go is told to the agent, as it would have been before", async () => {
  const { run, asked } = await waiting();
  await later(70 * MINUTE, run);
  await house.until("suspended");
  await house.answer(BO, asked.id, "deny", { reason: "not on a Friday" });
  await house.until("in_review");
  const turns = await house.core.stores.turns.all(run.id);
  expect(turns.map(({ cause }) => cause)).toEqual(["request", "interrupted", "rejection"]);
  expect(turns[2]?.text).toContain("Bo: not on a Friday");
});

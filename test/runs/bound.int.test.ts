import { afterEach, expect, test } from "vitest";
import { askAgain } from "#runs/ask-again.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;
const code = (view: View) => (view.kind === "refused" ? view.refusal.code : view.kind);
const questions = async (run: Run) =>
  (await house.core.stores.approvals.ofRun(run.id)).map(({ gate, status }) => `${gate} ${status}`);
/** Somebody changes what has nothing to do with the run. */
const elsewhere = () => house.policy.edit("teams/data.yaml", "cost_usd: 4", "cost_usd: 3");

async function asked(binds: string, script: Script = {}) {
  house = await memoryHouse(script);
  house.policy.edit("teams/shop.yaml", "    why: the shop", `${binds}    why: the shop`);
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  return { run, first: await house.question(run) };
}

test("an answer to a question that is bound to the policy is not counted once the policy has changed: it is put anew", async () => {
  const { run, first } = await asked("    binds: policy\n");
  const before = house.policy.current.ok ? house.policy.current.policy.digest : "";
  expect(first.subject.bound).toEqual({ policy: before });
  elsewhere();
  expect(code(await house.answer(BO, first.id))).toBe("stale");
  expect(await questions(run)).toEqual(["start void", "start pending"]);
  const second = await house.question(run);
  expect(second.digest).not.toBe(first.digest);
  expect((await house.core.stores.runs.get(run.id))?.wakeAt?.getTime()).toBe(second.expiresAt.getTime() - 20 * MINUTE);
  await house.answer(BO, second.id);
  await house.until("in_review");
});

test("a change of what it was not bound to leaves a question and its answer alone", async () => {
  const { run, first } = await asked("");
  expect(first.subject.bound).toBeUndefined();
  elsewhere();
  expect(code(await house.answer(BO, first.id))).toBe("noted");
  await house.until("in_review");
  expect(await questions(run)).toEqual(["start approved"]);
});

test("a question that is bound to its base lives through a change of policy and not through one of the base", async () => {
  const { run, first } = await asked("    binds: base\n");
  expect(first.subject.bound).toEqual({ base: run.baseOid });
  elsewhere();
  await house.core.store.tx(async (tx) => {
    const now = await house.core.stores.runs.lock(tx, run.id);
    if (now) await house.core.stores.runs.patch(tx, now, { baseOid: "c".repeat(40) });
  });
  expect(code(await house.answer(BO, first.id))).toBe("stale");
  expect((await house.question(run)).subject.bound).toEqual({ base: "c".repeat(40) });
});

test("what is asked again is bound to what is so then", async () => {
  const { run, first } = await asked("    binds: policy\n");
  await house.pass(31 * MINUTE, run);
  elsewhere();
  await askAgain(house.core, { approvalId: first.id, account: ANA, place: run.place });
  const now = house.policy.current.ok ? house.policy.current.policy.digest : "";
  const second = await house.question(run);
  expect(second.subject.bound).toEqual({ policy: now });
  expect(code(await house.answer(BO, second.id))).toBe("noted");
});

test("an agent's question about a command is put anew when what it is bound to has changed", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] });
  house.policy.edit("teams/data.yaml", "    expires: 15m\n", "    expires: 15m\n    binds: policy\n");
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  house.policy.edit("teams/shop.yaml", "cost_usd: 5", "cost_usd: 4");
  expect(code(await house.answer(BO, first.id))).toBe("stale");
  const second = await house.question(run);
  expect(second.id).not.toBe(first.id);
  await house.answer(BO, second.id);
  await house.until("answered");
  expect(await questions(run)).toEqual(["command void", "command approved"]);
});

test("a yes to publishing that was bound to the policy publishes nothing under another one", async () => {
  house = await memoryHouse({
    changes: { files: [{ path: "scripts/lint.sh", status: "modified", additions: 1, deletions: 0 }] },
  });
  house.policy.edit("teams/data.yaml", "    why: scripts run", "    binds: policy\n    why: scripts run");
  await house.say(ANA, "mend the lint script", { channel: "C0DATA" });
  const run = await house.until("suspended");
  const first = await house.question(run);
  house.policy.edit("teams/shop.yaml", "cost_usd: 5", "cost_usd: 4");
  expect(code(await house.answer(BO, first.id))).toBe("stale");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
  expect(await questions(run)).toEqual(["publish void", "publish approved"]);
});

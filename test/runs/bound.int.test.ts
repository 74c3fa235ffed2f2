import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;
/** The sample's rule for the shop, as it is read. */
const STARTS = "ask action run.start from group:leads";
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
  expect(first.subject.bound).toEqual({ policy: before, rules: [STARTS] });
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
  expect(first.subject.bound).toEqual({ rules: [STARTS] });
  elsewhere();
  expect(code(await house.answer(BO, first.id))).toBe("noted");
  await house.until("in_review");
  expect(await questions(run)).toEqual(["start approved"]);
});

test("a question that is bound to its base lives through a change of policy and not through one of the base", async () => {
  const { run, first } = await asked("    binds: base\n");
  expect(first.subject.bound).toEqual({ base: run.baseOid, rules: [STARTS] });
  elsewhere();
  await house.core.store.tx(async (tx) => {
    const now = await house.core.stores.runs.lock(tx, run.id);
    if (now) await house.core.stores.runs.patch(tx, now, { baseOid: "c".repeat(40) });
  });
  expect(code(await house.answer(BO, first.id))).toBe("stale");
  expect((await house.question(run)).subject.bound).toEqual({ base: "c".repeat(40), rules: [STARTS] });
});

test("what is asked again is bound to what is so then", async () => {
  const { run, first } = await asked("    binds: policy\n");
  await house.pass(31 * MINUTE, run);
  elsewhere();
  await askAgain(house.core, { approvalId: first.id, account: ANA, place: run.place });
  const now = house.policy.current.ok ? house.policy.current.policy.digest : "";
  const second = await house.question(run);
  expect(second.subject.bound).toEqual({ policy: now, rules: [STARTS] });
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

const notices = async (run: Run) => (await factsOf(house.core, run.id)).notices.map(({ text }) => text);
const LINT: Script = {
  changes: { files: [{ path: "scripts/lint.sh", status: "modified", additions: 1, deletions: 0 }] },
};
const SCRIPTS = "- ask: { git.path: scripts/** }";

/** A run of the team data that waits for a yes to publishing a script. */
async function scripted() {
  house = await memoryHouse(LINT);
  await house.say(ANA, "mend the lint script", { channel: "C0DATA" });
  const run = await house.until("suspended");
  return { run, first: await house.question(run) };
}

test.each([
  ["says something else", SCRIPTS, '- ask: { git.path: ["scripts/**", "bin/**"] }'],
  ["asks others as well", "    from: group:leads\n    why: scripts", "    from: group:security\n    why: scripts"],
  [
    "has another beside it that asks the same people",
    SCRIPTS,
    `- ask: { git.path: "**/*.sh" }\n    from: group:leads\n  ${SCRIPTS}`,
  ],
])(
  "an approval dies when the rule that asks %s: the thread says so, and it is put anew as policy asks now",
  async (_what, from, to) => {
    const { run, first } = await scripted();
    house.policy.edit("teams/data.yaml", from, to);
    expect(code(await house.answer(BO, first.id))).toBe("stale");
    expect(await questions(run)).toEqual(["publish void", "publish pending"]);
    expect(await notices(run)).toEqual([
      "The rule that asks about publishing has changed: the question is put anew, and what was answered so far counts no more.",
    ]);
    const second = await house.question(run);
    const { decisions } = await factsOf(house.core, run.id);
    const asked = decisions.filter(({ about }) => about === "publish").at(-1);
    expect(second.subject.bound).toEqual({ rules: asked?.rules.map(({ text }) => text).sort() });
    expect(asked?.rules).toHaveLength(2);
    await house.answer(BO, second.id);
    await house.until("in_review");
  },
);

test("a rule that only stands on another line is the same rule", async () => {
  const { run, first } = await scripted();
  house.policy.edit("teams/data.yaml", SCRIPTS, `# moved\n  ${SCRIPTS}`);
  expect(code(await house.answer(BO, first.id))).toBe("noted");
  await house.until("in_review");
  expect(await questions(run)).toEqual(["publish approved"]);
  expect(await notices(run)).toEqual([]);
});

test("a rule that is taken away still asks the runs that were begun under it, and their approvals live", async () => {
  const { run, first } = await scripted();
  const asks = `${SCRIPTS}\n    in: acme/reports\n    from: group:leads`;
  house.policy.edit("teams/data.yaml", asks, "- allow: { git.path: scripts/** }\n    in: acme/reports");
  expect(code(await house.answer(BO, first.id))).toBe("noted");
  await house.until("in_review");
  expect(await questions(run)).toEqual(["publish approved"]);
});

test("a yes that was given for the whole run dies with its rule before it is used again, and is asked anew", async () => {
  const ask = (line: string) => ({ run: line, ask: true, output: `ran ${line}` });
  house = await memoryHouse({
    play: () => [ask("rm -rf build"), ask("rm -rf dist"), ask("rm -rf build"), { say: "Done." }],
  });
  house.policy.edit("teams/data.yaml", "grants: { for: once }", "grants: { for: run }");
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.answer(BO, (await house.question(run)).id);
  const other = await house.question(run);
  house.policy.edit("teams/data.yaml", '"git clean*"] }', '"git clean*", "git reset*"] }');
  expect(code(await house.answer(BO, other.id))).toBe("stale");
  await expect.poll(async () => (await house.question(run)).id).not.toBe(other.id);
  await house.answer(BO, (await house.question(run)).id);
  await expect
    .poll(() => notices(run))
    .toContain(
      "The yes to a command by Bo counts no more: the rule that asks has changed since. It is asked again before it is used.",
    );
  await house.answer(BO, (await house.question(run)).id);
  await house.until("answered");
  expect(await questions(run)).toEqual(["command approved", "command void", "command approved", "command approved"]);
});

test("a yes to a start that stands in line dies with its rule: the run waits for people again, and is not denied", async () => {
  house = await memoryHouse({ play: () => [{ run: "npm install left-pad", ask: true }, { say: "Done." }] });
  house.policy.edit("teams/shop.yaml", "limits: {", "limits: { concurrent_runs: 1,");
  await house.say(ANA, "the first");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const first = await house.until("working");
  const pending = await house.question(first);
  await house.say(ANA, "the second");
  const second = await house.until("waiting");
  await house.answer(BO, (await house.question(second)).id);
  await house.until("queued");
  house.policy.edit("teams/shop.yaml", "- ask: { action: run.start }", "- ask: { action: [run.start, issue.comment] }");
  await house.pass(6_000, second);
  expect((await house.core.stores.runs.get(second.id))?.state).toBe("waiting");
  expect(await notices(second)).toContain(
    "The yes to the start by Bo counts no more: the rule that asks has changed since. It is asked again before it is used.",
  );
  expect(await questions(second)).toEqual(["start approved", "start pending"]);
  await house.answer(BO, pending.id, "deny");
});

test("a question that expired is asked again as policy asks by then", async () => {
  const { run, first } = await scripted();
  await house.pass(31 * MINUTE, run);
  house.policy.edit("teams/data.yaml", SCRIPTS, '- ask: { git.path: ["scripts/**", "bin/**"] }');
  await askAgain(house.core, { approvalId: first.id, account: ANA, place: run.place });
  const second = await house.question(run);
  expect(second.subject.bound).toEqual({
    rules: [
      "ask git.path scripts/** in acme/reports from group:leads",
      "ask git.path scripts/**, bin/** in acme/reports from group:leads",
    ],
  });
  expect(code(await house.answer(BO, second.id))).toBe("noted");
  await house.until("in_review");
});

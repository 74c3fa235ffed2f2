import { afterEach, expect, test } from "vitest";
import { brokenAt } from "#runs/chain.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import { stop } from "#runs/request/stop.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
const open = async (script: Script = {}) => {
  house = await memoryHouse(script);
  return house;
};
afterEach(async () => {
  await house.close();
});

const code = (view: View | null): string | null => (view?.kind === "refused" ? view.refusal.code : null);
/** A run in #shop that a lead has approved. */
async function approved(text = "append a line to README.md") {
  await house.say(ANA, text);
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  return run;
}

test("a person asks, policy asks a lead, the lead approves, the pull request is merged: each once", async () => {
  const { core, repoHost } = await open();
  expect(await house.say(ANA, "append a line to README.md")).toBeNull();
  const waiting = await house.until("waiting");
  const start = await house.question(waiting);
  expect(start.subject).toMatchObject({ repo: "acme/shop", base: "b".repeat(40), text: "append a line to README.md" });
  expect(code(await house.answer(ANA, start.id))).toBe("own_run");
  expect(code(await house.answer(CY, start.id))).toBe("not_an_approver");
  expect(code(await house.answer(BO, start.id, "approve", { digest: "sha256:other" }))).toBe("stale");
  expect(await house.answer(BO, start.id)).toMatchObject({ kind: "noted", what: "approved" });
  expect(code(await house.answer(BO, start.id))).toBe("already_decided");
  const run = await house.until("in_review");
  expect(repoHost.pushes).toEqual([{ repo: "acme/shop", branch: run.branch, oid: "a".repeat(40) }]);
  const pull = await repoHost.findPullRequest("acme/shop", run.branch);
  expect(pull).toMatchObject({ state: "open", draft: true, headOid: "a".repeat(40) });
  expect(repoHost.textOf("acme/shop", 1)?.body).toMatch(/Approved by \| Bo/);
  expect(await core.stores.receipts.get(run.id)).toContain("application/vnd.in-toto+json");
  await repoHost.act("acme/shop", 1, "merged", "Bo");
  await house.until("merged");
  const events = await eventsOf(core, run.id);
  expect(brokenAt(run.id, events)).toBeNull();
  const keys = [...(await house.show()).keys()].map((key) => key.split(":")[2]).sort();
  expect(keys).toEqual(["approval", "forge", "receipt", "status"]);
});

test("a lead says no: nothing starts, and the reason is in the record", async () => {
  const { core } = await open();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id, "deny", { reason: "not this week" });
  await house.until("denied");
  expect((await factsOf(core, run.id)).approvals[0]?.votes[0]).toMatchObject({
    choice: "deny",
    reason: "not this week",
  });
  expect(await house.sandboxes.list({})).toEqual([]);
});

test("nothing had to change: the run is answered in the agent's words and no branch is pushed", async () => {
  await open({ play: () => [{ say: "The total is right already." }] });
  await approved("is the total right?");
  const run = await house.until("answered");
  expect((await factsOf(house.core, run.id)).answer).toBe("The total is right already.");
  expect(house.repoHost.pushes).toEqual([]);
});

test("the same message twice is one run", async () => {
  await open();
  await house.say(ANA, "append a line to README.md", { key: "once" });
  await house.say(ANA, "append a line to README.md", { key: "once" });
  expect(await house.core.stores.runs.recent(house.core.orgId, 10)).toHaveLength(1);
});

const REFUSED: Record<string, [Parameters<Awaited<ReturnType<typeof memoryHouse>>["say"]>, string]> = {
  "a guest is refused": [[DEE, "fix it", { channel: "C0SITE" }], "guest"],
  "a channel shared with another organisation is refused": [[ANA, "fix it", { shared: true }], "shared_channel"],
  "a channel that no team has is refused": [[ANA, "fix it", { channel: "C0NONE" }], "no_mapping"],
  "a repository of another team is refused": [[ANA, "fix it repo=acme/site"], "unknown_repository"],
  "stop where nothing runs is answered": [[ANA, "stop"], "no_run_here"],
};
for (const [sentence, [said, refusal]] of Object.entries(REFUSED)) {
  test(sentence, async () => {
    await open();
    expect(code(await house.say(...said))).toBe(refusal);
    expect(await house.core.stores.runs.recent(house.core.orgId, 10)).toEqual([]);
  });
}

test("who is not in the team is refused, and a directory that does not answer refuses everyone", async () => {
  await open();
  house.directory.group({ slack_usergroup: "S0SHOP" }, ["U0BO"]);
  expect(code(await house.say(ANA, "fix it"))).toBe("not_a_member");
  house.directory.fail("Slack is down");
  expect(code(await house.say(ANA, "fix it"))).toBe("directory_unavailable");
});

test("a vote while the directory is away is refused and keeps the question open", async () => {
  await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const start = await house.question(run);
  house.directory.fail("Slack is down");
  expect(code(await house.answer(BO, start.id))).toBe("directory_unavailable");
  house.directory.fail(null);
  await house.answer(BO, start.id);
  await house.until("in_review");
});

test("without a policy that can be read everyone is refused in words", async () => {
  await open();
  house.policy.current = { ok: false, problem: "org.yaml:3:1 unknown key" };
  expect(await house.say(ANA, "fix it")).toMatchObject({
    refusal: { code: "policy_unavailable", problem: "org.yaml:3:1 unknown key" },
  });
});

test("an unanswered question expires into neither yes nor no, and asking again brings it back", async () => {
  const { core } = await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  const first = await house.question(run);
  await house.pass(31 * 60_000, run);
  expect((await core.stores.approvals.get(first.id))?.status).toBe("expired");
  expect((await core.stores.runs.get(run.id))?.state).toBe("waiting");
  expect(code(await house.answer(BO, first.id))).toBe("expired");
  expect(await askAgain(core, { approvalId: first.id, account: ANA, place: run.place })).toMatchObject({
    what: "asked_again",
  });
  const second = await house.question(run);
  expect(second).toMatchObject({ digest: first.digest, askNo: 2 });
  await house.answer(BO, second.id);
  await house.until("in_review");
});

test("after the policy's patience a question nobody answered ends in a handoff", async () => {
  await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  await house.pass(31 * 60_000, run);
  await house.pass(7 * 24 * 3_600_000, run);
  await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff?.fault).toBe("policy");
});

const ASKED: Script = {
  play: (prompt) =>
    prompt.includes("<note>")
      ? [{ say: "I leave it." }]
      : [{ run: "rm -rf build", ask: true }, { write: "scripts/x.sh", content: "x" }, { say: "Done." }],
  changes: { files: [{ path: "sql/x.sql", status: "added", additions: 1, deletions: 0 }] },
};

test("a command that policy asks about waits for a person without a worker, and goes on when they say yes", async () => {
  const { core } = await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const asked = await house.question(run);
  expect(asked.gate).toBe("command");
  expect(asked.subject).toMatchObject({ command: "rm -rf build" });
  await house.answer(BO, asked.id);
  await house.until("in_review");
  const used = (await eventsOf(core, run.id)).filter((event) => event.body.kind === "grant.used");
  expect(used).toHaveLength(1);
});

test("a refused command does not run, and the next turn says who refused it and why", async () => {
  await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.answer(BO, (await house.question(run)).id, "deny", { reason: "not on a Friday" });
  await house.until("in_review", "answered");
  const turns = await house.core.stores.turns.all(run.id);
  expect(turns.map((turn) => turn.cause)).toEqual(["request", "rejection"]);
  expect(turns[1]?.text).toContain("Bo: not on a Friday");
});

test("a command nobody answers about suspends the run and frees its sandbox; a later yes holds for the same bytes", async () => {
  const { core } = await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const asked = await house.question(run);
  await house.pass(31 * 60_000, run);
  await house.until("suspended");
  expect(await house.sandboxes.list({})).toEqual([]);
  await askAgain(core, { approvalId: asked.id, account: ANA, place: run.place });
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("a path that policy asks about waits before it is published, bound to the checked commit", async () => {
  const { repoHost } = await open({
    changes: { files: [{ path: "package.json", status: "modified", additions: 1, deletions: 0 }] },
  });
  await approved("add a package");
  const run = await house.until("suspended");
  expect(repoHost.pushes).toEqual([]);
  const asked = await house.question(run);
  expect(asked).toMatchObject({ gate: "publish", subject: { head: "a".repeat(40), paths: ["package.json"] } });
  await house.answer(BO, asked.id);
  await house.until("in_review");
});

test("an approver who says no to publishing ends the run with nothing pushed", async () => {
  const { repoHost } = await open({
    changes: { files: [{ path: "package.json", status: "modified", additions: 1, deletions: 0 }] },
  });
  await approved("add a package");
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id, "deny", { reason: "we have one already" });
  await house.until("handed_off");
  expect(repoHost.pushes).toEqual([]);
});

test("a check that the change breaks goes back to the agent, and the third failure is a handoff", async () => {
  await open({ checks: (on) => (on === "base" ? 0 : 1) });
  await approved();
  const run = await house.until("handed_off");
  const all = await factsOf(house.core, run.id);
  expect(all.handoff?.fault).toBe("code");
  expect(all.turns.map((turn) => turn.cause)).toEqual(["request", "checks", "checks"]);
  expect(house.repoHost.pushes).toEqual([]);
});

test("a check that is red once and green again is flaky and stops nothing", async () => {
  await open({ checks: (on, times) => (on === "head" && times === 2 ? 1 : 0) });
  await approved();
  const run = await house.until("in_review");
  expect((await factsOf(house.core, run.id)).checks[0]?.verdict).toBe("flaky");
});

test("a check that was red before is said so and does not accuse the change", async () => {
  await open({ checks: () => 1 });
  await approved();
  const run = await house.until("in_review");
  expect((await factsOf(house.core, run.id)).checks[0]?.verdict).toBe("already_red");
});

test("a credential in the diff never leaves", async () => {
  await open({ changes: { secrets: [{ path: "README.md", line: 3, rule: "aws-access-key" }] } });
  await approved();
  const run = await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff?.failed).toContain("aws-access-key in README.md");
  expect(house.repoHost.pushes).toEqual([]);
});

test("stop ends a run that waits in the sandbox: its token is dead and its sandbox gone", async () => {
  const { core, gateway } = await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const asked = await house.question(run);
  expect(code(await stop(core, { runId: run.id, account: CY, place: run.place }))).toBe("not_yours_to_stop");
  expect(await stop(core, { runId: run.id, account: ANA, place: run.place })).toMatchObject({ what: "stopping" });
  await house.until("cancelled");
  expect(gateway.grants.size).toBe(0);
  expect(await house.sandboxes.list({})).toEqual([]);
  expect(code(await house.answer(BO, asked.id))).toBe("already_decided");
});

test("an agent that dies goes on by itself once, and the second time it is handed off with fault us", async () => {
  let lives = 0;
  await open({
    play: () => {
      lives += 1;
      return lives <= 2 ? [{ exit: 137 }] : [{ write: "README.md", content: "x" }, { say: "Done." }];
    },
  });
  await approved();
  const run = await house.until("handed_off");
  const all = await factsOf(house.core, run.id);
  expect(all.handoff?.fault).toBe("us");
  expect(all.turns.map((turn) => turn.cause)).toEqual(["request", "interrupted"]);
});

test("words in the thread reach the agent in its next turn, and who said them may not approve from then on", async () => {
  await open();
  await house.say(ANA, "append a line");
  const run = await house.until("waiting");
  expect(await house.say(BO, "and fix the title", { in: run })).toMatchObject({ kind: "noted", what: "queued" });
  expect(code(await house.answer(BO, (await house.question(run)).id))).toBe("own_run");
  const turns = await house.core.stores.turns.all(run.id);
  expect(turns.map((turn) => [turn.cause, turn.person?.name])).toEqual([
    ["request", "Ana"],
    ["follow_up", "Bo"],
  ]);
});

test("what the agent prints is redacted before it is kept", async () => {
  await open({
    play: () => [{ run: "env", output: "KEY=sup3r-secret-value\n" }, { say: "The key is sup3r-secret-value" }],
  });
  await approved("show the environment");
  const run = await house.until("answered");
  const kept = JSON.stringify(await eventsOf(house.core, run.id));
  expect(kept).not.toContain("sup3r-secret-value");
  expect(kept).toContain("[secret model]");
});

test("what the agent names the arguments of a command is redacted before it is kept", async () => {
  await open({
    play: () => [{ run: "rm -rf build", ask: true, input: { "sup3r-secret-value": { "x sup3r-secret-value": 1 } } }],
  });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.question(run);
  const kept = JSON.stringify(await eventsOf(house.core, run.id));
  expect(kept).not.toContain("sup3r-secret-value");
  expect(kept).toContain('"x [secret model]":1');
});

import { afterEach, expect, test } from "vitest";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import { expireHosts } from "#runs/sandbox/hosts.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, memoryHouse, person, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;
const FIN = person("U0FIN", "Fin");

/** Ana's request, which a lead has to allow within 30 minutes; after 15 the security group may too. */
async function asked(more = "escalate: { after: 15m, to: group:security }", script: Script = {}) {
  house = await memoryHouse(script);
  house.directory.put(FIN);
  house.directory.group({ slack_usergroup: "S0SEC" }, [FIN.id]);
  house.policy.edit("teams/shop.yaml", "    why: the shop", `    ${more}\n    why: the shop`);
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  return { run, first: await house.question(run) };
}

const escalations = async (run: Run) =>
  (await eventsOf(house.core, run.id)).flatMap(({ body }) => (body.kind === "approval.escalated" ? [body] : []));
const shownAs = async (kind: View["kind"]) => [...(await house.show()).values()].filter((view) => view.kind === kind);
const code = (view: View) => (view.kind === "refused" ? view.refusal.code : view.kind);

test("when nobody has decided in time the next group may answer too, and the run goes on with its yes", async () => {
  const { run, first } = await asked();
  expect(code(await house.answer(FIN, first.id))).toBe("not_an_approver");
  await house.pass(10 * MINUTE, run);
  expect(await escalations(run)).toEqual([]);
  expect((await house.core.stores.runs.get(run.id))?.wakeAt?.getTime()).toBe(first.expiresAt.getTime() - 15 * MINUTE);
  await house.pass(5 * MINUTE, run);
  expect(await escalations(run)).toEqual([
    { kind: "approval.escalated", approval: first.id, from: "group:leads", to: "group:security" },
  ]);
  expect((await factsOf(house.core, run.id)).approvals[0]?.escalated).toMatchObject([{ to: "group:security" }]);
  expect(await shownAs("escalated")).toMatchObject([
    { approval: { id: first.id }, groups: { "group:security": { slack_usergroup: "S0SEC" } }, handed: null },
  ]);
  expect((await house.core.stores.runs.get(run.id))?.wakeAt).toEqual(first.expiresAt);
  expect(code(await house.answer(FIN, first.id))).toBe("noted");
  await house.until("in_review");
});

test("who was asked at first may still answer, and one no of either group ends it", async () => {
  const { run, first } = await asked();
  await house.pass(15 * MINUTE, run);
  expect(code(await house.answer(FIN, first.id, "deny", { reason: "not today" }))).toBe("noted");
  await house.until("denied");
});

test("an author in the next group has no more say there than anywhere", async () => {
  const { run, first } = await asked();
  house.directory.group({ slack_usergroup: "S0SEC" }, [FIN.id, ANA.id]);
  await house.pass(15 * MINUTE, run);
  expect(code(await house.answer(ANA, first.id))).toBe("own_run");
  await house.say(FIN, "and a second line", { in: run });
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("pending");
});

test("both groups together make the quorum, each person once", async () => {
  const { run, first } = await asked("quorum: 2\n    escalate: { after: 15m, to: group:security }");
  await house.answer(BO, first.id);
  await house.pass(15 * MINUTE, run);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("waiting");
  expect(code(await house.answer(BO, first.id))).toBe("already_voted");
  await house.answer(FIN, first.id);
  await house.until("in_review");
});

test("a worker that begins after another one's death escalates nothing twice", async () => {
  const { run, first } = await asked();
  await house.pass(15 * MINUTE, run);
  const taken = await house.core.stores.runs.take(run.id);
  await house.core.store.tx((tx) =>
    house.core.stores.runs.patch(tx, { id: run.id, epoch: taken?.epoch ?? 0 }, { wakeAt: new Date(0) }),
  );
  await house.pass(MINUTE, run);
  expect(await escalations(run)).toHaveLength(1);
  expect(await house.core.stores.outbox.get(`slack:${run.id}:escalated:${first.id}`)).toMatchObject({ version: 1 });
});

test("a group that cannot be read lets nobody answer, which is said once, and it is tried until it can", async () => {
  const { run, first } = await asked();
  house.directory.fail("Slack is down");
  await house.pass(15 * MINUTE, run);
  await house.pass(MINUTE, run);
  expect((await factsOf(house.core, run.id)).notices.map(({ text }) => text)).toEqual([
    "Nobody has decided in time, and who is in group:security cannot be read, so they cannot answer yet. It is tried again every minute.",
  ]);
  expect(await escalations(run)).toEqual([]);
  house.directory.fail(null);
  await house.pass(MINUTE, run);
  expect(await escalations(run)).toHaveLength(1);
  await house.answer(FIN, first.id);
  await house.until("in_review");
});

test("a question that is asked again begins with its own group alone", async () => {
  const { run, first } = await asked();
  await house.pass(15 * MINUTE, run);
  await house.pass(16 * MINUTE, run);
  expect((await house.core.stores.approvals.get(first.id))?.status).toBe("expired");
  await askAgain(house.core, { approvalId: first.id, account: ANA, place: run.place });
  const second = await house.question(run);
  expect(second.asks[0]?.escalated).toBeUndefined();
  expect(code(await house.answer(FIN, second.id))).toBe("not_an_approver");
  await house.pass(15 * MINUTE, run);
  expect(code(await house.answer(FIN, second.id))).toBe("noted");
});

test("a yes of the next group starts nothing once the policy in force lets it answer no more", async () => {
  const { run, first } = await asked();
  await house.pass(15 * MINUTE, run);
  house.policy.edit("teams/shop.yaml", "    escalate: { after: 15m, to: group:security }\n", "");
  await house.answer(FIN, first.id);
  const [said] = await house.notices(run);
  expect(said).toMatch(/^The yes to the start by Fin counts no more: the rule that asks has changed since/);
  const again = await house.question(run);
  expect(again).toMatchObject({ status: "pending", asks: [{ from: "group:leads" }] });
  expect(again.id).not.toBe(first.id);
  expect(code(await house.answer(FIN, again.id))).toBe("not_an_approver");
});

test("a command that an agent waits for goes to the next group while it waits", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] });
  house.directory.put(FIN);
  house.directory.group({ slack_usergroup: "S0SEC" }, [FIN.id]);
  house.policy.edit(
    "teams/data.yaml",
    "    expires: 15m\n",
    "    expires: 15m\n    escalate: { after: 5m, to: group:security }\n",
  );
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const first = await house.question(run);
  await house.pass(5 * MINUTE, run);
  expect(await escalations(run)).toHaveLength(1);
  expect(code(await house.answer(FIN, first.id))).toBe("noted");
  await house.until("answered");
});

test("a host that nobody has decided about goes to the next group, while the run goes on", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] });
  house.directory.put(FIN);
  house.directory.group({ slack_usergroup: "S0SEC" }, [FIN.id]);
  const line = '    - { host: "*.example.com", methods: [GET, HEAD] }\n';
  house.policy.edit("org.yaml", line, `${line}    - { host: "**", methods: [GET, HEAD], only: ask }\n`);
  house.policy.edit(
    "teams/data.yaml",
    "team: data\n",
    "team: data\nunlisted_egress:\n  ask: { from: group:leads, expires: 15m, escalate: { after: 5m, to: group:security } }\n",
  );
  await house.say(ANA, "read the docs", { channel: "C0DATA" });
  const run = await house.until("working");
  const command = await house.question(run);
  const [grant] = [...house.gateway.grants.values()];
  house.gateway.happen({
    kind: "egress",
    id: "line-1",
    at: new Date().toISOString(),
    run: run.id,
    sandbox: grant?.sandbox ?? "",
    via: "connect",
    host: "docs.example.org",
    port: 443,
    method: null,
    outcome: "deny",
    reason: "no_rule",
    rule: null,
  });
  const host = async () => {
    for (;;) {
      const found = (await house.core.stores.approvals.ofRun(run.id)).find(({ gate }) => gate === "host");
      if (found) return found;
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const asked = await host();
  house.world.offset += 5 * MINUTE;
  await expireHosts(house.core);
  expect(await escalations(run)).toHaveLength(1);
  expect(code(await house.answer(FIN, asked.id))).toBe("noted");
  expect((await house.core.stores.approvals.get(asked.id))?.status).toBe("approved");
  expect((await house.core.stores.approvals.get(command.id))?.status).toBe("pending");
});

test("the card says who may answer, and from when another group may", async () => {
  const { run, first } = await asked();
  expect(first.asks[0]?.escalate).toEqual({ afterMs: 15 * MINUTE, to: "group:security" });
  const [card] = await shownAs("approval");
  expect(card).toMatchObject({ approval: { asks: [{ escalate: { to: "group:security" } }], escalated: [] } });
  expect(CY.kind).toBe("member");
  expect(run.state).toBe("waiting");
});

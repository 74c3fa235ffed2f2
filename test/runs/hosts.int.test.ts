import { afterEach, beforeEach, expect, test } from "vitest";
import { DirectoryUnavailable } from "#ports/directory.ts";
import type { AuditLine, Grant } from "#ports/gateway.ts";
import { factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import { ingest } from "#runs/sandbox/audit.ts";
import { expireHosts } from "#runs/sandbox/hosts.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, BO, CY, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
let leaving: AbortController;
beforeEach(() => {
  leaving = new AbortController();
});
afterEach(async () => {
  leaving.abort();
  await house.close();
});

const CEILING = '    - { host: "*.example.com", methods: [GET, HEAD] }\n';
const ASKABLE = `${CEILING}    - { host: "**", methods: [GET, HEAD], only: ask }\n`;
const TEAM = "team: data\n";
const UNLISTED = "unlisted_egress:\n  ask: { from: group:leads, expires: 15m }\n";
const DOCS = "docs.example.org";

/** An agent that waits in its sandbox for a person, in a team that asks about hosts. */
async function working(script: Script = {}): Promise<Run> {
  house = await memoryHouse({ play: (prompt) => (prompt.includes("allowed") ? [{ say: "Seen." }] : WAITS), ...script });
  house.policy.edit("org.yaml", CEILING, ASKABLE);
  house.policy.edit("teams/data.yaml", TEAM, `${TEAM}${UNLISTED}`);
  await house.say(ANA, "read the docs", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.question(run);
  void ingest(house.core, leaving.signal);
  return run;
}
const WAITS = [{ run: "rm -rf build", ask: true }, { write: "docs/a.md", content: "x" }, { say: "Done." }] as const;

let lines = 0;
/** The gateway refuses a host to the run's sandbox. */
function refuse(run: Run, host: string, more: Partial<AuditLine & { kind: "egress" }> = {}): void {
  lines += 1;
  const [grant] = grants();
  house.gateway.happen({
    kind: "egress",
    id: `line-${lines}`,
    at: new Date().toISOString(),
    run: run.id,
    sandbox: grant?.sandbox ?? "",
    via: "connect",
    host,
    port: 443,
    method: null,
    outcome: "deny",
    reason: "no_rule",
    rule: null,
    ...more,
  });
}

const grants = (): Grant[] => [...house.gateway.grants.values()];
const open = () => grants().flatMap(({ egress }) => egress.map(({ host }) => host));
const asked = async (run: Run) =>
  (await house.core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate === "host");

/** The record, once the gateway's lines are in it up to `count`. */
async function heard(run: Run, count: number): Promise<void> {
  for await (const _ of polls()) {
    const all = await factsOf(house.core, run.id);
    if (all.hosts.reduce((sum, host) => sum + host.refused + host.allowed, 0) >= count) return;
  }
}
async function* polls(): AsyncGenerator<void> {
  for (const deadline = Date.now() + 15_000; Date.now() < deadline; ) {
    yield;
    await new Promise((resolve) => setImmediate(resolve));
  }
  const [run] = await house.core.stores.runs.recent(house.core.orgId, 1);
  const rows = run ? await house.core.stores.sandboxes.ofRun(run.id) : [];
  throw new Error(`it does not happen: ${run?.state} ${JSON.stringify(rows)} ${house.logged.join("\n")}`);
}

test("a refused host is asked about once, and a yes opens it for this run, as the ceiling has it", async () => {
  const run = await working();
  refuse(run, DOCS);
  refuse(run, DOCS);
  await heard(run, 2);
  const [question, ...others] = await asked(run);
  expect(others).toEqual([]);
  expect(question).toMatchObject({
    status: "pending",
    asks: [{ from: "group:leads" }],
    subject: { host: DOCS, port: 443, tried: null, opens: { methods: ["GET", "HEAD"] } },
  });
  expect(open()).toEqual(["reports.example.com"]);
  expect(await house.answer(CY, question?.id ?? "")).toMatchObject({ kind: "refused" });
  expect(await house.answer(BO, question?.id ?? "")).toMatchObject({ kind: "noted", what: "approved" });
  expect(grants()[0]?.egress.at(-1)).toMatchObject({
    host: DOCS,
    ports: [443],
    methods: ["GET", "HEAD"],
    mode: "intercept",
    secret: null,
  });
  const all = await factsOf(house.core, run.id);
  expect(all.decisions.filter(({ about }) => about === "host")).toMatchObject([
    { outcome: "ask", subject: `${DOCS}:443`, request: { team: "data", objects: [{ subject: "egress", host: DOCS }] } },
  ]);
  expect([...(await house.show()).values()].some((view) => view.kind === "blocked")).toBe(false);
});

test("the agent is told of a yes in its next turn, and the thread says so", async () => {
  const prompts: string[] = [];
  const run = await working({
    play: (prompt) => {
      prompts.push(prompt);
      return prompt.includes("allowed") ? [{ say: "Seen." }] : WAITS;
    },
  });
  refuse(run, DOCS);
  await heard(run, 1);
  const [question] = await asked(run);
  await house.answer(BO, question?.id ?? "");
  expect((await factsOf(house.core, run.id)).notices.at(-1)?.text).toContain(
    `${DOCS}:443 (GET, HEAD) is open to this run`,
  );
  const command = (await house.core.stores.approvals.ofRun(run.id)).find(({ gate }) => gate === "command");
  await house.answer(BO, command?.id ?? "");
  await house.until("in_review");
  expect(prompts.at(-1)).toMatch(/<note>\nBo allowed docs\.example\.org:443 \(GET, HEAD\) for this run/);
});

test("a host is closed again once who said yes to it has added to the run", async () => {
  const run = await working();
  refuse(run, DOCS);
  await heard(run, 1);
  const [question] = await asked(run);
  await house.answer(BO, question?.id ?? "");
  expect(open()).toContain(DOCS);
  await house.say(BO, "and the second page", { in: run });
  expect(open()).toEqual(["reports.example.com"]);
});

test("a no is remembered: the same host is not asked about again in this run", async () => {
  const run = await working();
  refuse(run, DOCS);
  await heard(run, 1);
  const [question] = await asked(run);
  await house.answer(BO, question?.id ?? "", "deny");
  refuse(run, DOCS);
  await heard(run, 2);
  expect(await asked(run)).toHaveLength(1);
  expect(open()).toEqual(["reports.example.com"]);
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("working");
});

test.each([
  ["a method that the ceiling does not have", { method: "POST", reason: "method" }],
  ["an address that is not let through", { reason: "ip_class" }],
  ["another sandbox than the agent's", { sandbox: "check" }],
])("nobody is asked about %s", async (_, more) => {
  const run = await working();
  refuse(run, DOCS, more);
  await heard(run, 1);
  expect(await asked(run)).toEqual([]);
});

test("people are asked about five hosts of a run; from there on it is said once that others are only refused", async () => {
  const run = await working();
  for (const n of [1, 2, 3, 4, 5, 6, 7]) refuse(run, `host-${n}.example.org`);
  await heard(run, 7);
  expect(await asked(run)).toHaveLength(5);
  const { notices } = await factsOf(house.core, run.id);
  expect(notices.filter(({ text }) => text.includes("People were asked about 5 hosts"))).toHaveLength(1);
});

test("a host that was allowed goes when the policy in force no longer has people asked about it", async () => {
  const run = await working();
  refuse(run, DOCS);
  await heard(run, 1);
  await house.answer(BO, (await asked(run))[0]?.id ?? "");
  expect(open()).toContain(DOCS);
  house.policy.edit("org.yaml", '"**", methods: [GET, HEAD], only', '"**", methods: [GET], only');
  await regrant(house.core);
  expect(grants()[0]?.egress.at(-1)).toMatchObject({ host: DOCS, methods: ["GET"] });
  house.policy.edit("teams/data.yaml", UNLISTED, "");
  await regrant(house.core);
  await regrant(house.core);
  expect(open()).toEqual(["reports.example.com"]);
  // Each policy's word on it is in the record, once.
  const { decisions } = await factsOf(house.core, run.id);
  const words = decisions.filter(({ about }) => about === "host").map(({ subject, outcome }) => [subject, outcome]);
  expect(words).toEqual(["ask", "ask", "deny"].map((outcome) => [`${DOCS}:443`, outcome]));
});

test("a yes that holds for one sandbox is not given to the next one", async () => {
  const run = await working();
  house.policy.edit("teams/data.yaml", "expires: 15m }", "expires: 15m, grants: { for: once } }");
  refuse(run, DOCS);
  await heard(run, 1);
  await house.answer(BO, (await asked(run))[0]?.id ?? "");
  expect(open()).toContain(DOCS);
  const [row] = await house.core.stores.sandboxes.ofRun(run.id);
  await house.sandboxes.destroy(row?.providerId ?? "");
  const given: Grant[] = [];
  const { grant } = house.gateway;
  house.gateway.grant = async (one) => {
    given.push(one);
    return grant(one);
  };
  const command = (await house.core.stores.approvals.ofRun(run.id)).find(({ gate }) => gate === "command");
  await house.answer(BO, command?.id ?? "");
  await house.until("in_review");
  const next = given.filter(({ sandbox, git }) => sandbox !== row?.key && git?.branch);
  expect(next.length).toBeGreaterThan(0);
  for (const { egress } of next) expect(egress.map(({ host }) => host)).not.toContain(DOCS);
});

test("a question about a host that nobody answers is put to its people once more, and only once", async () => {
  const run = await working();
  refuse(run, DOCS);
  await heard(run, 1);
  const [question] = await asked(run);
  const wanted = () => house.core.stores.outbox.get(`slack:${run.id}:reminder:${question?.id}`);
  house.world.offset += 9 * 60_000;
  await expireHosts(house.core);
  expect(await wanted()).toBeNull();
  house.world.offset += 2 * 60_000;
  await expireHosts(house.core);
  await expireHosts(house.core);
  expect(await wanted()).toMatchObject({ version: 1 });
  const views = [...(await house.show()).values()];
  expect(views.filter((view) => view.kind === "reminder")).toMatchObject([{ approval: { id: question?.id } }]);
  expect((await asked(run))[0]?.status).toBe("pending");
});

test("a question that nobody answers in time is closed, and may be asked again while the agent works", async () => {
  const run = await working();
  refuse(run, DOCS);
  await heard(run, 1);
  const [question] = await asked(run);
  house.world.offset += 16 * 60_000;
  await expireHosts(house.core);
  expect((await asked(run))[0]?.status).toBe("expired");
  expect(await askAgain(house.core, { approvalId: question?.id ?? "", account: ANA, place: run.place })).toMatchObject({
    kind: "noted",
    what: "asked_again",
  });
  expect(await asked(run)).toMatchObject([{ status: "expired" }, { status: "pending", askNo: 2 }]);
});

test("who cannot be read is not asked, which is said once, and the host stays refused", async () => {
  const run = await working();
  const { members } = house.directory;
  house.directory.members = async (group, workspace) => {
    if ("slack_usergroup" in group && group.slack_usergroup === "S0LEADS") throw new DirectoryUnavailable("away");
    return members(group, workspace);
  };
  refuse(run, DOCS);
  await heard(run, 1);
  expect(await asked(run)).toEqual([]);
  expect((await factsOf(house.core, run.id)).notices.map(({ text }) => text)).toEqual([
    `Nobody can be asked about ${DOCS}:443: who is in group:leads cannot be read. It stays refused.`,
  ]);
});

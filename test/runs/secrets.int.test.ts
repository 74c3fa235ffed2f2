import { createHash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import type { Grant } from "#ports/gateway.ts";
import { factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, BO, CY, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const REPORTS = "  - { host: reports.example.com, methods: [GET] }\n";
const CMS = "  - { host: cms.example.com, methods: [GET], secret: cms-read }\n";
const RULES = "rules:\n";
const ask = (more = "") => `${RULES}  - { ask: { secret.name: cms-read }, from: group:leads${more} }\n`;

/** The data team, whose content host needs a secret. */
async function open(rules = RULES, script: Script = {}): Promise<void> {
  house = await memoryHouse(script);
  house.policy.edit("teams/data.yaml", REPORTS, `${REPORTS}${CMS}`);
  house.policy.edit("teams/data.yaml", RULES, rules);
}
const WAITS: Script = { play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] };
const begin = () => house.say(ANA, "read the reports", { channel: "C0DATA" });

const grants = (): Grant[] => [...house.gateway.grants.values()];
const hosts = () => grants().flatMap(({ egress }) => egress.map(({ host }) => host));
const secretQuestions = async (run: Run) =>
  (await house.core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate === "secret");

const decisions = async (run: Run) =>
  (await factsOf(house.core, run.id)).decisions.filter(({ about }) => about === "secret").map(({ outcome }) => outcome);

test("a secret that a grant allows is an opaque value in the sandbox, and the agent is told how to use it", async () => {
  const prompts: string[] = [];
  await open(RULES, {
    play: (prompt) => {
      prompts.push(prompt);
      return [{ run: "rm -rf build", ask: true }, { say: "Done." }];
    },
  });
  await begin();
  const run = await house.until("working");
  await house.question(run);
  const [grant] = grants();
  const placeholder = house.core.tokenFor(`${grant?.sandbox}/secret/cms-read`);
  expect(grant?.secrets).toEqual([
    { name: "cms-read", placeholderHash: createHash("sha256").update(placeholder).digest("hex") },
  ]);
  expect(hosts()).toEqual(["reports.example.com", "cms.example.com"]);
  expect(prompts[0]).toContain(
    "$SECRET_CMS_READ stands for the secret cms-read: put it into the authorization header of requests to cms.example.com",
  );
  expect(prompts[0]).not.toContain(placeholder);
  expect((await factsOf(house.core, run.id)).decisions.filter(({ about }) => about === "secret")).toMatchObject([
    { subject: "cms-read", outcome: "allow", request: { objects: [{ subject: "secret.name", secret: "cms-read" }] } },
  ]);
});

test("the sandbox in which the result is checked gets no secret and none of its hosts", async () => {
  const inCheck: Grant[] = [];
  await open(RULES, {
    play: () => [{ write: "docs/a.md", content: "x" }, { say: "Done." }],
    changes: { files: [{ path: "docs/a.md", status: "added", additions: 1, deletions: 0 }] },
    checks: () => {
      inCheck.push(...grants().filter(({ sandbox }) => sandbox.includes(":check:")));
      return 0;
    },
  });
  await begin();
  await house.until("in_review");
  expect(inCheck.length).toBeGreaterThan(0);
  for (const { secrets, egress } of inCheck) {
    expect(secrets).toEqual([]);
    expect(egress.map(({ host }) => host)).toEqual(["reports.example.com"]);
  }
});

test("a secret that is asked about is asked before there is a sandbox, with its header and hosts under the digest", async () => {
  await open(ask(), WAITS);
  await begin();
  const run = await house.until("suspended");
  const [question] = await secretQuestions(run);
  expect(question).toMatchObject({
    status: "pending",
    asks: [{ from: "group:leads" }],
    subject: { secret: "cms-read", header: "authorization", hosts: [{ host: "cms.example.com", methods: ["GET"] }] },
  });
  expect(await house.core.stores.sandboxes.ofRun(run.id)).toEqual([]);
  expect(grants()).toEqual([]);
  expect(await house.answer(CY, question?.id ?? "")).toMatchObject({ kind: "refused" });
  expect(await house.answer(BO, question?.id ?? "", "approve", { digest: "sha256:00" })).toMatchObject({
    kind: "refused",
    refusal: { code: "stale" },
  });
  await house.answer(BO, question?.id ?? "");
  await house.until("working");
  expect(hosts()).toContain("cms.example.com");
  const events = await house.core.stores.events.after(run.id, 0, 1_000);
  expect(events.filter(({ body }) => body.kind === "grant.used")).toMatchObject([
    { body: { approval: question?.id, digest: question?.digest } },
  ]);
});

test("after a no the run goes on without the secret and its hosts, and says so once", async () => {
  await open(ask(), WAITS);
  await begin();
  const run = await house.until("suspended");
  await house.answer(BO, (await secretQuestions(run))[0]?.id ?? "", "deny", { reason: "not today" });
  await house.until("working");
  expect(hosts()).toEqual(["reports.example.com"]);
  expect(grants()[0]?.secrets).toEqual([]);
  expect(await house.notices(run)).toEqual([
    "This run goes without the secret cms-read: Bo said no (not today). Closed with it: cms.example.com.",
  ]);
});

test("a secret that the policy in force no longer gives is left out, by the rule that says so", async () => {
  await open(ask(), WAITS);
  await begin();
  const run = await house.until("suspended");
  house.policy.edit("teams/data.yaml", CMS, "");
  house.policy.edit("teams/data.yaml", ask(), `${RULES}  - { deny: { secret.name: "cms-*" } }\n`);
  await house.answer(BO, (await secretQuestions(run))[0]?.id ?? "");
  await house.until("working");
  expect(hosts()).toEqual(["reports.example.com"]);
  expect((await house.notices(run))[0]).toMatch(/cms-read: deny secret\.name cms-\* \(teams\/data\.yaml:\d+:\d+\)/);
});

test("a policy that begins to ask takes the secret from a live sandbox", async () => {
  await open(RULES, WAITS);
  await begin();
  const run = await house.until("working");
  await house.question(run);
  expect(hosts()).toContain("cms.example.com");
  house.policy.edit("teams/data.yaml", RULES, ask());
  await regrant(house.core);
  expect(hosts()).toEqual(["reports.example.com"]);
  expect(grants()[0]?.secrets).toEqual([]);
  expect(await decisions(run)).toEqual(["allow", "ask"]);
});

test("a secret that is taken from a live sandbox, and given back, is in the record each time, by its rule and once", async () => {
  await open(RULES, WAITS);
  await begin();
  const run = await house.until("working");
  await house.question(run);
  const before = house.policy.current;
  house.policy.edit("teams/data.yaml", CMS, "");
  house.policy.edit("teams/data.yaml", RULES, `${RULES}  - { deny: { secret.name: "cms-*" } }\n`);
  await Promise.all([regrant(house.core), regrant(house.core)]);
  await regrant(house.core);
  expect(hosts()).toEqual(["reports.example.com"]);
  expect(await decisions(run)).toEqual(["allow", "deny"]);
  const view = await house.say(ANA, "why cms-read", { in: run });
  expect(view).toMatchObject({ reasons: [{ outcome: "deny", rules: [{ ref: { text: "deny secret.name cms-*" } }] }] });
  house.policy.current = before;
  await regrant(house.core);
  expect(hosts()).toContain("cms.example.com");
  expect(await decisions(run)).toEqual(["allow", "deny", "allow"]);
  house.policy.current = { ok: false, problem: "it does not load" };
  await regrant(house.core);
  expect(await decisions(run)).toHaveLength(3);
});

test("a yes for a while ends at the gateway, counted from the yes", async () => {
  await open(ask(", grants: { for: 30m }"), WAITS);
  await begin();
  const run = await house.until("suspended");
  await house.answer(BO, (await secretQuestions(run))[0]?.id ?? "");
  await house.until("working");
  const [answered] = await secretQuestions(run);
  const rule = grants()[0]?.egress.find(({ host }) => host === "cms.example.com");
  expect(rule?.until).toBe(new Date((answered?.closedAt?.getTime() ?? 0) + 30 * 60_000).toISOString());
  house.world.offset += 31 * 60_000;
  await regrant(house.core);
  expect(hosts()).toEqual(["reports.example.com"]);
});

test("a yes for one use is one sandbox: for the next one people are asked again", async () => {
  await open(ask(", grants: { uses: 1 }"), WAITS);
  await begin();
  const run = await house.until("suspended");
  await house.answer(BO, (await secretQuestions(run))[0]?.id ?? "");
  await house.until("working");
  const command = await house.question(run);
  const [row] = await house.core.stores.sandboxes.ofRun(run.id);
  await house.sandboxes.destroy(row?.providerId ?? "");
  await house.answer(BO, command.id);
  await house.until("suspended");
  expect(await secretQuestions(run)).toMatchObject([{ status: "approved" }, { status: "pending", askNo: 2 }]);
  expect(hosts()).toEqual([]);
});

test("a question about a secret that nobody answers pauses the run, and may be asked again", async () => {
  await open(ask(", expires: 15m"), WAITS);
  await begin();
  const run = await house.until("suspended");
  await house.pass(16 * 60_000, run);
  const [expired] = await secretQuestions(run);
  expect(expired?.status).toBe("expired");
  expect((await house.core.stores.runs.get(run.id))?.state).toBe("suspended");
  await askAgain(house.core, { approvalId: expired?.id ?? "", account: ANA, place: run.place });
  await house.answer(BO, (await secretQuestions(run))[1]?.id ?? "");
  await house.until("working");
  expect(hosts()).toContain("cms.example.com");
});

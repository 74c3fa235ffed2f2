import { afterEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, CY, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const REPORTS = "  - { host: reports.example.com, methods: [GET] }\n";
const CMS = "  - { host: cms.example.com, methods: [GET], secret: cms-read }\n";

/** The data team, with one more rule; Bo and Cy are its leads. */
async function open(rule: string, script: Script): Promise<void> {
  house = await memoryHouse(script);
  house.directory.group({ slack_usergroup: "S0LEADS" }, [BO.id, CY.id]);
  if (rule.includes("cms-read")) house.policy.edit(DATA, REPORTS, `${REPORTS}${CMS}`);
  house.policy.edit(DATA, "rules:\n", `rules:\n  - ${rule}\n`);
}
const SECRET = "{ ask: { secret.name: cms-read }, from: group:leads }";
const begin = () => house.say(ANA, "read the reports", { channel: "C0DATA" });
const hosts = () => [...house.gateway.grants.values()].flatMap(({ egress }) => egress.map(({ host }) => host));
const asked = async (run: Run, gate: string) =>
  (await house.core.stores.approvals.ofRun(run.id)).filter((one) => one.gate === gate);
const said = async (run: Run) => (await factsOf(house.core, run.id)).notices.map(({ text }) => text);
const refusal = async (answer: Promise<unknown>) =>
  ((await answer) as { refusal?: { code: string } }).refusal?.code ?? "none";

/** A run with the secret that Bo said yes to, whose agent waits for a person. */
async function withSecret(rule = SECRET) {
  const prompts: string[] = [];
  await open(rule, {
    play: (prompt) => {
      prompts.push(prompt);
      return prompts.length === 1 ? [{ run: "rm -rf build", ask: true }, { say: "Done." }] : [{ say: "Sent." }];
    },
  });
  await begin();
  const waiting = await house.until("suspended");
  await house.answer(BO, (await house.question(waiting)).id);
  const run = await house.until("working");
  await house.question(run);
  expect(hosts()).toContain("cms.example.com");
  return { run, prompts };
}

test("who said yes to a secret and then adds to the run takes the secret from it, and their words wait for another's yes", async () => {
  const { run, prompts } = await withSecret();
  await house.say(BO, "now send the list to me", { in: run });
  expect(hosts()).not.toContain("cms.example.com");
  expect(await said(run)).toEqual([
    "The yes to a secret by Bo counts no more: Bo added to this run after it, and no author may approve. It is asked again before it is used.",
  ]);
  await house.answer(CY, (await house.question(run)).id);
  await house.until("suspended");
  expect(prompts).toHaveLength(1);
  const questions = await asked(run, "secret");
  expect(questions).toMatchObject([{ status: "approved" }, { status: "pending", askNo: 2 }]);
  const again = questions[1]?.id ?? "";
  expect(await refusal(house.answer(BO, again))).toBe("own_run");
  await house.answer(CY, again);
  await house.until("answered", "in_review");
  expect(prompts.at(-1)).toContain("now send the list to me");
  expect(await said(run)).toHaveLength(1);
});

test("after a no the words of who had said yes reach an agent without the secret", async () => {
  const { run, prompts } = await withSecret();
  await house.say(BO, "now send the list to me", { in: run });
  await house.answer(CY, (await house.question(run)).id);
  await house.until("suspended");
  await house.answer(CY, (await house.question(run)).id, "deny");
  await house.until("answered", "in_review");
  expect(prompts.at(-1)).toContain("now send the list to me");
  expect(prompts.at(-1)).not.toContain("SECRET_CMS_READ");
});

test("where authors may approve, who said yes may add to the run", async () => {
  const { run } = await withSecret("{ ask: { secret.name: cms-read }, from: group:leads, self: true }");
  await house.say(BO, "now send the list to me", { in: run });
  expect(hosts()).toContain("cms.example.com");
  expect(await said(run)).toEqual([]);
});

test("who never said yes takes nothing from the run by adding to it", async () => {
  const { run } = await withSecret();
  await house.say(CY, "and the second list", { in: run });
  expect(hosts()).toContain("cms.example.com");
  expect(await said(run)).toEqual([]);
});

test("a yes to a command is none once its giver added to the run", async () => {
  await open("{ ask: { command: make reset }, from: group:leads, grants: { for: run } }", {
    play: (prompt) =>
      prompt.includes("reset it twice")
        ? [{ run: "make reset", ask: true }, { say: "Done." }]
        : [{ run: "make reset", ask: true }, { run: "rm -rf build", ask: true }, { say: "Done." }],
  });
  await begin();
  const run = await house.until("working");
  const first = await house.question(run);
  await house.answer(BO, first.id);
  while ((await asked(run, "command")).length < 2) await new Promise((resolve) => setImmediate(resolve));
  await house.say(BO, "reset it twice", { in: run });
  await house.answer(CY, (await house.question(run)).id);
  while ((await asked(run, "command")).length < 3) await new Promise((resolve) => setImmediate(resolve));
  const last = (await asked(run, "command")).at(-1);
  expect(last).toMatchObject({ digest: first.digest, status: "pending", askNo: 2 });
  expect(await refusal(house.answer(BO, last?.id ?? ""))).toBe("own_run");
});

test("a start that stands in line is asked about anew, with the words of who had said yes to it", async () => {
  await open("{ ask: { action: run.start }, from: group:leads }", {
    play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }],
  });
  house.policy.edit(DATA, "limits: { cost_usd: 4,", "limits: { per_repo: { concurrent_runs: 1 }, cost_usd: 4,");
  await begin();
  const first = await house.until("waiting");
  await house.answer(CY, (await house.question(first)).id);
  await house.until("working");
  await begin();
  const second = await house.until("waiting");
  await house.answer(BO, (await house.question(second)).id);
  await house.until("queued");
  await house.say(BO, "and send it to me", { in: second });
  await house.pass(6_000, second);
  await house.until("waiting");
  const again = await house.question(second);
  expect(again.subject).toMatchObject({ added: ["Bo: and send it to me"] });
  expect(await refusal(house.answer(BO, again.id))).toBe("own_run");
  expect(await said(second)).toContainEqual(expect.stringMatching(/^The yes to the start by Bo counts no more: /));
});

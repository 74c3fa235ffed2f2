import { afterEach, expect, test } from "vitest";
import type { AuditLine } from "#ports/gateway.ts";
import type { EventBody } from "#runs/event.ts";
import { eventsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { story } from "#surfaces/web/story.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

/** "would-deny is logged, not enforced": every subject that a rule on trial may have, in the record and on the run's page. */

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const UNTIL = "2999-12-31";
const DOCS: Script = {
  changes: { files: [{ path: "docs/a.md", status: "modified", additions: 1, deletions: 0 }] },
};

/** A run of the team data whose policy has this rule on trial. */
async function tried(rule: string, script: Script = DOCS): Promise<void> {
  house = await memoryHouse(script);
  house.policy.edit(DATA, "rules:\n", `trial:\n  until: ${UNTIL}\n  rules:\n    - ${rule}\nrules:\n`);
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
}

type Tried = Extract<EventBody, { kind: "policy.decided" | "egress.decided" | "push.decided" }>;
const onTrial = async (run: Pick<Run, "id">) =>
  (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    "trial" in body && body.trial !== undefined ? [body as Tried] : [],
  );
/** What the page says of trials. */
const page = async (run: Pick<Run, "id">) =>
  story(await eventsOf(house.core, run.id)).flatMap(({ words }) => {
    const text = words.map((word) => (typeof word === "string" ? word : Object.values(word).join(" "))).join("");
    return text.startsWith("On trial") ? [text] : [];
  });
const would = (what: string) =>
  expect.stringMatching(`^${what}.* would have been denied by a rule on trial until ${UNTIL} teams/data\\.yaml:`);

test.each([
  ["a path", 'deny: { git.path: "docs/**" }'],
  ["a size", 'deny: { git.size: "> 0 files" }'],
  ["pr.open", "deny: { action: pr.open }"],
])("a rule on trial about %s is reported with what is published, and holds nothing up", async (_what, rule) => {
  await tried(rule);
  const run = await house.until("in_review");
  expect(await onTrial(run)).toMatchObject([
    {
      kind: "policy.decided",
      about: "publish",
      outcome: "allow",
      trial: { outcome: "deny", until: UNTIL, rules: [{ text: expect.stringContaining("deny ") }] },
    },
  ]);
  expect(await page(run)).toEqual([would("On trial: docs/a.md")]);
});

test("a rule on trial about a command is reported where people are asked about it too", async () => {
  const play: Script["play"] = () => [{ run: "rm -rf build", ask: true }, { say: "Done." }];
  await tried('deny: { command: "rm -rf*" }', { play });
  const run = await house.until("working");
  await house.answer(BO, (await house.question(run)).id);
  await house.until("answered");
  expect(await onTrial(run)).toMatchObject([{ about: "command", outcome: "ask", trial: { outcome: "deny" } }]);
  expect(await page(run)).toHaveLength(1);
});

/** The gateway decides, and it comes into the record. */
async function decides(run: Run, id: string, line: Partial<AuditLine>): Promise<void> {
  const before = (await eventsOf(house.core, run.id)).length;
  house.gateway.happen({ id, at: new Date().toISOString(), run: run.id, sandbox: null, ...line } as AuditLine);
  await expect.poll(async () => (await eventsOf(house.core, run.id)).length).toBeGreaterThan(before);
}

test("a rule on trial about a host is reported with each request, and on the page once", async () => {
  await tried('deny: { egress.host: "reports.example.com" }');
  const run = await house.until("in_review");
  const line = {
    kind: "egress",
    via: "connect",
    host: "reports.example.com",
    port: 443,
    method: null,
    outcome: "allow",
    reason: "rule",
    rule: "teams/data.yaml:22:5",
  } as const;
  await decides(run, "one", line);
  await decides(run, "two", line);
  await decides(run, "three", { ...line, host: "other.example.com" });
  expect(await onTrial(run)).toMatchObject([
    { kind: "egress.decided", outcome: "allow", trial: { outcome: "deny" } },
    { kind: "egress.decided", outcome: "allow", trial: { outcome: "deny" } },
  ]);
  expect(await page(run)).toEqual([would("On trial: reports.example.com:443")]);
});

test("a path that is pushed and taken back again is reported by the trial of its rule, though it is never published", async () => {
  await tried('deny: { git.path: "sql/**" }');
  const run = await house.until("in_review");
  const line = {
    kind: "push",
    branch: run.branch,
    oid: "c".repeat(40),
    outcome: "allow",
    reason: "rule",
    rule: null,
    detail: null,
    asks: false,
  } as const;
  await decides(run, "one", { ...line, paths: ["docs/a.md", "sql/b.sql"] });
  await decides(run, "two", { ...line, paths: ["docs/a.md", "sql/b.sql"] });
  expect(await onTrial(run)).toMatchObject([
    { kind: "push.decided", paths: ["docs/a.md", "sql/b.sql"], trial: { outcome: "deny" } },
    { kind: "push.decided", trial: { outcome: "deny" } },
  ]);
  expect(await page(run)).toEqual([would("On trial: the push of cccccccccc")]);
});

test("a trial that is over reports nothing", async () => {
  house = await memoryHouse(DOCS);
  house.policy.edit(
    DATA,
    "rules:\n",
    'trial:\n  until: 2026-01-31\n  rules:\n    - deny: { git.path: "docs/**" }\nrules:\n',
  );
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("in_review");
  expect(await onTrial(run)).toEqual([]);
});

import { expect, test } from "vitest";
import { type PageContext, runPage } from "#surfaces/web/fold.ts";
import { renderRunPage } from "#surfaces/web/run-page.ts";
import { shopRun } from "#test/fixtures/run.ts";
import {
  approved,
  bo,
  deniedForItsSandbox,
  eventsOf,
  merged,
  refusedHost,
  requested,
  type Story,
  title,
  waiting,
  working,
} from "#test/fixtures/run-events.ts";

/** What stands between the record and the page: every fact of the page from a real record, and nothing from elsewhere. */

const ana = { id: "person-ana", name: "Ana" };
const asked = 'Fix the flaky checkout test.\nIt waits for nothing.\nDo not touch <b>"the prices"</b>.';
/** Ana, who asked, presses Approve; two commands, of which the first prints more than a page keeps; one more model call. */
const story: Story = [
  requested(asked),
  ...waiting.slice(1),
  { kind: "approval.refused", approval: "approval-1", by: ana, choice: "approve", code: "own_run" },
  ...approved.slice(waiting.length),
  ...working.slice(approved.length),
  { kind: "tool.started", tool: "t1", toolKind: "execute", title: "Install", command: "npm ci" },
  { kind: "tool.output", tool: "t1", text: "é".repeat(5_000) },
  { kind: "tool.output", tool: "t1", text: "x".repeat(7_000) },
  refusedHost(),
  { kind: "tool.ended", tool: "t1", status: "failed", exitCode: 1 },
  { kind: "tool.started", tool: "t2", toolKind: "execute", title: "Test", command: "npm test" },
  { kind: "tool.output", tool: "t2", text: "ok 1 - rounds " },
  { kind: "tool.output", tool: "t2", text: "once\n" },
  { kind: "tool.ended", tool: "t2", status: "ok", exitCode: null },
  {
    kind: "model.called",
    model: "scripted",
    status: 200,
    inputTokens: 5_000,
    cachedTokens: 3_000,
    outputTokens: 100,
    usd: 0.01,
    prices: "2026-11-01",
    durationMs: 700,
  },
  ...merged.slice(working.length),
];

const context: PageContext = {
  agentTitle: "demo: scripted model",
  place: { name: "#shop", href: "/archives/C0SHOP/p1700000000000100" },
  repoHref: "/code/acme/shop",
  now: new Date("2027-01-01T00:00:00.000Z"),
};
const run = shopRun({ state: "merged", text: asked });
const page = runPage(run, eventsOf(story), context);

const DIGEST = run.policyDigest;
const [BASE, HEAD] = ["3f2c1a9b5e6d7c8b9a0f1e2d3c4b5a6978877665", "9d1e4c02a7b6f5e4d3c2b1a09f8e7d6c5b4a3928"];
const askStart = {
  at: "teams/shop.yaml:14:5",
  text: "ask action.start from group:leads",
  why: "A lead reads it first.",
};
const at = (clock: string) => `2026-11-24T${clock}.000Z`;
const PULL = "http://127.0.0.1:3000/code/acme/shop/pull/7";

test("the page of a run is exactly what its record says", () => {
  const { timeline: _, ...facts } = page;
  expect(facts).toEqual({
    id: title.id,
    number: 42,
    version: 38,
    title: "Fix the flaky checkout test.",
    state: "merged",
    team: { name: "shop", href: null },
    repo: { name: "acme/shop", href: "/code/acme/shop" },
    branch: title.branch,
    requester: "Ana",
    approvedBy: ["Bo"],
    place: context.place,
    agent: { title: "Demo agent", model: "scripted", demo: true },
    policy: { commit: "5d0f6a1be2c39485", digest: DIGEST, href: null },
    rules: [{ outcome: "ask", rule: askStart }],
    startedAt: at("14:00:07"),
    endedAt: at("14:31:44"),
    life: [
      { state: "requested", ms: 3_000 },
      { state: "waiting", ms: 128_000 },
      { state: "queued", ms: 1_000 },
      { state: "preparing", ms: 8_000 },
      { state: "working", ms: 206_000 },
      { state: "checking", ms: 45_000 },
      { state: "publishing", ms: 4_000 },
      { state: "in_review", ms: 1_502_000 },
    ],
    checks: {
      base: BASE,
      head: HEAD,
      declared: true,
      rows: [
        {
          name: "test",
          command: "npm test",
          required: true,
          base: { ok: false, words: "exit 1" },
          verdict: "fixed",
          words: null,
          ms: 12_300,
          output: "",
        },
      ],
      touchedTests: ["test/checkout.test.ts"],
      note: null,
    },
    files: [
      { path: "src/checkout.ts", status: "modified", additions: 12, deletions: 4 },
      { path: "test/checkout.test.ts", status: "modified", additions: 9, deletions: 1 },
      { path: "docs/logo.png", status: "added", additions: null, deletions: null },
    ],
    hosts: [
      {
        host: "telemetry.example.com",
        port: null,
        allowed: 0,
        refused: 2,
        reason: "no rule allows it",
        rule: null,
      },
      { host: "api.stripe.com", port: null, allowed: 1, refused: 0, reason: null, rule: "teams/shop.yaml:22:5" },
    ],
    usage: {
      calls: 2,
      inputTokens: 9_100,
      cachedTokens: 3_000,
      outputTokens: 1_000,
      usd: expect.closeTo(0.1334, 10),
      prices: "2026-11-01",
      limitUsd: 5,
      sandboxMs: 256_000,
    },
    approvals: [
      {
        id: "approval-1",
        gate: "Start",
        from: "1 of @leads",
        digest: DIGEST,
        rule: askStart,
        status: "approved",
        expiresAt: at("14:30:07"),
        votes: [{ by: "Bo", choice: "approve", reason: null, at: at("14:02:16") }],
        refused: [{ by: "Ana", why: "asked for this run or added to it", at: at("14:00:11") }],
      },
    ],
    pullRequest: { ref: "acme/shop#7", href: PULL, state: "merged" },
    receipt: { events: 24, keyId: "ed25519:0011223344556677", digest: DIGEST },
    handoff: null,
    answer: null,
    byHand: [],
    patch: null,
  });
});

test("the line that denied a run is among the rules of its page, also where it is no rule", () => {
  const { rules } = runPage(shopRun({ state: "denied" }), eventsOf(deniedForItsSandbox), context);
  const rule = { at: "teams/shop.yaml:9:12", text: "sandbox.disk 10GB", why: null };
  expect(rules).toEqual([{ outcome: "deny", rule }]);
});

test("the timeline has a line for each thing that happened, with the whole request and what commands really printed", () => {
  const digest = { source: DIGEST.slice(0, 15) };
  const told = page.timeline.map(({ mark, words, quote, command }) => [
    mark,
    words,
    ...(quote === null ? [] : [quote]),
    ...(command === null ? [] : [command]),
  ]);
  expect(told).toEqual([
    [
      "ok",
      [
        { who: "Ana" },
        " asked for ",
        { code: "acme/shop" },
        " ",
        { source: "this channel belongs to team shop (org.yaml:12:5); acme/shop is the team's only repository" },
      ],
      { by: "", text: asked },
    ],
    ["wait", ["Policy asks about ", { code: "acme/shop" }, " ", { source: "teams/shop.yaml:14:5" }]],
    ["wait", ["Asked 1 of @leads about ", "starting", " ", digest]],
    ["no", [{ who: "Ana" }, "'s click did not count: Ana asked for this run or added to it"]],
    ["ok", [{ who: bo.name }, " approved ", digest]],
    ["ok", ["Sandbox ready in 0.1 s", " ", { source: "bubblewrap, process isolation" }]],
    ["no", ["Refused ", { code: "telemetry.example.com:443" }, ", because no rule allows it", ", 2 times"]],
    [
      "no",
      ["A command failed"],
      {
        line: "npm ci",
        output: `${"é".repeat(1_000)}${"x".repeat(7_000)}`,
        // 4,000 letters of two bytes each.
        cutBytes: 8_000,
        exitCode: 1,
        ended: true,
        ms: 4_000,
        refusedHosts: ["telemetry.example.com"],
      },
    ],
    [
      "ok",
      ["Ran a command"],
      {
        line: "npm test",
        output: "ok 1 - rounds once\n",
        cutBytes: 0,
        exitCode: 0,
        ended: true,
        ms: 3_000,
        refusedHosts: [],
      },
    ],
    ["ok", ["Changed 3 files ", { added: 21, deleted: 5 }, " ", { source: HEAD.slice(0, 10) }]],
    ["ok", ["Check ", { code: "test" }, ": fixed"]],
    ["ok", ["Opened draft ", { link: "acme/shop#7", href: PULL }]],
    ["ok", ["Receipt signed ", digest, " by ", { source: "ed25519:0011223344556677" }]],
    ["ok", [{ who: "bo" }, " merged it"]],
  ]);
  expect(page.timeline.map(({ id }) => Number(id))).toEqual(
    page.timeline.map(({ id }) => Number(id)).toSorted((a, b) => a - b),
  );
});

test("the page says the request word for word, and says how much of an output is not there", () => {
  const html = renderRunPage(page);
  expect(html).toContain(
    "<blockquote>Fix the flaky checkout test.\nIt waits for nothing.\nDo not touch &lt;b&gt;&quot;the prices&quot;&lt;/b&gt;.</blockquote>",
  );
  expect(html).toContain("the first 8,000 bytes are not kept");
});

test("while a run goes on its page says so: no end, a command without an exit, time until now", () => {
  const events = eventsOf(
    story.slice(
      0,
      story.findIndex((step) => typeof step === "object" && step.kind === "tool.output"),
    ),
  );
  const now = new Date("2026-11-24T14:05:00.000Z");
  const early = runPage({ ...run, state: "working" }, events, { ...context, now });
  expect(early).toMatchObject({ state: "working", endedAt: null, files: [], pullRequest: null, receipt: null });
  expect(early.life.at(-1)).toEqual({ state: "working", ms: now.getTime() - Date.parse(at("14:02:27")) });
  expect(early.timeline.at(-1)).toMatchObject({
    words: ["Runs a command"],
    command: { line: "npm ci", output: "", exitCode: null, ended: false, ms: null },
  });
});

import { excerptOf } from "#policy/excerpt.ts";
import { whatIsTried } from "#policy/explain/can.ts";
import { capabilitiesOfTeam } from "#policy/explain/capabilities.ts";
import { rulesOf } from "#policy/explain/coverage.ts";
import { explain } from "#policy/explain/explain.ts";
import { objectsOf } from "#policy/load/cases.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { repositoriesOf } from "#policy/policy.ts";
import type { VoteRefusal } from "#runs/approval.ts";
import { VOTE_REFUSALS } from "#runs/approval.ts";
import { DELEGATION_REFUSALS } from "#runs/delegation.ts";
import type { ShownRule } from "#runs/reason.ts";
import type { Refusal, RefusalCode } from "#runs/refusal.ts";
import type { View } from "#runs/view.ts";
import * as questions from "#test/fixtures/question-events.ts";
import * as story from "#test/fixtures/run-events.ts";
import { loaded, sampleFiles } from "#test/policy/sample.ts";
import { accountViews } from "./account-views.ts";

const votes = (code: VoteRefusal): Refusal => ({
  code,
  from: ["group:leads"],
  rule: "teams/shop.yaml:14:5",
  who: "Bo",
  at: new Date("2026-11-24T14:02:11.000Z"),
  status: code === "expired" ? "expired" : "approved",
});

/** One of each refusal; a code without one fails the test that counts them. */
const refusals: readonly Refusal[] = [
  {
    code: "no_mapping",
    channel: "C0X",
    fix: "C0X: shop  # org.yaml, under routing.slack; one of data, marketing, shop",
  },
  { code: "not_a_member", team: "shop", group: "group:shop" },
  { code: "no_mirror", team: "shop", fix: "C0123456789: shop  # org.yaml, under routing.slack" },
  { code: "nothing_to_link", provider: "github" },
  { code: "code_here" },
  { code: "not_linked", provider: "github", rule: "teams/shop.yaml:5:12", what: "answer" },
  { code: "guest" },
  { code: "no_membership" },
  { code: "stale_menu" },
  { code: "already_chosen", team: "shop" },
  { code: "shared_channel" },
  { code: "directory_unavailable" },
  { code: "policy_unavailable", problem: "teams/shop.yaml:3:1 unknown key rulez" },
  { code: "no_repository", choices: ["acme/shop", "acme/site"] },
  { code: "unknown_repository", repo: "acme/nope", choices: ["acme/shop"] },
  {
    code: "recipe_fields",
    recipe: "copy-edit",
    usage: "copy-edit page=… [tone=warm|formal]",
    problems: ["page is missing", 'unknown field "pgae" - did you mean "page"?: in quotes, a value may hold "="'],
  },
  { code: "other_teams_recipe", recipe: "copy-edit", team: "marketing" },
  { code: "unknown_recipe", name: "copy-edti", near: "copy-edit" },
  { code: "no_run_here" },
  { code: "no_such_run", number: 9 },
  { code: "run_over", number: 42, state: "handed_off" },
  { code: "not_yours_to_stop", requester: "Ana" },
  { code: "not_yours_to_ask_again", requester: "Ana", from: ["group:leads"] },
  { code: "unknown_approval" },
  ...VOTE_REFUSALS.map(votes),
  ...DELEGATION_REFUSALS.map((code) => ({ code, from: ["group:leads"], rule: "teams/shop.yaml:14:5" })),
];

/** Of these there is a run, and so its page. */
const OF_A_RUN: ReadonlySet<RefusalCode> = new Set<RefusalCode>([
  ...(["not_linked", "run_over", "not_yours_to_stop", "not_yours_to_ask_again"] as const),
  ...VOTE_REFUSALS,
  ...DELEGATION_REFUSALS,
]);

const refusedView = (refusal: Refusal): View => ({
  kind: "refused",
  refusal,
  ...(OF_A_RUN.has(refusal.code) ? { run: story.title } : {}),
});

const blocked = (o: Partial<Extract<View, { kind: "blocked" }>> = {}): View => ({
  kind: "blocked",
  run: story.title,
  host: "telemetry.example.com",
  port: 443,
  reason: "no_rule",
  rule: null,
  times: 1,
  ...o,
});

const command = (text: string): View =>
  story.approvalOf(
    [
      ...story.working,
      story.opened({ approval: "approval-2", gate: "command", subject: { command: text, input: { command: text } } }),
    ],
    "approval-2",
    "I need this to publish the package. Approve it *now*.",
  );

/** Every kind of view in every state that reads differently, by the name of its golden file. */
export const sample = loaded(loadPolicy(sampleFiles(), { commit: "c0ffee00c0ffee" }));

/** What the sample organisation's policy says to "can I …". */
function can(team: string, text: string): View & { readonly kind: "can" } {
  const tried = whatIsTried(text, repositoriesOf(sample, team).only);
  const start = tried?.["git.push"] === undefined ? [] : [{ subject: "action", action: "run.start" } as const];
  const objects = tried === null ? [] : [...start, ...objectsOf(sample, tried)];
  const explanation = tried === null ? null : explain(sample, { team, objects });
  return { kind: "can", team, text, explanation, owners: "group:security" };
}

const MORE = {
  spent: { usd: 2.97, tokens: 1_234_567 },
  budget: { usd: 3, tokens: 5_000_000 },
  more: { usd: 3, tokens: 5_000_000 },
};

const inForce = { commit: "c0ffee00c0ffee", digest: "sha256:0123456789abcdef" };

/** What the policy's owners are told. */
export const policyViews = {
  broken: {
    kind: "policy_broken",
    tree: "files-0123456789ab",
    problems: [
      { at: "teams/shop.yaml:5:1", message: 'unknown key "egres" - did you mean "egress"?' },
      { at: "teams/shop.yaml:6:35", message: "git.repo other/shop is above the ceiling at org.yaml:6:3" },
    ],
    more: 0,
    kept: inForce,
    at: story.START,
  },
  mended: { kind: "policy_mended", now: inForce, at: story.START },
} as const satisfies Readonly<Record<string, View>>;

/** A rule of the sample, with the lines of its file. */
function ruleOf(text: string): ShownRule {
  const ref = rulesOf(sample).find((one) => one.text.startsWith(text));
  if (ref === undefined) throw new Error(`the sample has no rule "${text}"`);
  return { ref, commit: sample.commit, excerpt: excerptOf(Object.fromEntries(sampleFiles()), ref.at) };
}

export const views: Readonly<Record<string, View>> = {
  "policy-broken": policyViews.broken,
  "policy-broken-in-many-places": { ...policyViews.broken, more: 20 },
  "policy-mended": policyViews.mended,
  ...accountViews,
  "status-requested": story.statusOf(story.accepted),
  "status-waiting": story.statusOf(story.waiting),
  "status-beside-an-open-pull-request": story.statusOf([...story.accepted, story.beside]),
  "status-beside-one-that-is-being-opened": story.statusOf([...story.accepted, { ...story.beside, pull: null }]),
  "status-queued": story.statusOf([
    ...story.approved,
    { kind: "notice", text: "2 of shop's 2 runs are at work; this one starts when a place is free." },
  ]),
  "status-preparing": story.statusOf(story.preparing),
  "status-working": story.statusOf(story.working),
  "status-stopping": story.statusOf(story.stopping),
  "status-checking": story.statusOf(story.checking),
  "status-suspended": story.statusOf(story.suspended),
  "status-expired": story.statusOf(story.expired),
  "status-in-review": story.statusOf(story.inReview),
  "status-denied": story.statusOf(story.deniedByPerson),
  "status-answered": story.statusOf(story.answered),
  "status-cancelled": story.statusOf(story.cancelled),
  "status-handed-off": story.statusOf(story.handedOff),
  "status-merged": story.statusOf(story.merged),
  "status-closed": story.statusOf(story.closedUnmerged),
  "approval-start": story.approvalOf(story.waiting),
  "approval-of-named-people": {
    ...story.approvalOf(story.waiting),
    groups: { "group:leads": { people: ["U0BO", "U0CY"] } },
  } as View,
  "approval-that-escalates": story.approvalOf(questions.escalates),
  "approval-escalated": story.approvalOf(questions.escalated),
  "approval-delegated": story.approvalOf(questions.delegated),
  "approval-of-code-owners": {
    ...story.approvalOf(questions.owned),
    groups: { "codeowners @acme/payments-leads @ghost": { people: ["U0BO"] } },
  } as View,
  escalated: questions.handedOf("escalated", questions.escalated),
  delegated: questions.handedOf("delegated", questions.delegated),
  "reminder-start": story.reminderOf(story.waiting),
  "reminder-two-asks": story.reminderOf(story.suspended, "approval-2"),
  "approval-approved": story.approvalOf(story.approved),
  "approval-denied": story.approvalOf(story.deniedByPerson),
  "approval-expired": story.approvalOf(story.expired),
  "approval-expired-asked-again": story.approvalOf(story.askedAgain),
  "approval-second-ask": story.approvalOf(story.askedAgain, "approval-2"),
  "approval-void": story.approvalOf([...story.waiting, story.closed("void")]),
  "approval-of-a-run-that-ended": story.approvalOf([...story.waiting, story.moved("waiting", "cancelled")]),
  "approval-publish-two-asks": story.approvalOf(story.suspended, "approval-2"),
  "approval-quorum-half-met": story.approvalOf(
    [
      ...story.suspended,
      {
        kind: "approval.voted",
        approval: "approval-2",
        by: story.bo,
        choice: "approve",
        reason: null,
        digest: "sha256:00",
      },
    ],
    "approval-2",
  ),
  "approval-command": command("npm publish --access public"),
  "approval-host": story.approvalOf(
    [
      ...story.working,
      story.opened({
        approval: "approval-2",
        gate: "host",
        subject: {
          host: "api.example.com",
          port: 443,
          tried: null,
          opens: {
            methods: ["GET", "HEAD"],
            paths: [],
            private: [],
            maxBodyBytes: null,
            denied: [],
            rule: { at: "org.yaml:33:7", text: "egress ** GET, HEAD", why: null },
          },
        },
      }),
    ],
    "approval-2",
  ),
  "status-working-while-a-host-is-asked-about": story.statusOf([
    ...story.working,
    story.opened({ approval: "approval-2", gate: "host", subject: { host: "api.example.com", port: 443 } }),
  ]),
  "approval-secret": story.approvalOf(
    [
      ...story.waiting,
      story.opened({
        approval: "approval-2",
        gate: "secret",
        subject: {
          secret: "cms-read",
          header: "authorization",
          hosts: [{ host: "cms.example.com", ports: [443], methods: ["GET"], paths: ["/api/**"] }],
        },
      }),
    ],
    "approval-2",
  ),
  "approval-budget": story.approvalOf(
    [...story.working, story.opened({ approval: "approval-2", gate: "budget", subject: MORE })],
    "approval-2",
  ),
  "approval-time": story.approvalOf(
    [
      ...story.working,
      story.opened({ approval: "approval-2", gate: "budget", subject: { timeMs: 3_600_000, moreMs: 1_800_000 } }),
    ],
    "approval-2",
  ),
  "receipt-in-review": story.receiptOf(story.inReview),
  "receipt-merged": story.receiptOf(story.merged),
  "receipt-without-checks": story.receiptOf(
    story.inReview.filter((step) => typeof step === "number" || !step.kind.startsWith("check.")),
  ),
  blocked: blocked(),
  "blocked-by-rule-often": blocked({ reason: "rule", rule: "org.yaml:20:5", times: 4 }),
  "outcome-denied-by-person": story.outcomeOf(story.deniedByPerson),
  "outcome-denied-by-policy": story.outcomeOf(story.deniedByPolicy),
  "outcome-denied-without-rule": story.outcomeOf(story.deniedWithoutRule),
  "outcome-denied-for-its-sandbox": story.outcomeOf(story.deniedForItsSandbox),
  "outcome-denied-for-its-recipe": story.outcomeOf(story.deniedForItsRecipe),
  "outcome-denied-without-a-decision": story.outcomeOf(story.deniedWithoutDecision),
  "outcome-answered": story.outcomeOf(story.answered),
  "outcome-cancelled": story.outcomeOf(story.cancelled),
  "outcome-of-a-workspace-off-the-list": story.outcomeOf(story.unlisted),
  "outcome-answered-after-a-refusal": story.outcomeOf([
    ...story.working,
    story.opened({ approval: "approval-2", gate: "command", subject: { command: "rm -rf build" } }),
    {
      kind: "approval.voted",
      approval: "approval-2",
      by: story.bo,
      choice: "deny",
      reason: "Keep the build.",
      digest: "sha256:00",
    },
    { kind: "run.answered", text: "I left it undone." },
    story.moved("working", "answered"),
  ]),
  "outcome-handed-off": story.outcomeOf(story.handedOff),
  "outcome-handed-off-unpublished": story.outcomeOf([
    ...story.checking,
    {
      kind: "run.handed_off",
      fault: "code",
      tried: "fix the flaky checkout test (2 attempts)",
      failed: 'The check "test" passes without the change and fails with it.',
      next: "Open the run page.",
      branch: null,
    },
    story.moved("checking", "handed_off"),
  ]),
  "forge-words": { kind: "forge", run: story.title, facts: story.factsOf(story.reviewed) },
  "forge-approved": { kind: "forge", run: story.title, facts: story.factsOf(story.approvedOnForge) },
  "outcome-merged": story.outcomeOf(story.merged),
  "outcome-closed": story.outcomeOf(story.closedUnmerged),
  "noted-approved": { kind: "noted", what: "approved", run: story.title },
  "noted-denied": { kind: "noted", what: "denied", run: story.title },
  "noted-stopping": { kind: "noted", what: "stopping", run: story.title },
  "noted-asked-again": { kind: "noted", what: "asked_again", run: story.title },
  "noted-queued": { kind: "noted", what: "queued", run: story.title },
  help: {
    kind: "help",
    team: "shop",
    repos: ["acme/shop", "acme/site"],
    examples: ["fix the flaky login test"],
    recipes: [{ title: "Edit a page", usage: "copy-edit page=… [tone=warm|formal]", at: "recipes/copy-edit.yaml:3:9" }],
  },
  "help-without-team": { kind: "help", team: null, repos: [], examples: [], recipes: [] },
  list: {
    kind: "list",
    whose: "Ana",
    runs: [
      { ...story.title, state: "in_review", text: "fix the flaky checkout test" },
      { ...story.title, number: 41, state: "merged", text: "add a dark theme" },
    ],
  },
  "list-empty": { kind: "list", whose: "Ana", runs: [] },
  policy: {
    kind: "policy",
    team: "shop",
    commit: sample.commit,
    digest: "sha256:0123456789abcdef",
    says: capabilitiesOfTeam(sample, "shop"),
  },
  "can-allowed": can("data", "change README.md"),
  "can-asked": can("shop", "change package.json"),
  "can-denied": can("marketing", "change src/checkout.js"),
  "can-command": can("data", "run rm -rf build"),
  "can-not-understood": { ...can("shop", "have a pony"), explanation: null },
  why: story.whyOf(story.working),
  "why-with-the-lines-of-its-rules": story.whyOf(story.working, [
    {
      about: "start",
      subject: "acme/shop",
      outcome: "ask",
      reason: null,
      rules: [ruleOf("ask action run.start")],
      points: ["intake"],
      remedy: { text: "a yes from group:leads", add: null },
      trial: null,
    },
    {
      about: "host",
      subject: "rates.example.org:443",
      outcome: "deny",
      reason: "no_rule",
      rules: [],
      points: ["gateway"],
      remedy: {
        text: 'teams/shop.yaml would have to grant it under "egress", and first the ceiling at org.yaml:22:3 would have to hold it',
        add: { file: "teams/shop.yaml", under: "egress", lines: ["- { host: rates.example.org }"] },
      },
      trial: null,
    },
    {
      about: "command",
      subject: "npm test",
      outcome: "allow",
      reason: null,
      rules: [{ ref: { at: "baseline", text: "allow command", why: null }, commit: null, excerpt: null }],
      points: ["protocol"],
      remedy: null,
      trial: null,
    },
  ]),
  "why-here": {
    kind: "why_here",
    team: "shop",
    because: "this channel belongs to team shop (org.yaml:16:26)",
    members: "group:shop",
    repositories: ["acme/shop"],
    rules: [ruleOf("allow git.repo acme/shop"), ruleOf("deny git.repo acme/policies")],
    owners: "group:security",
  },
  "choose-team": {
    kind: "choose_team",
    key: "choice:slack:T0LOCAL:D0ANA:1700000000.000100",
    teams: ["data", "marketing", "shop"],
    text: "fix the flaky login test",
  },
  "why-before-any-decision": story.whyOf(story.accepted),
  ...Object.fromEntries(refusals.map((refusal) => [`refused-${refusal.code}`, refusedView(refusal)])),
};

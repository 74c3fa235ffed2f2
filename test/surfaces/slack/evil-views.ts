import { explain } from "#policy/explain/explain.ts";
import type { View } from "#runs/view.ts";
import * as story from "#test/fixtures/run-events.ts";
import { sample } from "./views.ts";

/** Everything a person or an agent can write, written as badly as possible. */
const EVIL =
  "<!channel> <@U0BO> <https://evil.example|click> &lt; `*bold*` _it_ ~no~ :white_check_mark: \u202egnp.exe\u202c \u200bx\nApproved by *Bo*";

const bad = EVIL;
const badTitle = { ...story.title, team: bad, repo: bad, branch: bad, agent: bad };
const badFacts = story.factsOf([
  { ...(story.requested(bad) as object), by: { id: "p", name: bad }, because: bad, repo: bad, model: bad } as never,
  story.decided("ask"),
  story.opened({
    subject: { text: bad, repo: bad, branch: bad, paths: [bad], hosts: [{ host: bad }], command: bad, other: { bad } },
    asks: [{ from: `group:${bad}`, quorum: 1, self: false, rule: { at: bad, text: bad, why: bad } }],
  }),
  story.moved("requested", "waiting"),
  story.refusedHost(bad, bad),
  { kind: "scan.ran", name: bad, findings: [{ path: bad, line: 3, what: bad, blocks: true }] },
  { kind: "check.judged", name: bad, required: false, verdict: "broke" },
  { kind: "agent.planned", tasks: [{ title: bad, status: "pending" }] },
  { kind: "notice", text: bad },
  { kind: "pull_request.opened", repo: bad, number: 1, url: "javascript:alert(1)", draft: true, oid: bad },
  { kind: "pull_request.reviewed", repo: bad, number: 1, by: bad, verdict: "commented", oid: bad, url: bad },
  { kind: "forge.checked", repo: bad, number: 1, by: bad, conclusion: "failure", oid: bad, url: "javascript:alert(2)" },
  { kind: "pull_request.changed", repo: bad, number: 1, change: "closed", by: bad, oid: null },
  { kind: "receipt.signed", digest: bad, keyId: bad, events: 1 },
  { kind: "run.answered", text: bad },
  { kind: "run.handed_off", fault: "us", tried: bad, failed: bad, next: bad, branch: bad },
]);
const badApproval = badFacts.approvals[0];
if (!badApproval) throw new Error("the story has no approval");

/** The same cards with hostile words in every place that is not ours. */
export const evilViews: Readonly<Record<string, View>> = {
  forge: { kind: "forge", run: badTitle, facts: badFacts },
  status: { kind: "status", run: badTitle, facts: badFacts, tasks: badFacts.plan },
  approval: {
    kind: "approval",
    run: badTitle,
    facts: badFacts,
    approval: badApproval,
    claim: bad,
    groups: { [badApproval.asks[0]?.from ?? ""]: { slack_usergroup: bad } },
  },
  approvalOfPeople: {
    kind: "approval",
    run: badTitle,
    facts: badFacts,
    approval: badApproval,
    claim: bad,
    groups: { [badApproval.asks[0]?.from ?? ""]: { people: [bad, "U1> <!channel"] } },
  },
  denied: {
    kind: "approval",
    run: badTitle,
    facts: badFacts,
    approval: {
      ...badApproval,
      status: "denied",
      votes: [{ by: { id: "q", name: bad }, choice: "deny", reason: bad, at: story.START }],
    },
    claim: null,
    groups: {},
  },
  receipt: { kind: "receipt", run: badTitle, facts: badFacts },
  answered: { kind: "outcome", run: badTitle, facts: { ...badFacts, state: "answered" } },
  handedOff: { kind: "outcome", run: badTitle, facts: { ...badFacts, state: "handed_off" } },
  closed: { kind: "outcome", run: badTitle, facts: { ...badFacts, state: "closed" } },
  deniedByPolicy: { kind: "outcome", run: badTitle, facts: { ...badFacts, state: "denied" } },
  blocked: { kind: "blocked", run: badTitle, host: bad, port: 1, reason: bad, rule: bad, times: 2 },
  linkRefused: { kind: "link_refused", provider: "github", name: bad, why: "theirs", holder: bad },
  linkLost: { kind: "link_lost", provider: "linear", account: bad, name: bad, by: { signedIn: bad } },
  linkTaken: { kind: "link_lost", provider: "github", account: bad, name: bad, by: { operator: bad } },
  why: {
    kind: "why",
    run: badTitle,
    facts: badFacts,
    owners: `group:${bad}`,
    reasons: [
      {
        about: bad,
        subject: bad,
        outcome: "deny",
        reason: bad,
        rules: [
          {
            ref: { at: bad, text: bad, why: bad },
            commit: bad,
            excerpt: { file: bad, line: 1, lines: [bad, "```", bad], more: 2 },
          },
        ],
        points: [bad],
        remedy: { text: bad, add: { file: bad, under: "rules", lines: [bad] } },
        trial: { outcome: "deny", until: bad, rules: [{ at: bad, text: bad, why: bad }] },
      },
    ],
  },
  whyHere: {
    kind: "why_here",
    team: bad,
    because: bad,
    members: `group:${bad}`,
    repositories: [bad],
    rules: [{ ref: { at: bad, text: bad, why: bad }, commit: bad, excerpt: null }],
    owners: null,
  },
  chooseTeam: { kind: "choose_team", key: "choice:1", teams: ["shop"], text: bad },
  policyBroken: {
    kind: "policy_broken",
    tree: bad,
    problems: [{ at: bad, message: bad }],
    more: 1,
    kept: { commit: bad, digest: bad },
    at: story.START,
  },
  policyMended: { kind: "policy_mended", now: { commit: bad, digest: bad }, at: story.START },
  policy: { kind: "policy", team: bad, commit: bad, digest: bad, says: [{ key: bad, text: bad, at: bad }] },
  can: {
    kind: "can",
    team: bad,
    text: bad,
    owners: `group:${bad}`,
    explanation: explain(sample, { team: "shop", objects: [{ subject: "command", command: bad }] }),
  },
  "can-not-understood": { kind: "can", team: bad, text: bad, owners: null, explanation: null },
  help: { kind: "help", team: bad, repos: [bad], examples: [bad], recipes: [{ title: bad, usage: bad, at: bad }] },
  recipeFields: { kind: "refused", refusal: { code: "recipe_fields", recipe: bad, usage: bad, problems: [bad] } },
  list: { kind: "list", whose: bad, runs: [{ ...badTitle, state: bad, text: bad, url: "javascript:alert(1)" }] },
  noMapping: { kind: "refused", refusal: { code: "no_mapping", channel: bad, fix: bad } },
  unknownRepository: { kind: "refused", refusal: { code: "unknown_repository", repo: bad, choices: [bad] } },
  notAnApprover: {
    kind: "refused",
    refusal: { code: "not_an_approver", from: [bad], rule: bad, who: bad, at: null, status: bad },
    run: badTitle,
  },
};

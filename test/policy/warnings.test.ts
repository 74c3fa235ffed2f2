import { expect, test } from "vitest";
import type { SiteConfig } from "#policy/site.ts";
import { load, ORG, teamFile } from "#test/policy/sample.ts";

const GRANTED = "rules:\n  - allow: {git.repo: acme/shop}\n";

function warnings(lines: string, site: SiteConfig = {}): string[] {
  const loaded = load(teamFile(lines), { site });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ at, message }) => `${at} ${message}`).join("\n"));
  return loaded.warnings.map(({ at, message }) => `${at} ${message}`);
}

test("a rule that a denial always outweighs is said to be dead", () => {
  const dead = `${GRANTED}  - {ask: {git.path: docs/a/**}, from: group:leads}\n  - deny: {git.path: docs/**}\n`;
  expect(warnings(dead)).toEqual(["teams/shop.yaml:7:5 never decides: teams/shop.yaml:8:5 denies all of it"]);
});

test("a denial that spares something, or speaks of one repository, makes no rule dead", () => {
  const spared = `${GRANTED}  - {ask: {git.path: docs/a/**}, from: group:leads}\n  - {deny: {git.path: docs/**}, except: docs/a/**}\n`;
  expect(warnings(spared)).toEqual([]);
  const elsewhere = `${GRANTED}  - {ask: {git.path: docs/a/**}, from: group:leads}\n  - {deny: {git.path: docs/**}, in: acme/shop}\n`;
  expect(warnings(elsewhere)).toEqual([]);
});

test("leaving draft beside a question about opening one is no dead rule", () => {
  const both = `${GRANTED}  - {ask: {action: pr.open, draft: true}, from: group:leads}\n  - allow: {action: pr.open, draft: false}\n`;
  expect(warnings(both)).toEqual([]);
});

test("a trial that is over is said once the day is known", () => {
  const trial = `${GRANTED}trial: {until: 2026-12-15, rules: [{deny: {git.path: docs/**}}]}\n`;
  expect(warnings(trial)).toEqual([]);
  expect(warnings(trial, { today: "2026-12-15" })).toEqual([]);
  expect(warnings(trial, { today: "2026-12-16" })).toEqual([
    "teams/shop.yaml:7:1 the trial ended on 2026-12-15 - make its rules rules, or remove them",
  ]);
});

const inShop = "  - {ask: {git.path: docs/**}, from: group:leads, in: acme/shop}\n";

test.each([
  [
    "a rule about a repository that the team is not granted",
    inShop.replace("acme/shop", "acme/shpo"),
    'teams/shop.yaml:7:5 never decides: the team is granted no acme/shpo - did you mean "acme/shop"?',
  ],
  [
    "a rule that spares all that it names",
    "  - {deny: {git.path: docs/**}, except: [README.md, docs/**]}\n",
    "teams/shop.yaml:7:5 never decides: its exceptions spare all that it names",
  ],
  [
    "a rule that is there twice",
    inShop + inShop,
    "teams/shop.yaml:8:5 never decides: teams/shop.yaml:7:5 says the same",
  ],
  [
    "a model without a door to any",
    "  - allow: {model: gpt-5}\n",
    "teams/shop.yaml:7:5 never decides: the team is granted no model's API, like {preset: model-openai}",
  ],
  [
    "a rule on trial that is in force already",
    `${inShop}trial: {until: 2027-01-31, rules: [{ask: {git.path: docs/**}, from: group:leads, in: acme/shop}]}\n`,
    "teams/shop.yaml:8:36 never decides: teams/shop.yaml:7:5 says the same",
  ],
  [
    "leaving draft, where people are asked before a pull request is opened",
    "  - {ask: {action: pr.open}, from: group:leads}\n  - allow: {action: pr.open, draft: false}\n",
    'teams/shop.yaml:8:5 never decides: teams/shop.yaml:7:5 asks, and nobody is asked about leaving draft - write "draft: true" beside its pr.open',
  ],
  [
    "a check of a repository that the team is not granted",
    "checks: [{name: tests, command: make, in: acme/shpo}]\n",
    'teams/shop.yaml:3:7 the check "tests" never runs: the team is granted no acme/shpo - did you mean "acme/shop"?',
  ],
  [
    "a setup of one",
    "setup: [{command: make, in: acme/shpo}]\n",
    'teams/shop.yaml:3:7 the setup "make" never runs: the team is granted no acme/shpo - did you mean "acme/shop"?',
  ],
  [
    "a host that is granted and denied",
    '  - deny: {egress.host: "*.example.com"}\negress: [{host: api.example.com}, {host: a.b.example.com}]\n',
    "teams/shop.yaml:8:10 opens nothing: teams/shop.yaml:7:5 denies all of it",
  ],
])("%s is said to do nothing", (_what, more, said) => {
  expect(warnings(GRANTED + more)).toEqual([said]);
});

test("what may act somewhere is not said to be dead", () => {
  const wide = 'rules:\n  - allow: {git.repo: "acme/lib-*"}\n';
  expect(warnings(`${wide}  - {deny: {git.path: a}, in: "acme/*-ui"}\n`)).toEqual([]);
  expect(warnings(`${GRANTED}${inShop}${inShop.replace("leads", "shop")}`)).toEqual([]);
  expect(warnings(`${GRANTED}  - deny: {egress.host: api.example.com, methods: POST}\n${HOST}`)).toEqual([]);
});

test("a rule of the organisation about a repository that no team is granted, or that is there twice, is said to be dead", () => {
  const org = `${ORG}always:\n  - {deny: {git.path: a}, in: acme/shpo}\n  - deny: {git.path: b}\n  - deny: {git.path: b}\n`;
  expect(ofOrg(org)).toEqual([
    'org.yaml:11:5 never decides: no team is granted acme/shpo - did you mean "acme/shop"?',
    "org.yaml:13:5 never decides: org.yaml:12:5 says the same",
  ]);
});

test("a question about hosts under a ceiling that holds none is said to ask nothing", () => {
  const org = ORG.replace(/egress: .*/, "egress: []");
  const found = load(teamFile(`${GRANTED}unlisted_egress: {ask: {from: group:leads}}\n`), { org });
  expect(found.ok && found.warnings.map(({ at, message }) => `${at} ${message}`)).toEqual([
    "teams/shop.yaml:7:1 never asks: the ceiling holds no host",
  ]);
});

test("a secret's name in a rule that nobody keeps is said: where it is not known who keeps what, only if it is nearly one", () => {
  const deny = (name: string) =>
    `${GRANTED}  - deny: {secret.name: [${name}, "prod/**"]}\negress:\n  - {host: api.example.com, secret: cms-read}\n`;
  const near = 'teams/shop.yaml:7:5 no secret cms-raed is kept or granted here - did you mean "cms-read"?';
  expect(warnings(deny("cms-raed"))).toEqual([near]);
  expect(warnings(deny("cms-raed"), { secrets: ["cms-read"] })).toEqual([near]);
  expect(warnings(deny("warehouse"))).toEqual([]);
  expect(warnings(deny("warehouse"), { secrets: ["cms-read", "warehouse"] })).toEqual([]);
  expect(warnings(deny("warehouse"), { secrets: ["cms-read"] })).toEqual([
    "teams/shop.yaml:7:5 no secret warehouse is kept or granted here - known: cms-read",
  ]);
});

test("a secret that nobody keeps here is said", () => {
  const secret = `${GRANTED}egress:\n  - {host: api.example.com, secret: cms-read}\n`;
  expect(warnings(secret)).toEqual([]);
  expect(warnings(secret, { secrets: ["cms-read"] })).toEqual([]);
  expect(warnings(secret, { secrets: [] })).toEqual([
    "teams/shop.yaml:8:5 the secret cms-read is not kept here: requests go without it",
  ]);
});

test("a question that would expire before it goes to its next group is said", () => {
  const ask = (more: string) => `${GRANTED}  - {ask: {git.path: docs/**}, from: group:leads, ${more}}\n`;
  const never = (at: string) => [`teams/shop.yaml:${at} never goes to group:shop: the question expires before that`];
  expect(warnings(ask("escalate: {after: 29m, to: group:shop}"))).toEqual([]);
  expect(warnings(ask("escalate: {after: 30m, to: group:shop}"))).toEqual(never("7:5"));
  expect(warnings(ask("expires: 10m, escalate: {after: 15m, to: group:shop}"))).toEqual(never("7:5"));
  const unlisted = "unlisted_egress: {ask: {from: group:leads, escalate: {after: 1h, to: group:shop}}}\n";
  expect(warnings(`${GRANTED}${unlisted}`)).toEqual(never("7:1"));
});

test("every word about who answers and what a yes is worth has its effect, and none is warned about", () => {
  const ask = (more: string) => `${GRANTED}  - {ask: {git.path: docs/**}, ${more}}\n`;
  for (const words of ["delegate: true", "binds: [base, policy]", "grants: {for: 30m}", "grants: {uses: 3}"]) {
    expect(warnings(ask(`from: group:leads, ${words}`))).toEqual([]);
  }
  expect(warnings(ask("from: codeowners"))).toEqual([]);
});

const UNWALLED =
  "a command rule is advisory: it acts where the agent asks, and nothing else holds this - what must not happen needs a wall too: a host, a path or a secret that is not granted";
const HOST = "egress: [{host: api.example.com}]\n";

test.each<[string, string, boolean]>([
  ["make deploy*", "", false],
  ["terraform apply*", "", true],
  ["terraform apply*", HOST, false],
  ["terraform", "", true],
  ["terraform*", "", false],
  ["npm publish*", "", true],
  ["npm run *", "", false],
  ["git push*", HOST, true],
  ["git push --force *", HOST, true],
  ["git *", HOST, false],
])(
  "a denied %s has a wall behind it where something else holds the same, and else that is said",
  (glob, more, walled) => {
    const said = warnings(`${GRANTED}  - deny: {command: ${JSON.stringify(glob)}}\n${more}`);
    expect(said).toEqual(walled ? [] : [`teams/shop.yaml:7:5 ${UNWALLED}`]);
  },
);

test("of a rule that denies several commands each needs its wall, and one of the organisation needs it in every team", () => {
  expect(warnings(`${GRANTED}  - deny: {command: ["kubectl *", "make *"]}\n`)).toEqual([
    `teams/shop.yaml:7:5 ${UNWALLED}`,
  ]);
  const org = `${ORG}always: [{deny: {command: "kubectl *"}}]\n`;
  const of = (team: string) => {
    const found = load(teamFile(team), { org });
    return found.ok && found.warnings.filter(({ message }) => message === UNWALLED).length;
  };
  expect([of(GRANTED), of(GRANTED + HOST)]).toEqual([0, 1]);
});

function ofOrg(org: string, site: SiteConfig = {}): string[] {
  const loaded = load(teamFile(GRANTED), { org, site });
  if (!loaded.ok) throw new Error(loaded.problems.map(({ at, message }) => `${at} ${message}`).join("\n"));
  return loaded.warnings.map(({ at, message }) => `${at} ${message}`);
}
const withLeads = (source: string) => ORG.replace("leads: {people: [U0BO]}", `leads: ${source}`);

test("a group of whom nobody here can say who is in it is said, once it is known what is configured", () => {
  const idp =
    "org.yaml:3:50 nobody here can say who is in it: no identity provider's file is configured (COUNTERSIGN_IDP_FILE)";
  expect(ofOrg(withLeads("{idp: leads, max_age: 4h}"))).toEqual([]);
  expect(ofOrg(withLeads("{idp: leads}"), { directories: ["idp"] })).toEqual([]);
  expect(ofOrg(withLeads("{idp: leads}"), { directories: [] })).toEqual([idp]);
  expect(ofOrg(withLeads("{github_team: acme/leads}"), { directories: ["github", "idp"] })).toEqual([]);
  expect(ofOrg(withLeads("{github_team: acme/leads}"), { directories: ["idp"] })).toEqual([
    "org.yaml:3:50 nobody here can say who is in it: GitHub's teams are not configured (COUNTERSIGN_GITHUB_TOKEN and COUNTERSIGN_IDP_FILE)",
  ]);
});

test("a policy of which nobody knows what repository it comes from is said, with the line that keeps runs out of it", () => {
  const what = "a run may be given the repository that these files come from: they lie in no checkout with a remote";
  const add = (way: string) => `${what} - add ${way}`;
  const unnamed = { policyRepos: [] };
  expect(ofOrg(ORG, unnamed)).toEqual([
    `org.yaml:1:1 ${add('"always: [{ deny: { git.repo: OWNER/NAME } }]" with its name')}`,
  ]);
  expect(ofOrg(`${ORG}always:\n  - deny: {git.path: a}\n`, unnamed)).toEqual([
    `org.yaml:11:5 ${add('"- deny: { git.repo: OWNER/NAME }" under "always", with its name')}`,
  ]);
  // Asking is not denying: somebody may say yes.
  expect(ofOrg(`${ORG}always: [{ask: {git.repo: acme/policies}, from: group:leads}]\n`, unnamed)).toHaveLength(1);
  const denied = `${ORG}always: [{ deny: { git.repo: acme/policies } }]\n`;
  expect(ofOrg(denied, unnamed)).toEqual([]);
  expect(ofOrg(ORG, { policyRepos: ["acme/policies"] })).toEqual([]);
  expect(ofOrg(ORG)).toEqual([]);
});

test("auditors are read, and where nobody signs in it is said that they see no more than others", () => {
  const org = `${ORG}auditors: group:leads\n`;
  expect(ofOrg(org, { signIn: true })).toEqual([]);
  expect(ofOrg(org)).toEqual([]);
  expect(ofOrg(org, { signIn: false })).toEqual([
    'org.yaml:10:1 "auditors" has no effect here: nobody signs in (SLACK_CLIENT_ID), and whoever has the start link reads every run',
  ]);
});

test("how old an export may be is said of exports only, and is part of the policy", () => {
  const loaded = load(teamFile(GRANTED), { org: withLeads("{idp: leads, max_age: 4h}") });
  expect(loaded.ok && loaded.policy.groups.leads).toEqual({ idp: "leads", maxAgeMs: 4 * 3_600_000 });
  const wrong = load(teamFile(GRANTED), { org: withLeads("{people: [U0BO], max_age: 4h}") });
  expect(wrong.ok ? [] : wrong.problems.map(({ at, message }) => `${at} ${message}`)).toEqual([
    'org.yaml:3:50 "max_age" belongs to idp: only an export grows old',
  ]);
});

test("each route of GitHub is said to lead nowhere yet, and one of Linear to a team without a channel to start nothing", () => {
  const routing = "slack: {}, linear: {SHOP: shop}, github: {acme/shop: shop, 'acme/lib:agent': shop}";
  const found = load(teamFile(GRANTED), { org: ORG.replace("slack: {C0SHOP: shop}", routing) });
  expect(found.ok && found.warnings.map(({ message }) => message)).toEqual([
    'tickets of SHOP start nothing: runs of theirs are answered in Slack, and no channel leads to the team "shop"',
    "acme/shop leads to no team in this version: nothing that is said or labelled on the forge starts a run, only a channel of Slack or a team of Linear does",
    "acme/lib:agent leads to no team in this version: nothing that is said or labelled on the forge starts a run, only a channel of Slack or a team of Linear does",
    'nothing is routed to the team "shop"',
  ]);
});

test("an account that nobody can link here is said once, whoever asks for it", () => {
  const team = `${GRANTED}linked: {authors: [github, linear], approvers: github}\n`;
  expect(warnings(team)).toEqual([]);
  expect(warnings(team, { links: ["github", "linear"] })).toEqual([]);
  expect(warnings(team, { links: ["github"] })).toEqual([
    expect.stringMatching(/^teams\/shop\.yaml:7:10 nobody can link a linear account here.*docs\/linear\.md/),
  ]);
  const loaded = load(teamFile(GRANTED), { org: `${ORG}linked: {authors: github}\n`, site: { links: [] } });
  expect(loaded.ok && loaded.warnings.map(({ at }) => at)).toEqual(["org.yaml:10:10"]);
});

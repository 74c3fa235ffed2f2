import { expect, test } from "vitest";
import { loadPolicy } from "#policy/load.ts";
import { complaints, load, ORG, teamFile } from "#test/policy/sample.ts";

/** What an author did, the lines after the head of teams/shop.yaml (so line 5 is the first), and what they read then. */
const IN_A_TEAM: [string, string, string[]][] = [
  [
    "a size that is allowed",
    'rules:\n  - allow: {git.size: "> 500 lines"}\n',
    ["6:23 git.size cannot be allowed - it says from which size on a person is asked or nothing goes"],
  ],
  [
    "a size without its unit",
    "rules:\n  - deny: {git.size: 500}\n",
    ['6:22 expected a bound like "> 20 files", "> 500 lines" or "> 2MB", got the number 500'],
  ],
  [
    "a size that spares something",
    'rules:\n  - {deny: {git.size: "> 5 files"}, except: a}\n',
    ['6:37 "except" has nothing to spare here - a size has no names'],
  ],
  [
    "a host that a rule allows",
    "rules:\n  - allow: {egress.host: api.example.com}\n",
    ['6:26 egress.host can only be denied here - a grant belongs under "egress"'],
  ],
  [
    "a host that a rule asks about",
    "rules:\n  - {ask: {egress.host: api.example.com}, from: group:leads}\n",
    ['6:25 egress.host can only be denied here - a question belongs under "unlisted_egress"'],
  ],
  [
    "methods of something else",
    "rules:\n  - deny: {git.path: a, methods: GET}\n",
    ['6:25 "methods" belongs to egress.host'],
  ],
  [
    "a method nobody knows",
    "rules:\n  - deny: {egress.host: api.example.com, methods: GETT}\n",
    ['6:51 "GETT" is not one of GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE - did you mean "GET"?'],
  ],
  [
    "a secret with capitals",
    "rules:\n  - deny: {secret.name: PROD}\n",
    ['6:25 "PROD" is not a secret\'s name - small letters, digits, dashes, folders'],
  ],
  [
    "a secret that is granted and denied for real",
    "rules:\n  - deny: {secret.name: cms}\negress:\n  - {host: api.example.com, secret: cms}\n",
    ["8:5 the secret cms is denied at teams/shop.yaml:6:5"],
  ],
  [
    "code owners of a command",
    "rules:\n  - {ask: {command: make}, from: codeowners}\n",
    ["6:34 code owners own paths - a command has none"],
  ],
  [
    "escalation to nobody",
    "rules:\n  - {ask: {git.path: a}, from: group:leads, escalate: {after: 5m, to: group:boss}}\n",
    ['6:71 unknown group "group:boss" - known: group:shop, group:leads'],
  ],
  [
    "step-up without sign-in",
    "rules:\n  - {ask: {git.path: a}, from: group:leads, assurance: step_up}\n",
    ["6:56 nobody can sign in here, so nobody could answer - configure sign-in, or remove it"],
  ],
  [
    "grants for ever",
    "rules:\n  - {ask: {git.path: a}, from: group:leads, grants: {for: ever}}\n",
    ['6:59 expected run, once or a duration like 30m, got "ever"'],
  ],
  [
    "bound to the moon",
    "rules:\n  - {ask: {git.path: a}, from: group:leads, binds: moon}\n",
    ['6:52 "moon" is not one of base, policy'],
  ],
  ["a trial without an end", "trial: {rules: []}\n", ['5:8 "until" is missing - expected a day like 2027-01-31']],
  [
    "a trial that ends on no day",
    "trial: {until: 2027-02-30, rules: []}\n",
    ['5:16 expected a day like 2027-01-31, got "2027-02-30"'],
  ],
  [
    "a trial that grants",
    "trial: {until: 2027-01-31, rules: [{allow: {git.path: a}}]}\n",
    ["5:36 a trial holds deny and ask - an allow on trial would already be a grant"],
  ],
  [
    "a question about hosts to nobody",
    "unlisted_egress: {ask: {grants: {for: run}}}\n",
    ['5:24 an ask needs "from": the group whose people may say yes'],
  ],
  ["a sandbox of glass", "sandbox: {isolation: glass}\n", ['5:22 "glass" is not one of process, container, microvm']],
  ["a tool that may ask", "tools: {shell: ask}\n", ['5:16 "ask" is not one of allow, deny']],
  [
    "repositories of a host",
    "egress:\n  - {host: api.example.com, repos: [acme/a]}\n",
    ['6:29 "repos" belongs to a preset - a host has "paths"'],
  ],
  [
    "repositories of a registry",
    "egress:\n  - {preset: npm-read, repos: [acme/a]}\n",
    [
      "6:5 egress preset npm-read repos acme/a is above the ceiling at org.yaml:7:3",
      "6:32 npm-read has no repositories",
    ],
  ],
  [
    "a check of a folder written as a file",
    "checks: [{name: a, command: b, paths: src/}]\n",
    ['5:39 "src/" has an empty segment - a folder is "docs/**"'],
  ],
];

test.each(IN_A_TEAM)("%s is answered with its place and the way out", (_mistake, lines, expected) => {
  const said = complaints(load(teamFile(lines)));
  expect(said.map((line) => line.replace(/^teams\/shop\.yaml:/, ""))).toEqual(expected);
});

/** The lines after the head of recipes/typo.yaml: line 3 is the first. */
const IN_A_RECIPE: [string, string, string[]][] = [
  [
    "a team that is not there",
    "recipe: typo\nteam: shpo\ntitle: Fix a typo\nrepo: acme/shop\nprompt: a\n",
    ['4:7 unknown team "shpo" - did you mean "shop"?'],
  ],
  [
    "a repository of others",
    "recipe: typo\nteam: shop\ntitle: Fix a typo\nrepo: acme/other\nprompt: a\n",
    ["6:7 acme/other is not granted to the team at teams/shop.yaml:3:7"],
  ],
  [
    "several repositories",
    "recipe: typo\nteam: shop\ntitle: Fix a typo\nrepo: acme/*\nprompt: a\n",
    ["6:7 a recipe works on one repository - name it without *"],
  ],
  [
    "a field that is misspelt in the prompt, and one that is not in it",
    'recipe: typo\nteam: shop\ntitle: Fix a typo\nrepo: acme/shop\nfields: {page: {}, other: {}}\nprompt: "On {pag} {page}"\n',
    [
      '7:20 the prompt has no "{other}" - use it, or remove the field',
      '8:9 "{pag}" is no field - did you mean "page"?',
    ],
  ],
  [
    "more files than the team's",
    "recipe: typo\nteam: shop\ntitle: Fix a typo\nrepo: acme/shop\nprompt: a\npaths: [docs/a.md, src/**]\n",
    ["8:20 git.path src/** is more than the team's rules at teams/shop.yaml:7:5 allow"],
  ],
  [
    "more money than the team's",
    "recipe: typo\nteam: shop\ntitle: Fix a typo\nrepo: acme/shop\nprompt: a\nlimits: {cost_usd: 3}\n",
    ["8:20 cost_usd 3 is above the team's limit of 2 at teams/shop.yaml:8:10"],
  ],
  [
    "rules of its own",
    "recipe: typo\nteam: shop\ntitle: Fix a typo\nrepo: acme/shop\nprompt: a\nrules: []\n",
    [
      '8:1 unknown key "rules" - known: version, kind, recipe, team, title, repo, fields, prompt, paths, checks, limits',
    ],
  ],
];

test.each(IN_A_RECIPE)("a recipe with %s is answered with its place and the way out", (_mistake, lines, expected) => {
  const team = "rules:\n  - allow: {git.repo: acme/shop}\n  - allow: {git.path: docs/**}\nlimits: {cost_usd: 2}\n";
  const files = new Map([
    ["org.yaml", ORG],
    ["teams/shop.yaml", teamFile(team)],
    ["recipes/typo.yaml", `version: 1\nkind: recipe\n${lines}`],
  ]);
  const said = complaints(loadPolicy(files, { commit: "c0ffee" }));
  expect(said.map((line) => line.replace(/^recipes\/typo\.yaml:/, ""))).toEqual(expected);
});

test("a team's sandbox and its month are held to the ceiling, with both places", () => {
  const org = ORG.replace(
    'models: ["*"]',
    'models: ["*"]\n  sandbox: {isolation: container, memory: 2GB, provider: local, cpu: 2}',
  ).replace("concurrent_runs: 5}", "concurrent_runs: 5, per_month: {cost_usd: 100}}");
  const team = teamFile(
    "sandbox: {isolation: process, memory: 4GB, provider: [local, daytona], cpu: 4}\nlimits: {per_month: {cost_usd: 101}}\n",
  );
  expect(complaints(load(team, { org }))).toEqual([
    "teams/shop.yaml:5:22 sandbox isolation process is weaker than the ceiling of container at org.yaml:10:13",
    "teams/shop.yaml:5:39 sandbox memory 4GB is above the ceiling of 2GB at org.yaml:10:35",
    "teams/shop.yaml:5:54 sandbox provider local, daytona is above the ceiling of local at org.yaml:10:48",
    "teams/shop.yaml:5:77 sandbox cpu 4 is above the ceiling of 2 at org.yaml:10:65",
    "teams/shop.yaml:6:32 per_month.cost_usd 101 is above the ceiling of 100 at org.yaml:8:99",
  ]);
});

test("auditors that are not there are answered in the organisation's file", () => {
  expect(complaints(load(teamFile(""), { org: `${ORG}auditors: group:x\n` }))).toEqual([
    'org.yaml:10:11 unknown group "group:x" - known: group:shop, group:leads',
  ]);
});

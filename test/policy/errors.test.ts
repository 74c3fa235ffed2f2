import { expect, test } from "vitest";
import { loadPolicy } from "#policy/load.ts";
import { complaints, load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

/** What an author did to org.yaml, and what they read then. */
const IN_THE_ORG: [string, (org: string) => string, string[]][] = [
  [
    "a channel by its name",
    (org) => org.replace("{C0SHOP: shop}", '{"#shop": shop}'),
    ['4:19 expected a channel id like C0SHOP, not a name, got "#shop"'],
  ],
  [
    "a route to a team that is not there",
    (org) => org.replace("C0SHOP: shop", "C0SHOP: shpo"),
    ['4:27 unknown team "shpo" - did you mean "shop"?'],
  ],
  [
    "guests that are let in",
    (org) => org.replace("routing: {", "routing: {guests: allow, "),
    ['4:19 expected "deny" - it cannot be widened, got "allow"'],
  ],
  [
    "a group with two sources",
    (org) => org.replace("{people: [U0BO]}", "{people: [U0BO], idp: leads}"),
    ["3:50 a group has exactly one source: slack_usergroup, github_team, idp or people"],
  ],
  [
    "a user group by its name",
    (org) => org.replace("S0SHOP", "shop-team"),
    ['3:34 expected a user group id like S0LEADS, not a name, got "shop-team"'],
  ],
  [
    "a ceiling with a hole",
    (org) => org.replace("tokens: 20M, ", ""),
    ['8:11 "tokens" is missing - expected a count like 500k, 5M or 200000'],
  ],
  [
    "a grant for everybody",
    (org) => `${org}always: [{allow: {git.path: "**"}}]\n`,
    ['10:10 "always" holds deny and ask - a grant belongs to a team'],
  ],
  [
    "defaults above the ceiling",
    (org) => `${org}defaults: {limits: {cost_usd: 20}, egress: [{host: api.other.test}]}\n`,
    [
      "10:31 cost_usd 20 is above the ceiling of 10 at org.yaml:8:12",
      "10:45 egress api.other.test is above the ceiling at org.yaml:7:3",
    ],
  ],
  [
    "a branch that is not the run's own",
    (org) => `${org}defaults: {branch: main}\n`,
    ['10:20 expected a branch like agent/{run}, got "main"'],
  ],
  [
    "owners that are not there",
    (org) => `${org}owners: {from: group:boss}\n`,
    ['10:16 unknown group "group:boss" - known: group:shop, group:leads'],
  ],
];

test.each(IN_THE_ORG)("%s is answered in the organisation's file", (_mistake, change, expected) => {
  const said = complaints(load(teamFile("rules: []\n"), { org: change(ORG) }));
  expect(said.map((line) => line.replace(/^org\.yaml:/, ""))).toEqual(expected);
});

test("every mistake of every file is said in one go, in the order of the files", () => {
  const files = new Map([
    [
      "teams/shop.yaml",
      teamFile("egres: []\nrules:\n  - allow: {git.repo: other/x}\n  - deny: {git.pth: a}\nlimits: {cost_usd: 99}\n"),
    ],
    ["teams/data.yaml", "version: 1\nkind: team\nteam: data\nmembers: group:dta\n"],
    ["org.yaml", ORG.replace("C0SHOP: shop", "C0SHOP: shop, C0X: sales")],
    ["notes.yaml", "a: 1\n"],
  ]);
  expect(complaints(loadPolicy(files, { commit: "c0ffee" }))).toEqual([
    "notes.yaml:1:1 is not read - a policy is org.yaml, teams/*.yaml, recipes/*.yaml and tests/*.test.yaml",
    'org.yaml:4:38 unknown team "sales" - known: data, shop',
    'teams/data.yaml:4:10 unknown group "group:dta" - known: group:shop, group:leads',
    'teams/shop.yaml:5:1 unknown key "egres" - did you mean "egress"?',
    "teams/shop.yaml:7:23 git.repo other/x is above the ceiling at org.yaml:6:3",
    'teams/shop.yaml:8:12 unknown key "git.pth" - did you mean "git.path"?',
    "teams/shop.yaml:9:20 cost_usd 99 is above the ceiling of 10 at org.yaml:8:12",
  ]);
});

test("a folder without an organisation says what is missing", () => {
  expect(complaints(loadPolicy(new Map(), { commit: "c0ffee" }))).toEqual([
    "org.yaml:1:1 is missing - it holds groups, routing and the ceiling",
  ]);
});

test("a team that is declared twice names both places", () => {
  const files = new Map([
    ["org.yaml", ORG],
    ["teams/a.yaml", teamFile("")],
    ["teams/b.yaml", teamFile("")],
  ]);
  expect(complaints(loadPolicy(files, { commit: "c0ffee" }))).toEqual([
    'teams/b.yaml:3:7 the team "shop" is already at teams/a.yaml:3:7',
  ]);
});

test("a file that is too large, too deep, or not a mapping is refused", () => {
  expect(complaints(load(teamFile(`# ${"x".repeat(300_000)}\n`)))).toEqual([
    "teams/shop.yaml:1:1 is larger than 256 KB",
  ]);
  expect(complaints(load(teamFile(`rules: ${"[".repeat(40)}${"]".repeat(40)}\n`)))).toEqual([
    "teams/shop.yaml:5:24 nests deeper than 16 levels",
  ]);
  expect(complaints(load("- 1\n"))).toEqual(["teams/shop.yaml:1:1 expected a team's policy, got a list"]);
  expect(complaints(load(""))).toEqual(["teams/shop.yaml:1:1 expected a team's policy, got nothing"]);
});

test("a directive cannot turn YAML 1.2 into 1.1, where no is false", () => {
  expect(complaints(load(`%YAML 1.1\n---\n${teamFile("")}`))).toEqual([
    "teams/shop.yaml:1:1 directives (%YAML, %TAG) are not read",
  ]);
});

test("a key called __proto__ is refused, and names like it are only names", () => {
  expect(complaints(load(teamFile("__proto__: {}\n")))).toEqual([
    'teams/shop.yaml:5:1 the key "__proto__" is not read',
  ]);
  const odd = ORG.replace("leads: {", "constructor: {");
  const policy = loaded(load(teamFile("rules: [{ask: {git.path: a}, from: group:constructor}]\n"), { org: odd }));
  expect(policy.groups.constructor).toEqual({ people: ["U0BO"] });
});

test("a shared host is refused until somebody says why", () => {
  const org = ORG.replace("{preset: npm-read}", '{preset: npm-read}, {host: "**.amazonaws.com"}');
  const entry = (more: string) => teamFile(`egress: [{host: reports.s3.amazonaws.com${more}}]\n`);
  expect(complaints(load(entry(""), { org }))).toEqual([
    'teams/shop.yaml:5:17 "reports.s3.amazonaws.com" is on amazonaws.com, where anyone can have an account - name one host of yours, or say why with i_accept_shared_host',
  ]);
  expect(complaints(load(entry(", i_accept_shared_host: our own bucket"), { org }))).toEqual([]);
});

test("a host that the operator configures cannot be named, whatever wildcard covers it", () => {
  const site = { upstreams: ["registry.example.com"] };
  expect(complaints(load(teamFile('egress: [{host: "*.example.com"}]\n'), { site }))).toEqual([
    'teams/shop.yaml:5:17 "*.example.com" covers registry.example.com, which the operator configures - grant its preset',
  ]);
});

test("what loads and deserves a look is a warning", () => {
  const result = load(
    teamFile(`rules:
  - allow: {git.repo: [acme/shop, acme/lib]}
  - allow: {git.path: src/**}
    in: acme/shop
  - deny: {action: package.install}
egress: [{preset: npm-read}]
`),
    { org: ORG.replace("slack: {C0SHOP: shop}", ""), site: { presets: [] } },
  );
  expect(result.ok && result.warnings.map(({ at, message }) => `${at} ${message}`)).toEqual([
    "teams/shop.yaml:3:7 no allow names paths in acme/lib, so every path there may be changed unless a rule denies or asks",
    'teams/shop.yaml:3:7 nothing is routed to the team "shop"',
    'teams/shop.yaml:9:5 package.install is advisory: it acts where the agent asks - ask about the files that name packages too, like {git.path: "**/package.json"}',
    'teams/shop.yaml:10:10 the preset "npm-read" is not configured here: it grants nothing yet',
  ]);
});

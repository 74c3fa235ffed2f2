import { expect, test } from "vitest";
import { loadPolicy } from "#policy/load/load.ts";
import { complaints, load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

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
    "teams/shop.yaml:7:23 git.repo other/x is above the ceiling of acme/* at org.yaml:6:3",
    'teams/shop.yaml:8:12 unknown key "git.pth" - did you mean "git.path"?',
    "teams/shop.yaml:9:20 cost_usd 99 is above the ceiling of 10 at org.yaml:8:12",
  ]);
});

test("a file that is too large is refused before it is read", () => {
  expect(complaints(load(teamFile(`# ${"x".repeat(300_000)}\n`)))).toEqual([
    "teams/shop.yaml:1:1 is larger than 256 KB - split it: each team has a file of its own",
  ]);
});

test("a directive cannot turn YAML 1.2 into 1.1, where no is false", () => {
  expect(complaints(load(`%YAML 1.1\n---\n${teamFile("")}`))).toEqual([
    "teams/shop.yaml:1:1 directives (%YAML, %TAG) are not read - remove the line",
  ]);
});

test("a key called __proto__ is refused, and names like it are only names", () => {
  expect(complaints(load(teamFile("__proto__: {}\n")))).toEqual([
    'teams/shop.yaml:5:1 the key "__proto__" is not read - use another name',
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

import { expect, test } from "vitest";
import type { SiteConfig } from "#policy/site.ts";
import { load, teamFile } from "#test/policy/sample.ts";

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

test("a trial that is over is said once the day is known", () => {
  const trial = `${GRANTED}trial: {until: 2026-12-15, rules: [{deny: {git.path: docs/**}}]}\n`;
  expect(warnings(trial)).toEqual([]);
  expect(warnings(trial, { today: "2026-12-15" })).toEqual([]);
  expect(warnings(trial, { today: "2026-12-16" })).toEqual([
    "teams/shop.yaml:7:1 the trial ended on 2026-12-15 - make its rules rules, or remove them",
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

test("what is read and not enforced yet is said", () => {
  const ask = (more: string) => `${GRANTED}  - {ask: {git.path: docs/**}, from: group:leads, ${more}}\n`;
  const said = (message: string) => [`teams/shop.yaml:7:5 ${message}`];
  expect(warnings(ask("escalate: {after: 5m, to: group:leads}"))).toEqual(
    said('"escalate" has no effect in this version yet'),
  );
  expect(warnings(ask("delegate: true"))).toEqual(said('"delegate" has no effect in this version yet'));
  expect(warnings(ask("binds: policy"))).toEqual(said('"binds" has no effect in this version yet'));
  expect(warnings(ask("grants: {for: 30m}"))).toEqual(
    said("a yes for a time or some uses has no effect in this version yet: it holds for the run"),
  );
});

test("a command that is only denied has no wall, and that is said", () => {
  expect(warnings(`${GRANTED}  - deny: {command: "terraform apply*"}\n`)).toEqual([
    "teams/shop.yaml:7:5 a command rule is advisory: it acts where the agent asks - what must not happen needs a wall too",
  ]);
});

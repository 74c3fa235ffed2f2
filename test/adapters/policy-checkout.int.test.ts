import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { remotesOf } from "#adapters/policy/checkout.ts";
import { parseConfig } from "#config.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { siteOf } from "#site.ts";

let dir = "";
const git = (...args: string[]) => execFileSync("git", args, { cwd: dir });

beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "policy-checkout-"));
  mkdirSync(path.join(dir, "org", "policy"), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const folder = () => path.join(dir, "org", "policy");

test("a folder in no repository, and one without a remote, has no name", () => {
  expect(remotesOf(folder())).toEqual([]);
  expect(remotesOf(path.join(dir, "nowhere"))).toEqual([]);
  git("init", "-q");
  expect(remotesOf(folder())).toEqual([]);
});

test("a folder inside a checkout has the names of all its remotes, however they are written", () => {
  git("init", "-q");
  git("remote", "add", "origin", "git@git.example.com:acme/policies.git");
  git("remote", "add", "mirror", "https://mirror.example.com/deep/er/acme/guardrails/");
  git("remote", "set-url", "--add", "--push", "mirror", "ssh://git@git.example.com/acme/push.git");
  git("remote", "add", "again", "https://git.example.com/acme/policies");
  expect(remotesOf(folder())).toEqual(["acme/policies", "acme/guardrails", "acme/push"]);
});

test("the repository that a policy folder is a checkout of is granted to nobody, also through a wildcard", () => {
  git("init", "-q");
  git("remote", "add", "origin", "https://git.example.com/acme/policies.git");
  const site = siteOf(parseConfig({ COUNTERSIGN_POLICIES: folder() }, dir), new Date("2026-12-01T10:00:00Z"));
  expect(site.policyRepos).toEqual(["acme/policies"]);
  const loaded = loadPolicy(new Map([["org.yaml", ORG]]), { commit: "c", site });
  expect(loaded.ok && loaded.policy.always.map(({ effect, globs }) => [effect, globs])).toEqual([
    ["deny", ["acme/policies"]],
  ]);
});

const ORG = `version: 1
kind: org
routing: {}
ceiling:
  repos: ["acme/*"]
  egress: []
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: []
`;

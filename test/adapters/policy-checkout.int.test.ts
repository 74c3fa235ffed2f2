import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { remotesOf } from "#adapters/policy/checkout.ts";
import { parseConfig } from "#config.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { openPolicyFeed } from "#policy-source.ts";
import { siteOf } from "#site.ts";
import { command } from "#test/command.ts";

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

test("a start says that no repository is known for the files, and nothing of it where one is denied by name", async () => {
  const started = async (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder(), name), text);
    const said: unknown[] = [];
    const config = parseConfig({ COUNTERSIGN_POLICIES: folder() }, dir);
    await (await openPolicyFeed(config, null, (what, fields) => said.push({ what, ...fields }))).close();
    return said;
  };
  expect(await started({ "org.yaml": ORG })).toEqual([
    {
      level: "warn",
      at: "org.yaml:1:1",
      what: expect.stringMatching(/^a run may be given the repository that these files come from/),
      way: 'add "always: [{ deny: { git.repo: OWNER/NAME } }]" with its name',
    },
  ]);
  expect(await started({ "org.yaml": `${ORG}always: [{ deny: { git.repo: acme/policies } }]\n` })).toEqual([]);
  // What `npm start` begins with, also where it was unpacked and is no checkout.
  rmSync(folder(), { recursive: true });
  cpSync(path.resolve(import.meta.dirname, "../../policies"), folder(), { recursive: true });
  expect(await started({})).toEqual([]);
});

test("a folder that is named on the command line is asked for its own repository, not the service's", async () => {
  writeFileSync(path.join(folder(), "org.yaml"), ORG);
  const checked = async () => {
    const run = command(["policy", "check", folder(), "--json"], { COUNTERSIGN_DATA: path.join(dir, "data") });
    expect(await run.ended, run.words()).toBe(0);
    const { digest, warnings } = JSON.parse(run.words()) as { digest: string; warnings: { message: string }[] };
    return { digest, said: warnings.filter(({ message }) => message.includes("no checkout")).length };
  };
  const without = await checked();
  git("init", "-q");
  git("remote", "add", "origin", "https://git.example.com/acme/policies.git");
  const site = siteOf(parseConfig({ COUNTERSIGN_POLICIES: folder() }, dir), new Date("2026-12-01T10:00:00Z"));
  const inForce = loadPolicy(new Map([["org.yaml", ORG]]), { commit: "c", site });
  expect([without.said, await checked()]).toEqual([1, { digest: inForce.ok && inForce.policy.digest, said: 0 }]);
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

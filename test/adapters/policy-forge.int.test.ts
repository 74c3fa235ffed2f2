import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { gitEnvironment, gitText } from "#adapters/git.ts";
import type { PolicyChange } from "#adapters/policy/keeper.ts";
import { watchPolicyRepository } from "#adapters/policy/repository.ts";
import { localPolicyForge } from "#adapters/repo-host/local/backing.ts";
import { mergePull } from "#adapters/repo-host/local/decide.ts";
import { gitDirOf } from "#adapters/repo-host/local/ground.ts";
import { type LocalRepoHost, localRepoHost } from "#adapters/repo-host/local/host.ts";
import { fixedClock } from "#ports/clock.ts";
import { agreed } from "#runs/decision/agreement.ts";

/** A policy whose repository is on the local git host: a change counts when an owner has merged it there. */
const ORG = `version: 1
kind: org
owners: {from: group:security}
groups: {shop: {slack_usergroup: S0SHOP}, security: {slack_usergroup: S0SEC}}
routing: {slack: {C0SHOP: shop}}
ceiling:
  repos: ["acme/*"]
  egress: []
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;
const team = (usd: number) =>
  `version: 1\nkind: team\nteam: shop\nmembers: group:shop\nrules:\n  - allow: {git.repo: acme/shop}\nlimits: {cost_usd: ${usd}}\n`;
const REPO = "acme/policies";

let dir = "";
let host: LocalRepoHost;
const closing: (() => unknown)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "policy-forge-"));
  host = await localRepoHost({
    dir: path.join(dir, "repos"),
    baseUrl: "http://127.0.0.1:3000/code",
    clock: fixedClock(new Date("2026-02-01T10:00:00Z")),
    onChange: async () => undefined,
    onFailure: () => undefined,
  });
  closing.push(() => host.stop());
  const author = { name: "Bo", email: "bo@example.com" };
  const files = { "org.yaml": ORG, "teams/shop.yaml": team(1) };
  await host.createRepository(REPO, {
    defaultBranch: "main",
    description: "the policy",
    commits: [{ message: "Begin", author, at: "2026-01-05T09:00:00Z", files }],
  });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await rm(dir, { recursive: true, force: true });
});

/** Writes the team's file on top of main, on a branch of its own; the commit. */
async function propose(
  branch: string,
  usd: number,
  author: { name: string; email: string } = { name: "Ana", email: "ana@example.com" },
  more = "",
): Promise<string> {
  const { git } = host.ground;
  const gitDir = gitDirOf(host.ground, REPO);
  const env = {
    GIT_INDEX_FILE: path.join(dir, `index-${usd}`),
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_COMMITTER_NAME: "Ana",
    GIT_COMMITTER_EMAIL: "ana@example.com",
  };
  const o = { gitDir, env };
  await gitText(git, ["read-tree", "refs/heads/main"], o);
  const blob = await gitText(git, ["hash-object", "-w", "--stdin"], { ...o, input: team(usd) });
  await gitText(git, ["update-index", "--cacheinfo", `100644,${blob},teams/shop.yaml`], o);
  const tree = await gitText(git, ["write-tree"], o);
  const oid = await gitText(git, ["commit-tree", tree, "-p", "refs/heads/main", "-m", `cost_usd ${usd}${more}`], o);
  await gitText(git, ["update-ref", `refs/heads/${branch}`, oid], o);
  return oid;
}

async function merge(branch: string, headOid: string, by: string): Promise<string> {
  const text = { title: "A limit", body: "" };
  const { number } = await host.openPullRequest({ repo: REPO, branch, base: "main", draft: false, ...text });
  const merged = await mergePull(host.ground, { repo: REPO, number, headOid, by: { id: by, name: by } });
  if (merged.kind !== "merged") throw new Error(merged.kind);
  return merged.oid;
}

async function watched() {
  const directory = memoryDirectory();
  directory.group({ slack_usergroup: "S0SEC" }, ["U0BO"]);
  const forge = localPolicyForge(host.ground, REPO, (id) => ({ provider: "slack", workspace: "T1", id }));
  const changes: PolicyChange[] = [];
  const watch = await watchPolicyRepository(
    { url: gitDirOf(host.ground, REPO), branch: "main", folder: "" },
    {
      dir: path.join(dir, "mirror"),
      env: gitEnvironment({ home: host.ground.home }),
      onChange: (change) => changes.push(change),
      agreement: (oid, inForce) => agreed({ directory }, { forge, branch: "main", workspace: "T1" }, oid, inForce),
    },
  );
  closing.push(() => watch.close());
  const limit = () => {
    const loaded = watch.current();
    if (!loaded.ok) throw new Error(loaded.problems[0]?.message);
    return loaded.policy.teams.shop?.limits.costUsd;
  };
  return { watch, changes, limit };
}

test("a change that an owner merged is in force, with the text of its files", async () => {
  const { watch, limit } = await watched();
  expect(limit()).toBe(1);
  await merge("raise", await propose("raise", 2), "U0BO");
  await watch.reload();
  expect(limit()).toBe(2);
  expect(watch.sources().get("teams/shop.yaml")).toBe(team(2));
});

test("a change that somebody else merged is not, and is said once with the way out of it", async () => {
  const { watch, changes, limit } = await watched();
  const oid = await merge("raise", await propose("raise", 9), "U0CY");
  await watch.reload();
  await watch.reload();
  expect(limit()).toBe(1);
  expect(watch.sources().get("teams/shop.yaml")).toBe(team(1));
  expect(changes).toMatchObject([
    {
      ok: false,
      passing: false,
      problems: [
        { message: `the owners did not agree to ${oid.slice(0, 12)}: 0 of 1 needed from group:security approved it` },
      ],
    },
  ]);
});

test.each([
  ["by the address that this host gives them", { name: "Bo Berg", email: "u0bo@localhost" }, ""],
  ["by the name on its pages", { name: "U0BO", email: "bo@elsewhere.example" }, ""],
  [
    "as who asked for it",
    { name: "Countersign", email: "bot@example.com" },
    "\n\nCo-authored-by: Bo <U0BO@people.countersign.invalid>",
  ],
])("an owner who merges what is theirs, %s, stands for nothing", async (_how, author, more) => {
  const { watch, limit } = await watched();
  await merge("raise", await propose("raise", 2, author, more), "U0BO");
  await watch.reload();
  expect(limit()).toBe(1);
  expect(watch.problems()[0]?.message).toContain("0 of 1 needed from group:security approved it");
});

test("a commit that an author pushed to the branch by hand and then merged counts for nothing", async () => {
  const { watch, limit } = await watched();
  const pushed = await propose("direct", 9, { name: "Bo", email: "U0BO@localhost" });
  await gitText(host.ground.git, ["update-ref", "refs/heads/main", pushed], { gitDir: gitDirOf(host.ground, REPO) });
  await merge("direct", pushed, "U0BO");
  await watch.reload();
  expect(limit()).toBe(1);
});

test("a commit that reached the branch without a pull request is not, nor is what an owner merged on top of it", async () => {
  const { watch, limit } = await watched();
  const pushed = await propose("direct", 9);
  await gitText(host.ground.git, ["update-ref", "refs/heads/main", pushed], { gitDir: gitDirOf(host.ground, REPO) });
  await watch.reload();
  expect(limit()).toBe(1);
  expect(watch.problems()[0]?.message).toContain("it is not the merge of a pull request into main");
  await merge("on-top", await propose("on-top", 3), "U0BO");
  await watch.reload();
  expect(limit()).toBe(1);
});

test("after a restart what was in force is, also while the repository is away", async () => {
  const first = await watched();
  await merge("raise", await propose("raise", 2), "U0BO");
  await first.watch.reload();
  first.watch.close();
  await rm(gitDirOf(host.ground, REPO), { recursive: true });
  const second = await watched();
  expect(second.limit()).toBe(2);
  expect(second.changes).toMatchObject([{ ok: false, passing: true }]);
});

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PolicyChange } from "#adapters/policy/keeper.ts";
import { type Agreement, watchPolicyRepository } from "#adapters/policy/repository.ts";

const ORG = `version: 1
kind: org
groups: {shop: {slack_usergroup: S0SHOP}}
routing: {slack: {C0SHOP: shop}}
ceiling:
  repos: ["acme/*"]
  egress: []
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;
const team = (repo: string) =>
  `version: 1\nkind: team\nteam: shop\nmembers: group:shop\nrules:\n  - allow: {git.repo: ${repo}}\n`;

let root = "";
let work = "";
const closing: (() => void)[] = [];
const env = { PATH: process.env.PATH ?? "", HOME: "/nonexistent", GIT_CONFIG_NOSYSTEM: "1" };
const git = (...args: string[]) =>
  execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", ...args], {
    cwd: work,
    encoding: "utf8",
    env,
  }).trim();

/** Writes files below policies/ and commits all; returns the commit. */
function commit(files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(work, name)), { recursive: true });
    writeFileSync(path.join(work, name), text);
  }
  git("add", "-A");
  git("commit", "-qm", "change");
  return git("rev-parse", "HEAD");
}

beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "policy-repository-"));
  work = path.join(root, "work");
  mkdirSync(work);
  git("init", "-q", "-b", "main");
  commit({ "policies/org.yaml": ORG, "policies/teams/shop.yaml": team("acme/shop") });
});

afterEach(() => {
  for (const close of closing.splice(0)) close();
  rmSync(root, { recursive: true, force: true });
});

async function watched(agreement: Agreement = async () => null) {
  const changes: PolicyChange[] = [];
  const watch = await watchPolicyRepository(
    { url: work, branch: "main", folder: "policies" },
    { dir: path.join(root, "mirror"), agreement, env, onChange: (change) => changes.push(change) },
  );
  closing.push(watch.close);
  const current = () => {
    const loaded = watch.current();
    if (!loaded.ok) throw new Error(loaded.problems[0]?.message);
    return loaded.policy;
  };
  return { watch, changes, current };
}

test("the policy is that of the branch, named by its commit", async () => {
  const head = git("rev-parse", "HEAD");
  const { current } = await watched();
  expect(current().commit).toBe(head);
  expect(Object.keys(current().teams)).toEqual(["shop"]);
});

test("a change that the owners agreed to is in force at the next look, whole", async () => {
  const asked: string[] = [];
  const { watch, changes, current } = await watched(async (of) => {
    asked.push(of);
    return null;
  });
  commit({ "README.md": "nothing of policy" });
  const change = commit({ "policies/teams/shop.yaml": team("acme/other") });
  await watch.reload();
  expect(current().commit).toBe(change);
  expect(asked).toEqual([change]);
  expect(changes).toMatchObject([{ ok: true }]);
});

test("a change that the owners did not agree to is not in force, is said once, and the old one stays", async () => {
  const { watch, changes, current } = await watched(async () => "1 of 2 owners agreed");
  const before = current().commit;
  const change = commit({ "policies/teams/shop.yaml": team("acme/other") });
  await watch.reload();
  await watch.reload();
  expect(current().commit).toBe(before);
  expect(changes).toHaveLength(1);
  expect(changes[0]).toMatchObject({
    ok: false,
    problems: [{ message: `the owners did not agree to ${change.slice(0, 12)}: 1 of 2 owners agreed` }],
    kept: { commit: before },
  });
});

test("a later change does not carry an unagreed one into force", async () => {
  const unagreed = new Set<string>();
  const { watch, current } = await watched(async (of) => (unagreed.has(of) ? "nobody agreed" : null));
  const before = current().commit;
  unagreed.add(commit({ "policies/teams/shop.yaml": team("acme/other") }));
  commit({ "policies/teams/shop.yaml": `${team("acme/other")}limits: {cost_usd: 1}\n` });
  await watch.reload();
  expect(current().commit).toBe(before);
});

test("what nobody agreed to is not taken after a restart either", async () => {
  const first = await watched();
  const before = first.current().commit;
  first.watch.close();
  commit({ "policies/teams/shop.yaml": team("acme/other") });
  const second = await watched(async () => "nobody agreed");
  expect(second.current().commit).toBe(before);
  expect(second.changes).toMatchObject([{ ok: false }]);
});

test("a branch that was rewritten is refused", async () => {
  const { watch, changes, current } = await watched();
  const before = current().commit;
  writeFileSync(path.join(work, "policies/teams/shop.yaml"), team("acme/other"));
  git("commit", "-qa", "--amend", "-m", "rewritten");
  await watch.reload();
  expect(current().commit).toBe(before);
  expect(changes[0]).toMatchObject({ problems: [{ message: expect.stringContaining("was rewritten") }] });
});

test("a broken policy is reported with its places and the last good one stays", async () => {
  const { watch, changes, current } = await watched();
  const before = current().commit;
  commit({ "policies/teams/shop.yaml": "version: 1\nkind: team\nteam: shop\nmembers: group:shpo\n" });
  await watch.reload();
  expect(current().commit).toBe(before);
  expect(changes).toMatchObject([{ ok: false, problems: [{ at: "teams/shop.yaml:4:10" }] }]);
});

test("a forge that cannot be asked keeps the last good policy, and asks again", async () => {
  let reachable = false;
  const { watch, current } = await watched(async () => {
    if (!reachable) throw new Error("no answer");
    return null;
  });
  const before = current().commit;
  const change = commit({ "policies/teams/shop.yaml": team("acme/other") });
  await watch.reload();
  expect(current().commit).toBe(before);
  expect(watch.problems()).toMatchObject([{ message: expect.stringContaining("no answer") }]);
  reachable = true;
  await watch.reload();
  expect(current().commit).toBe(change);
});

test("a repository that goes away keeps the last good policy", async () => {
  const { watch, current } = await watched();
  const before = current().commit;
  rmSync(path.join(work, ".git"), { recursive: true });
  await watch.reload();
  expect(current().commit).toBe(before);
  expect(watch.problems()).toMatchObject([{ message: expect.stringContaining("cannot be fetched") }]);
});

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { PolicyChange } from "#adapters/policy/keeper.ts";
import { type Agreement, watchPolicyRepository } from "#adapters/policy/repository.ts";
import { acceptCommand, acceptedName } from "#command/policy-accept.ts";

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

/** The policy with these owners; `quorum` is what a change of it needs. */
const ownedBy = (group: string, quorum: number) =>
  ORG.replace(
    "groups: {",
    `owners: {from: group:${group}, quorum: ${quorum}}\ngroups: {${group}: {slack_usergroup: S0X}, `,
  );

test("each commit is judged by the owners of the one before it, also when both are seen in one look", async () => {
  commit({ "policies/org.yaml": ownedBy("old", 1) });
  const asked: string[] = [];
  const { watch, changes, current } = await watched(async (of, { owners }) => {
    asked.push(`${of} ${owners?.from} ${owners?.quorum}`);
    return owners?.from === "group:old" ? null : "0 of 2 agreed";
  });
  const handed = commit({ "policies/org.yaml": ownedBy("new", 2) });
  const next = commit({ "policies/teams/shop.yaml": team("acme/other") });
  await watch.reload();
  expect(asked.slice(0, 2)).toEqual([`${handed} group:old 1`, `${next} group:new 2`]);
  expect(current()).toMatchObject({ commit: handed, owners: { from: "group:new", quorum: 2 } });
  expect(current().teams.shop?.rules[0]?.globs).toEqual(["acme/shop"]);
  expect(changes).toMatchObject([
    { ok: true, policy: { commit: handed } },
    { ok: false, kept: { commit: handed }, problems: [{ message: expect.stringContaining(next.slice(0, 12)) }] },
  ]);
});

test("after an agreed commit that does not load nothing is looked at", async () => {
  const asked: string[] = [];
  const { watch, current } = await watched(async (of) => {
    asked.push(of);
    return null;
  });
  const before = current().commit;
  const broken = commit({ "policies/teams/shop.yaml": "version: 1\n" });
  commit({ "policies/teams/shop.yaml": team("acme/other") });
  await watch.reload();
  expect(asked).toEqual([broken]);
  expect(current().commit).toBe(before);
  expect(watch.problems()[0]?.at).toMatch(/^teams\/shop\.yaml/);
});

test("a branch whose policy is again what is in force is accepted, and goes on from there", async () => {
  const unagreed = new Set<string>();
  const { watch, current } = await watched(async (of) => (unagreed.has(of) ? "nobody agreed" : null));
  unagreed.add(commit({ "policies/teams/shop.yaml": team("acme/other") }));
  await watch.reload();
  expect(watch.problems()).toHaveLength(1);
  const back = commit({ "policies/teams/shop.yaml": team("acme/shop") });
  unagreed.add(back);
  await watch.reload();
  expect([current().commit, watch.problems()]).toEqual([back, []]);
  const next = commit({ "policies/teams/shop.yaml": team("acme/next") });
  await watch.reload();
  expect(current().commit).toBe(next);
});

test("what was undone and what follows it may be seen in one look", async () => {
  const unagreed = new Set<string>();
  const { watch, current } = await watched(async (of) => (unagreed.has(of) ? "nobody agreed" : null));
  unagreed.add(commit({ "policies/teams/shop.yaml": team("acme/other") }));
  unagreed.add(commit({ "policies/teams/shop.yaml": team("acme/shop") }));
  const next = commit({ "policies/teams/shop.yaml": team("acme/next") });
  await watch.reload();
  expect(current().commit).toBe(next);
});

test("a commit that the operator accepts is in force at the next look, recorded, and the branch goes on from there", async () => {
  const unagreed = new Set<string>();
  const { watch, current } = await watched(async (of) => (unagreed.has(of) ? "nobody agreed" : null));
  const before = current().commit;
  const stuck = commit({ "policies/teams/shop.yaml": team("acme/other") });
  unagreed.add(stuck);
  const broken = commit({ "policies/teams/shop.yaml": "version: 1\n" });
  await watch.reload();
  const said: string[] = [];
  const say = (text: string) => said.push(text);
  const dir = path.join(root, "mirror");
  const source = { url: work, branch: "main", folder: "policies" };
  const accept = (name: string) => acceptCommand(name, { source, dir, env, out: say, error: say });

  expect([acceptedName(["main"], say), acceptedName([stuck, "more"], say)]).toEqual([null, null]);
  expect(said.join("\n")).toContain("name one commit");
  expect(await accept("0123456789")).toBe(1);
  expect(await accept(broken)).toBe(1);
  expect(current().commit).toBe(before);
  expect(await accept(stuck.slice(0, 12))).toBe(0);
  expect(said.join("\n")).toContain(`in force at the next look: ${stuck}, sha256:`);
  expect(said.join("\n")).toContain(`before: ${before}`);
  const log = execFileSync("git", ["reflog", "show", "refs/countersign/accepted"], { cwd: dir, encoding: "utf8", env });
  expect(log.split("\n")[0]).toContain("the operator's word");
  await watch.reload();
  expect(current().commit).toBe(stuck);
  const next = commit({ "policies/teams/shop.yaml": team("acme/next") });
  expect(await accept(next)).toBe(0);
  await watch.reload();
  expect([current().commit, watch.problems()]).toEqual([next, []]);
});

test("a merge that drops what was agreed to, with no commit that shows it, is refused", async () => {
  const base = git("rev-parse", "HEAD");
  commit({ "policies/teams/shop.yaml": team("acme/next") });
  const { watch, current } = await watched();
  const before = current().commit;
  git("checkout", "-q", "--detach", base);
  commit({ "README.md": "aside" });
  git("merge", "-q", "-s", "ours", "-m", "merge", before);
  git("branch", "-f", "main", "HEAD");
  await watch.reload();
  expect(current().commit).toBe(before);
  expect(watch.problems()[0]?.message).toContain("no commit on main shows");
});

test("what another process over the same mirror accepted is in force here at the next look", async () => {
  const [one, other] = [await watched(), await watched()];
  const change = commit({ "policies/teams/shop.yaml": team("acme/other") });
  await one.watch.reload();
  rmSync(path.join(work, ".git"), { recursive: true });
  await other.watch.reload();
  expect(other.current().commit).toBe(change);
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

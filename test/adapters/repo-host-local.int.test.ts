import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { gitText } from "#adapters/git.ts";
import { closePull, mergePull } from "#adapters/repo-host/local/decide.ts";
import { branchOid, gitDirOf, pullFile } from "#adapters/repo-host/local/ground.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import { mark, readChecks, readPull } from "#adapters/repo-host/local/pulls.ts";
import { claimFolder, createRecord, names, removeRecord } from "#adapters/repo-host/local/records.ts";
import type { RepositorySeed } from "#adapters/repo-host/local/repositories.ts";
import { fixedClock } from "#ports/clock.ts";
import type { PullRequestChange } from "#ports/repo-host.ts";
import { repoHostContract } from "#test/contracts/repo-host.ts";

const run = promisify(execFile);
const repo = "acme/shop";
const bo = { id: "U0BO", name: "Bo" };
const ana = { id: "U0ANA", name: "Ana" };
const author = { name: "Ana", email: "ana@example.com" };
const seed: RepositorySeed = {
  defaultBranch: "main",
  description: "a shop",
  commits: [
    { message: "Begin", author, at: "2026-01-05T09:00:00Z", files: { "a.txt": "one\n", "b.txt": "b\n" } },
    { message: "Go on", author, at: "2026-01-06T09:00:00Z", files: { "a.txt": "one\ntwo\n", "b.txt": null } },
  ],
};

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(os.tmpdir(), "repo-host-"));
  open.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

/** Writes one file on top of a commit, in `gitDir`, without a work tree. The new commit. */
async function commit(
  host: LocalRepoHost,
  gitDir: string,
  parent: string,
  file: string,
  text: string,
): Promise<string> {
  const { git } = host.ground;
  const index = path.join(gitDir, `index-${file}`);
  const o = { gitDir, env: { GIT_INDEX_FILE: index, ...identity } };
  await gitText(git, ["read-tree", parent], o);
  const blob = await gitText(git, ["hash-object", "-w", "--stdin"], { ...o, input: text });
  await gitText(git, ["update-index", "--add", "--cacheinfo", `100644,${blob},${file}`], o);
  const tree = await gitText(git, ["write-tree"], o);
  return gitText(git, ["commit-tree", tree, "-p", parent, "-m", `Write ${file}`], o);
}

const identity = {
  GIT_AUTHOR_NAME: "Ana",
  GIT_AUTHOR_EMAIL: "ana@example.com",
  GIT_AUTHOR_DATE: "1767690000 +0000",
  GIT_COMMITTER_NAME: "Ana",
  GIT_COMMITTER_EMAIL: "ana@example.com",
  GIT_COMMITTER_DATE: "1767690000 +0000",
};

async function opened(dir: string, onChange: (change: PullRequestChange) => Promise<void>): Promise<LocalRepoHost> {
  const host = await localRepoHost({
    dir,
    baseUrl: "http://127.0.0.1:3000/code/",
    clock: fixedClock(new Date("2026-02-01T10:00:00Z")),
    onChange,
    onFailure: () => {},
    retryMs: () => 1,
  });
  open.push(() => host.stop());
  return host;
}

/** A host with the seed, a relay's bare repository beside it, and a branch with one commit open as number 1. */
async function withPull() {
  const dir = await folder();
  const changes: PullRequestChange[] = [];
  const host = await opened(dir, async (change) => void changes.push(change));
  await host.createRepository(repo, seed);
  const main = (await branchOid(host.ground, repo, "main")) ?? "";
  const gitDir = path.join(await folder(), "relay.git");
  await gitText(host.ground.git, ["clone", "--quiet", "--bare", "--", gitDirOf(host.ground, repo), gitDir]);
  const head = await commit(host, gitDir, main, "a.txt", "one\ntwo\nthree\n");
  await host.push({ repo, branch: "agent/1", oid: head, expected: null, gitDir });
  const text = { title: "Add three", body: "## Receipt" };
  const { number } = await host.openPullRequest({ repo, branch: "agent/1", base: "main", draft: true, ...text });
  return { dir, host, changes, main, gitDir, head, number };
}

repoHostContract(
  "local",
  async () => {
    const dir = await folder();
    const changes: PullRequestChange[] = [];
    const host = await opened(dir, async (change) => void changes.push(change));
    await host.createRepository(repo, seed);
    const gitDir = path.join(await folder(), "relay.git");
    await gitText(host.ground.git, ["clone", "--quiet", "--bare", "--", gitDirOf(host.ground, repo), gitDir]);
    const first = await commit(host, gitDir, "main", "c.txt", "c\n");
    const second = await commit(host, gitDir, first, "d.txt", "d\n");
    const third = await commit(host, gitDir, second, "e.txt", "e\n");
    return {
      host,
      repo,
      defaultBranch: "main",
      gitDir,
      oids: [first, second, third],
      textOf: async (number) => (await readPull(host.ground, repo, number))?.text ?? null,
      checksOf: (oid) => readChecks(host.ground, repo, oid),
      branch: (name) => branchOid(host.ground, repo, name),
      async act(number, kind, by) {
        const headOid = (await readPull(host.ground, repo, number))?.pull.headOid ?? "";
        const press = { repo, number, headOid, by: { id: by, name: by } };
        await (kind === "merged" ? mergePull : closePull)(host.ground, press);
        await host.tell();
      },
      review: () => Promise.reject(new Error("there are no reviews here")),
      check: () => Promise.reject(new Error("there are no checks of others here")),
      changes,
      close: async () => {
        for (const end of open.splice(0).reverse()) await end();
      },
    };
  },
  {
    skip: {
      "who asks hears the last word of each reviewer and of others' checks, and none of ours":
        "on its pages people merge or close, and nothing checks",
    },
  },
);

test("a seed gives the same commits on every machine", async () => {
  const host = await opened(await folder(), async () => {});
  expect(await host.createRepository(repo, seed)).toBe(true);
  expect(await host.createRepository(repo, seed)).toBe(false);
  expect(await branchOid(host.ground, repo, "main")).toBe("49cce5c12192149584d4ff4326049ddb0f839d6b");
});

test("a merge is a merge commit by the person, with both histories", async () => {
  const { host, main, head, number } = await withPull();
  const done = await mergePull(host.ground, { repo, number, by: bo, headOid: head });
  expect(done.kind).toBe("merged");
  const shown = await gitText(host.ground.git, ["log", "-1", "--format=%an <%ae>|%P|%s", "main"], {
    gitDir: gitDirOf(host.ground, repo),
  });
  expect(shown).toBe(`Bo <U0BO@localhost>|${main} ${head}|Merge pull request #1 from agent/1`);
});

test("two people who press at once merge it once", async () => {
  const { host, head, number, changes } = await withPull();
  const ends = await Promise.all([
    mergePull(host.ground, { repo, number, by: bo, headOid: head }),
    mergePull(host.ground, { repo, number, by: ana, headOid: head }),
    closePull(host.ground, { repo, number, by: ana, headOid: head }),
  ]);
  await host.tell();
  expect(ends.filter((end) => end.kind === "merged" || end.kind === "closed")).toHaveLength(1);
  expect(changes).toHaveLength(1);
});

test("a merge of something other than what the person saw is refused", async () => {
  const { host, gitDir, head, number } = await withPull();
  const later = await commit(host, gitDir, head, "z.txt", "z\n");
  await host.push({ repo, branch: "agent/1", oid: later, expected: head, gitDir });
  expect(await mergePull(host.ground, { repo, number, by: bo, headOid: head })).toEqual({ kind: "head_moved" });
});

test("a conflict names its files and changes nothing", async () => {
  const { host, gitDir, main, head, number, changes } = await withPull();
  const other = await commit(host, gitDir, main, "a.txt", "one\nother\n");
  const target = gitDirOf(host.ground, repo);
  await gitText(host.ground.git, ["push", "--quiet", "--", target, `${other}:refs/heads/main`], { gitDir });
  const done = await mergePull(host.ground, { repo, number, by: bo, headOid: head });
  expect(done).toEqual({ kind: "conflict", files: ["a.txt"] });
  await host.tell();
  expect(await branchOid(host.ground, repo, "main")).toBe(other);
  expect(await host.pullRequest(repo, number)).toMatchObject({ state: "open" });
  expect(changes).toEqual([]);
});

test("a base that moved without a conflict is merged as it is now", async () => {
  const { host, gitDir, main, head, number } = await withPull();
  const other = await commit(host, gitDir, main, "other.txt", "x\n");
  await gitText(host.ground.git, ["push", "--quiet", "--", gitDirOf(host.ground, repo), `${other}:refs/heads/main`], {
    gitDir,
  });
  expect((await mergePull(host.ground, { repo, number, by: bo, headOid: head })).kind).toBe("merged");
});

test("a base branch that is gone stops the merge and nothing else", async () => {
  const { host, head, number } = await withPull();
  await gitText(host.ground.git, ["update-ref", "-d", "refs/heads/main"], { gitDir: gitDirOf(host.ground, repo) });
  expect(await mergePull(host.ground, { repo, number, by: bo, headOid: head })).toEqual({ kind: "base_gone" });
  expect(await closePull(host.ground, { repo, number, by: bo, headOid: head })).toEqual({ kind: "closed" });
});

test("a merge that somebody made by hand needs only its record", async () => {
  const { host, head, number, changes } = await withPull();
  await gitText(host.ground.git, ["update-ref", "refs/heads/main", head], { gitDir: gitDirOf(host.ground, repo) });
  const done = await mergePull(host.ground, { repo, number, by: bo, headOid: head });
  expect(done).toEqual({ kind: "merged", oid: head });
  await host.tell();
  expect(changes).toMatchObject([{ kind: "merged", oid: head }]);
});

test("after a crash between the decision and the merge, the merge is finished and told once", async () => {
  const { dir, host, head, number, changes } = await withPull();
  await mergePull(host.ground, { repo, number, by: bo, headOid: head });
  const merged = await branchOid(host.ground, repo, "main");
  // Back to the moment before the base moved: the decision is on disk, nothing else is.
  await removeRecord(pullFile(host.ground, repo, number, "landed"));
  await gitText(host.ground.git, ["update-ref", "refs/heads/main", `${merged}^1`], {
    gitDir: gitDirOf(host.ground, repo),
  });
  expect(await host.pullRequest(repo, number)).toMatchObject({ state: "open" });

  const again = await opened(dir, async (change) => void changes.push(change));
  await again.start();
  await again.start();
  expect(await branchOid(again.ground, repo, "main")).toBe(merged);
  expect(changes).toMatchObject([{ kind: "merged", by: "Bo", oid: merged }]);
});

test("after a crash, a merge whose base went elsewhere is taken back and can be pressed again", async () => {
  const { dir, host, gitDir, main, head, number } = await withPull();
  await mergePull(host.ground, { repo, number, by: bo, headOid: head });
  await removeRecord(pullFile(host.ground, repo, number, "landed"));
  const other = await commit(host, gitDir, main, "other.txt", "x\n");
  await gitText(
    host.ground.git,
    ["push", "--quiet", "--force", "--", gitDirOf(host.ground, repo), `${other}:refs/heads/main`],
    {
      gitDir,
    },
  );

  const again = await opened(dir, async () => {});
  expect(await again.pullRequest(repo, number)).toMatchObject({ state: "open" });
  expect(await branchOid(again.ground, repo, "main")).toBe(other);
  expect((await mergePull(again.ground, { repo, number, by: ana, headOid: head })).kind).toBe("merged");
});

test("a change that was not taken is told again under the same id, also after a restart", async () => {
  const { dir, host, head, number } = await withPull();
  await host.stop();
  const seen: PullRequestChange[] = [];
  const twice = Promise.withResolvers<void>();
  const failing = await opened(dir, async (change) => {
    seen.push(change);
    if (seen.length === 2) twice.resolve();
    throw new Error("the store is away");
  });
  await closePull(failing.ground, { repo, number, by: bo, headOid: head });
  await failing.tell();
  await twice.promise;
  await failing.stop();

  const taken: PullRequestChange[] = [];
  const again = await opened(dir, async (change) => void taken.push(change));
  await again.start();
  await again.tell();
  expect(taken).toHaveLength(1);
  expect(new Set([...seen, ...taken].map((change) => change.deliveryId)).size).toBe(1);
});

test("an opening that a crash cut short leaves a number unused and nothing else", async () => {
  const { host, gitDir, main, number } = await withPull();
  const pulls = path.dirname(path.dirname(pullFile(host.ground, repo, number, "opened")));
  await claimFolder(path.join(pulls, "2"));
  await createRecord(pullFile(host.ground, repo, 2, "opened"), {
    number: 2,
    branch: "agent/2",
    base: "main",
    draft: true,
    headOid: main,
    at: "2026-02-01T10:00:00Z",
  });
  expect(await host.pullRequest(repo, 2)).toBeNull();
  const oid = await commit(host, gitDir, main, "q.txt", "q\n");
  await host.push({ repo, branch: "agent/2", oid, expected: null, gitDir });
  const pull = await host.openPullRequest({
    repo,
    branch: "agent/2",
    base: "main",
    draft: false,
    title: "t",
    body: "",
  });
  expect(pull.number).toBe(3);
});

test("two processes over one folder agree on numbers and branches", async () => {
  const { dir, host, gitDir, head } = await withPull();
  const other = await opened(dir, async () => {});
  const branches = ["agent/5", "agent/6", "agent/7"];
  for (const branch of branches) await host.push({ repo, branch, oid: head, expected: null, gitDir });
  const of = (branch: string) => ({ repo, branch, base: "main", draft: true, title: branch, body: "" });
  const ends = await Promise.allSettled(
    branches.flatMap((branch) => [host.openPullRequest(of(branch)), other.openPullRequest(of(branch))]),
  );
  const won = ends.flatMap((end) => (end.status === "fulfilled" ? [end.value] : []));
  expect(won.map((pull) => pull.branch).sort()).toEqual(branches);
  expect(new Set(won.map((pull) => pull.number)).size).toBe(3);
});

test("a mark is written once and no draft of a record stays behind", async () => {
  const { host, number } = await withPull();
  await Promise.all([mark(host.ground, repo, number, "told"), mark(host.ground, repo, number, "told")]);
  const folderOf = path.dirname(pullFile(host.ground, repo, number, "told"));
  expect(await names(folderOf)).toEqual(["opened.json", "text.json", "told.json"]);
  const { stdout } = await run("ls", ["-A", folderOf]);
  expect(stdout).not.toContain(".draft");
});

test("hooks and settings of the relay's repository are not run when it is pushed from", async () => {
  const { host, gitDir, head } = await withPull();
  const trap = path.join(gitDir, "trapped");
  await mkdir(path.join(gitDir, "hooks"), { recursive: true });
  await writeFile(path.join(gitDir, "hooks", "pre-push"), `#!/bin/sh\ntouch ${trap}\nexit 1\n`, { mode: 0o755 });
  const next = await commit(host, gitDir, head, "n.txt", "n\n");
  await host.push({ repo, branch: "agent/1", oid: next, expected: head, gitDir });
  expect(await branchOid(host.ground, repo, "agent/1")).toBe(next);
  await expect(access(trap)).rejects.toMatchObject({ code: "ENOENT" });
});

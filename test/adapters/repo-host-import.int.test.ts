import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, expect, test } from "vitest";
import { gitEnvironment, gitText } from "#adapters/git.ts";
import { mergePull } from "#adapters/repo-host/local/decide.ts";
import { branchOid, gitDirOf } from "#adapters/repo-host/local/ground.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import { systemClock } from "#ports/clock.ts";

const run = promisify(execFile);
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

async function folder(): Promise<string> {
  const made = await mkdtemp(path.join(os.tmpdir(), "repo-import-"));
  open.push(() => rm(made, { recursive: true, force: true }));
  return made;
}

async function hostIn(dir: string): Promise<LocalRepoHost> {
  const host = await localRepoHost({
    dir,
    baseUrl: "http://127.0.0.1:3000/code",
    clock: systemClock,
    onChange: async () => {},
    onFailure: () => {},
  });
  open.push(() => host.stop());
  return host;
}

/** git as a person uses it in their own work tree. */
async function git(cwd: string, ...args: string[]): Promise<string> {
  const who = ["-c", "user.name=Ana", "-c", "user.email=ana@example.com"];
  const env = gitEnvironment({ home: os.tmpdir() });
  const { stdout } = await run("git", [...who, "-c", "protocol.file.allow=always", ...args], { cwd, env });
  return stdout.trim();
}

/** A work tree on branch `trunk` with three commits. */
async function source(): Promise<string> {
  const dir = path.join(await folder(), "work");
  await mkdir(dir);
  await git(dir, "init", "--quiet", "--initial-branch=trunk");
  for (const text of ["one", "two", "three"]) {
    await writeFile(path.join(dir, "a.txt"), `${text}\n`);
    await git(dir, "add", "-A");
    await git(dir, "commit", "--quiet", "-m", text);
  }
  return dir;
}

/** Every byte, mode and name under a folder, as one digest. */
async function fingerprint(dir: string): Promise<string> {
  const hash = createHash("sha256");
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  for (const entry of entries.sort((a, b) =>
    path.join(a.parentPath, a.name).localeCompare(path.join(b.parentPath, b.name)),
  )) {
    const file = path.join(entry.parentPath, entry.name);
    hash.update(file);
    if (entry.isFile()) hash.update(await readFile(file));
  }
  return hash.digest("hex");
}

test("a repository is served as its HEAD branch is, and the source keeps every byte", async () => {
  const from = await source();
  await git(from, "tag", "v1");
  await git(from, "branch", "agent/7");
  const before = await fingerprint(from);
  const host = await hostIn(await folder());
  const imported = await host.importRepository("local/work", from);
  expect(imported).toMatchObject({ defaultBranch: "trunk", shallow: false, dirty: false, notes: [] });
  expect(imported.oid).toBe(await git(from, "rev-parse", "HEAD"));
  expect(await host.repository("local/work")).toMatchObject({ defaultBranch: "trunk" });
  const refs = await gitText(host.ground.git, ["for-each-ref", "--format=%(refname)"], {
    gitDir: gitDirOf(host.ground, "local/work"),
  });
  expect(refs.split("\n")).toEqual(["refs/heads/trunk", "refs/tags/v1"]);
  expect(await fingerprint(from)).toBe(before);
});

test("no object of the copy is a hard link to the source", async () => {
  const from = await source();
  const host = await hostIn(await folder());
  await host.importRepository("local/work", from);
  const { stdout } = await run("find", [gitDirOf(host.ground, "local/work"), "-type", "f", "-links", "+1"]);
  expect(stdout).toBe("");
});

test("what is in no commit is not served, and the person is told", async () => {
  const from = await source();
  await writeFile(path.join(from, "a.txt"), "not committed\n");
  await writeFile(path.join(from, "new.txt"), "new\n");
  const before = await fingerprint(from);
  const host = await hostIn(await folder());
  const imported = await host.importRepository("local/work", from);
  expect(imported.dirty).toBe(true);
  expect(imported.notes).toEqual(["Uncommitted changes in the source are not included."]);
  const served = await gitText(host.ground.git, ["show", "trunk:a.txt"], {
    gitDir: gitDirOf(host.ground, "local/work"),
  });
  expect(served).toBe("three");
  expect(await fingerprint(from)).toBe(before);
});

test("hooks and monitors of the source do not run", async () => {
  const from = await source();
  const trap = path.join(from, "..", "trapped");
  const script = path.join(from, ".git", "trap.sh");
  await writeFile(script, `#!/bin/sh\ntouch '${trap}'\n`);
  await chmod(script, 0o755);
  await git(from, "config", "core.fsmonitor", script);
  await git(from, "config", "uploadpack.packObjectsHook", script);
  await git(from, "config", "core.hooksPath", path.join(from, ".git"));
  const host = await hostIn(await folder());
  await host.importRepository("local/work", from);
  expect(await readdir(path.dirname(trap))).toEqual(["work"]);
});

test("a shallow source is served as far as it goes, and that is said", async () => {
  const full = await source();
  const from = path.join(await folder(), "shallow");
  await git(path.dirname(from), "clone", "--quiet", "--depth=1", `file://${full}`, from);
  const host = await hostIn(await folder());
  const imported = await host.importRepository("local/work", from);
  expect(imported.shallow).toBe(true);
  expect(imported.notes).toEqual(["The source is a shallow clone: its older history is not here."]);
  expect(imported.oid).toBe(await git(full, "rev-parse", "HEAD"));
});

test("submodules are not followed, and that is said", async () => {
  const inner = await source();
  const from = await source();
  await git(from, "submodule", "--quiet", "add", inner, "vendor/inner");
  await git(from, "commit", "--quiet", "-m", "vendor");
  const host = await hostIn(await folder());
  const imported = await host.importRepository("local/work", from);
  expect(imported.notes).toEqual(["Submodules are not followed."]);
});

test("a folder inside a work tree, a worktree and a bare repository are all served", async () => {
  const from = await source();
  await mkdir(path.join(from, "inside"));
  const tree = path.join(await folder(), "tree");
  await git(from, "worktree", "add", "--quiet", "-b", "side", tree);
  const bare = path.join(await folder(), "bare.git");
  await git(from, "clone", "--quiet", "--bare", ".", bare);
  const host = await hostIn(await folder());
  expect(await host.importRepository("local/inside", path.join(from, "inside"))).toMatchObject({
    defaultBranch: "trunk",
  });
  expect(await host.importRepository("local/tree", tree)).toMatchObject({ defaultBranch: "side" });
  expect(await host.importRepository("local/bare", bare)).toMatchObject({ defaultBranch: "trunk", dirty: false });
});

test("a source on no branch gets one, and the person is told its name", async () => {
  const from = await source();
  await git(from, "checkout", "--quiet", "--detach", "HEAD~1");
  const host = await hostIn(await folder());
  const imported = await host.importRepository("local/work", from);
  expect(imported).toMatchObject({ defaultBranch: "main", oid: await git(from, "rev-parse", "HEAD") });
  expect(imported.notes).toEqual(["The source is on no branch; its commit is served as main."]);
});

test("what is no repository, or has no commit, is refused with the reason", async () => {
  const host = await hostIn(await folder());
  const empty = await folder();
  await expect(host.importRepository("local/x", path.join(empty, "none"))).rejects.toMatchObject({ code: "not_found" });
  await expect(host.importRepository("local/x", empty)).rejects.toMatchObject({ code: "not_found" });
  await git(empty, "init", "--quiet");
  await expect(host.importRepository("local/x", empty)).rejects.toThrow(/has no commit yet/);
  const from = await source();
  await expect(host.importRepository("../x", from)).rejects.toMatchObject({ code: "invalid" });
  const secret = host.importRepository("local/x", "http://bo:hunter2@127.0.0.1:9/x.git");
  await expect(secret).rejects.toThrow(/^http:\/\/127\.0\.0\.1:9\/x\.git cannot be read/);
  await expect(secret).rejects.not.toThrow(/hunter2/);
  expect(await host.repositories()).toEqual([]);
  expect(await readdir(path.join(host.ground.dir))).not.toContain("records");
});

test("a second start brings what the source gained and keeps what was merged here", async () => {
  const from = await source();
  const dir = await folder();
  const host = await hostIn(dir);
  await host.importRepository("local/work", from);
  await git(from, "commit", "--quiet", "--allow-empty", "-m", "four");
  const again = await host.importRepository("local/work", from);
  expect(again.oid).toBe(await git(from, "rev-parse", "HEAD"));

  const relay = path.join(await folder(), "relay");
  await git(dir, "clone", "--quiet", gitDirOf(host.ground, "local/work"), relay);
  await git(relay, "commit", "--quiet", "--allow-empty", "-m", "agent");
  const oid = await git(relay, "rev-parse", "HEAD");
  const at = { repo: "local/work", branch: "agent/1" };
  await host.push({ ...at, oid, expected: null, gitDir: path.join(relay, ".git") });
  const pull = await host.openPullRequest({ ...at, base: "trunk", draft: true, title: "t", body: "" });
  const bo = { id: "U0BO", name: "Bo" };
  await mergePull(host.ground, { repo: "local/work", number: pull.number, by: bo, headOid: oid });
  const merged = await branchOid(host.ground, "local/work", "trunk");

  expect((await host.importRepository("local/work", from)).notes).toEqual([]);
  await git(from, "commit", "--quiet", "--allow-empty", "-m", "five");
  const notes = (await host.importRepository("local/work", from)).notes;
  expect(notes).toEqual(["trunk went another way here than in the source; it stays as it is here."]);
  expect(await branchOid(host.ground, "local/work", "trunk")).toBe(merged);
});

test("a name that serves one source does not change to another", async () => {
  const host = await hostIn(await folder());
  await host.importRepository("local/work", await source());
  await expect(host.importRepository("local/work", await source())).rejects.toThrow(
    /local\/work is already here, from/,
  );
});

test.skipIf(process.getuid?.() !== 0)("a source that belongs to somebody else is served", async () => {
  const from = await source();
  await run("chown", ["-R", "12345", from]);
  const host = await hostIn(await folder());
  const imported = await host.importRepository("local/work", from);
  expect(imported.defaultBranch).toBe("trunk");
  expect(imported.notes).toEqual(["Uncommitted changes in the source, if there are any, are not included."]);
});

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gitIn } from "#gateway/git/git.ts";
import { openRepositories } from "#gateway/git/repositories.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "shallow-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const git = (cwd: string, ...args: string[]) =>
  execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@t.invalid", "-c", "init.defaultBranch=main", ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

test("a repository whose history was cut off is mirrored, and a run's repository borrows from it", async () => {
  const full = path.join(folder, "full");
  git(folder, "init", "--quiet", full);
  for (const content of ["one", "two", "three"]) {
    writeFileSync(path.join(full, "file"), content);
    git(full, "add", "--all");
    git(full, "commit", "--quiet", "--message", content);
  }
  const shallow = path.join(folder, "shallow");
  git(folder, "clone", "--quiet", "--depth", "1", `file://${full}`, shallow);
  const oid = git(shallow, "rev-parse", "HEAD");

  const relay = await openRepositories(path.join(folder, "relay"), gitIn(folder), { pushGraceMs: 1_000 });
  expect(await relay.mirror({ name: "acme/cut", cloneUrl: shallow, credential: null }, "refs/heads/main")).toEqual({
    oid,
  });
  await relay.open("run-1", "acme/cut", "agent/1", oid);
  const gitDir = relay.find("run-1");
  expect(gitDir).not.toBeNull();
  const clone = path.join(folder, "clone");
  git(folder, "clone", "--quiet", "--branch", "agent/1", `file://${gitDir}`, clone);
  expect(git(clone, "rev-parse", "HEAD")).toBe(oid);
});

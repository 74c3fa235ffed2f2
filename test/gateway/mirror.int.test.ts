import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gitIn } from "#gateway/git/git.ts";
import { openRepositories } from "#gateway/git/repositories.ts";

let folder: string;
let forge: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "mirror-"));
  forge = path.join(folder, "forge");
  git(folder, "init", "--quiet", forge);
});
afterEach(() => rmSync(folder, { recursive: true }));

const git = (cwd: string, ...args: string[]) =>
  execFileSync("git", ["-c", "user.name=T", "-c", "user.email=t@t.invalid", "-c", "init.defaultBranch=main", ...args], {
    cwd,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();

function commit(content: string): string {
  writeFileSync(path.join(forge, "file"), content);
  git(forge, "add", "--all");
  git(forge, "commit", "--quiet", "--message", content);
  return git(forge, "rev-parse", "HEAD");
}

test("a branch is where the forge has it now, however often it was asked for and whichever way it moved", async () => {
  const relay = await openRepositories(path.join(folder, "relay"), gitIn(folder), { pushGraceMs: 1_000 });
  const source = { name: "acme/shop", cloneUrl: forge, credential: null };
  const main = async () => (await relay.mirror(source, "refs/heads/main")).oid;
  const file = (oid: string) => relay.file("acme/shop", oid, "file", 1_000);

  const first = commit("one");
  expect([await main(), await main(), await main()]).toEqual([first, first, first]);
  expect([await file(first), await file(first)]).toEqual(["one", "one"]);

  const second = commit("two");
  expect(await Promise.all([main(), main()])).toEqual([second, second]);
  expect([await file(first), await file(second)]).toEqual(["one", "two"]);
  expect(await relay.file("acme/shop", second, "missing", 1_000)).toBeNull();
  await expect(relay.file("acme/shop", second, "file", 2)).rejects.toMatchObject({ code: "invalid" });

  git(forge, "reset", "--quiet", "--hard", first);
  expect([await main(), await main()]).toEqual([first, first]);

  git(forge, "checkout", "--quiet", "-b", "other");
  git(forge, "branch", "--quiet", "-D", "main");
  await expect(main()).rejects.toMatchObject({ code: "not_found" });
  expect(await relay.mirror(source, "refs/heads/other")).toEqual({ oid: first });

  rmSync(path.join(folder, "relay", "mirrors"), { recursive: true });
  expect(await relay.mirror(source, "refs/heads/other")).toEqual({ oid: first });
  expect(await file(first)).toBe("one");
});

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { gitText } from "#adapters/git.ts";
import { branchOid, gitDirOf } from "#adapters/repo-host/local/ground.ts";
import { type LocalRepoHost, localRepoHost } from "#adapters/repo-host/local/host.ts";
import { fixedClock } from "#ports/clock.ts";

const repo = "acme/shop";
const branch = "agent/1";
const author = { name: "Ana", email: "ana@example.com" };
const seed = {
  defaultBranch: "main",
  description: "",
  commits: [1, 2, 3].map((n) => ({
    message: `Commit ${n}`,
    author,
    at: `2026-01-0${n}T09:00:00Z`,
    files: { "a.txt": `${n}\n` },
  })),
};

let folder: string;
let host: LocalRepoHost;
let relay: string;
let oids: readonly string[];

/**
 * A git in front of git: just before the first push begins, somebody else has moved the branch to `theirs`, after
 * everything that we looked at before.
 */
async function overtaken(theirs: string): Promise<void> {
  const once = path.join(folder, "moved");
  const target = gitDirOf(host.ground, repo);
  const script = `#!/bin/sh
PATH=/usr/local/bin:/usr/bin:/bin
case " $* " in *" push "*) mkdir "${once}" 2>/dev/null && git --git-dir="${target}" update-ref refs/heads/${branch} ${theirs};; esac
exec git "$@"
`;
  await writeFile(path.join(folder, "bin", "git"), script, { mode: 0o755 });
}

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "repo-lease-"));
  await mkdir(path.join(folder, "bin"));
  host = await localRepoHost({
    dir: path.join(folder, "host"),
    baseUrl: "http://127.0.0.1:3000/code",
    clock: fixedClock(new Date("2026-02-01T10:00:00Z")),
    onChange: async () => {},
    onFailure: () => {},
    path: `${path.join(folder, "bin")}:/usr/local/bin:/usr/bin:/bin`,
  });
  await host.createRepository(repo, seed);
  relay = path.join(folder, "relay.git");
  await gitText(host.ground.git, ["clone", "--quiet", "--bare", "--", gitDirOf(host.ground, repo), relay]);
  oids = (await gitText(host.ground.git, ["rev-list", "main"], { gitDir: relay })).split("\n");
});
afterEach(async () => {
  await host.stop();
  await rm(folder, { recursive: true, force: true });
});

test.each([
  ["makes a branch that somebody has just made", false],
  ["moves a branch that somebody has just moved", true],
] as const)("a push that %s is stale, and theirs stays", async (_what, there) => {
  const [ours = "", theirs = "", before = ""] = oids;
  const push = (oid: string, expected: string | null) => host.push({ repo, branch, oid, expected, gitDir: relay });
  if (there) await push(before, null);
  await overtaken(theirs);
  await expect(push(ours, there ? before : null)).rejects.toMatchObject({ code: "stale" });
  expect(await branchOid(host.ground, repo, branch)).toBe(theirs);
});

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { gitEnvironment, gitText } from "#adapters/git.ts";
import { gitDirOf } from "#adapters/repo-host/local/ground.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import { seedRepositories } from "#playground/repos/seed.ts";
import { systemClock } from "#ports/clock.ts";

const run = promisify(execFile);
let dir: string;
let host: LocalRepoHost;

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "samples-"));
  host = await localRepoHost({
    dir: path.join(dir, "host"),
    baseUrl: "http://127.0.0.1:3000/code",
    clock: systemClock,
    onChange: async () => {},
    onFailure: () => {},
  });
  await seedRepositories(host);
});
afterAll(async () => {
  await host.stop();
  await rm(dir, { recursive: true, force: true });
});

/** A work tree of the sample, as a sandbox would have it. */
async function checkout(repo: string): Promise<string> {
  const target = path.join(dir, repo.replace("/", "-"));
  await gitText(host.ground.git, ["clone", "--quiet", "--", gitDirOf(host.ground, repo), target]);
  return target;
}

const env = gitEnvironment({ home: os.tmpdir(), path: `${path.dirname(process.execPath)}:/usr/bin:/bin` });

test("seeding again changes nothing", async () => {
  const heads = async () =>
    Promise.all(
      ["acme/shop", "acme/site", "acme/reports"].map((repo) =>
        gitText(host.ground.git, ["rev-parse", "main"], { gitDir: gitDirOf(host.ground, repo) }),
      ),
    );
  const before = await heads();
  await seedRepositories(host);
  expect(await heads()).toEqual(before);
  expect((await host.repositories()).map((repository) => repository.name)).toEqual([
    "acme/reports",
    "acme/shop",
    "acme/site",
  ]);
});

test("the shop's own tests are green", async () => {
  const { stdout } = await run(process.execPath, ["--test"], { cwd: await checkout("acme/shop"), env });
  expect(stdout).toMatch(/pass 12\n/);
  expect(stdout).toMatch(/fail 0\n/);
});

test("the site's links lead somewhere, and its opening hours have the typo to fix", async () => {
  const cwd = await checkout("acme/site");
  const { stdout } = await run(process.execPath, ["scripts/check-links.js"], { cwd, env });
  expect(stdout).toBe("all links lead somewhere\n");
  const { stdout: found } = await run("grep", ["-c", "Wendesday", "content/opening-hours.md"], { cwd, env });
  expect(found).toBe("1\n");
});

test("the reports' queries pass their lint", async () => {
  const { stdout } = await run("sh", ["scripts/lint.sh"], { cwd: await checkout("acme/reports"), env });
  expect(stdout).toBe("all queries read, and say what for\n");
});

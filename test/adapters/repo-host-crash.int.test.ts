import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isAncestor } from "#adapters/repo-host/local/ground.ts";
import type { LocalRepoHost } from "#adapters/repo-host/local/host.ts";
import { localRepoHost } from "#adapters/repo-host/local/host.ts";
import { isMarked, readPulls } from "#adapters/repo-host/local/pulls.ts";
import { systemClock } from "#ports/clock.ts";

const repo = "acme/shop";
const worker = path.join(import.meta.dirname, "repo-host-crash/worker.ts");
let dir: string;

const hostIn = (told: (line: string) => void): Promise<LocalRepoHost> =>
  localRepoHost({
    dir,
    baseUrl: "http://127.0.0.1/code",
    clock: systemClock,
    onChange: async (change) => told(`told ${change.deliveryId} ${change.number}`),
    onFailure: (error) => told(`failed ${String(error)}`),
  });

beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), "host-crash-"));
  const host = await hostIn(() => {});
  const author = { name: "Ana", email: "ana@example.com" };
  const commits = [{ message: "Begin", author, at: "2026-01-05T09:00:00Z", files: { "a.txt": "a\n" } }];
  await host.createRepository(repo, { defaultBranch: "main", description: "", commits });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs the worker until its n-th line, then kills it where it stands. Everything it said. */
async function killAfter(lines: number, from: number): Promise<string[]> {
  const child = spawn(process.execPath, [worker, dir, String(from)], { stdio: ["ignore", "pipe", "inherit"] });
  const said: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    said.push(line);
    if (said.length === lines) child.kill("SIGKILL");
  }
  return said;
}

test("however often it is killed, no pull request is lost, doubled or told under two names", {
  timeout: 120_000,
}, async () => {
  const said: string[] = [];
  // Each number of lines ends the worker at another step: after an opening, a decision, a telling, or the start.
  for (const [round, lines] of [2, 3, 4, 5, 6, 7, 1, 9].entries()) said.push(...(await killAfter(lines, round * 100)));

  const host = await hostIn((line) => said.push(line));
  await host.start();
  await host.stop();
  expect(said.filter((line) => line.startsWith("failed"))).toEqual([]);

  const pulls = await readPulls(host.ground, repo);
  const opened = said.filter((line) => line.startsWith("opened ")).map((line) => line.split(" ").slice(1));
  for (const [number, branch] of opened) {
    expect(pulls.filter(({ pull }) => pull.branch === branch).map(({ pull }) => String(pull.number))).toEqual([number]);
  }
  expect(new Set(pulls.map(({ pull }) => pull.branch)).size).toBe(pulls.length);

  const told = said.filter((line) => line.startsWith("told ")).map((line) => line.split(" ").slice(1));
  for (const { pull, decision } of pulls) {
    const names = new Set(told.filter(([, number]) => number === String(pull.number)).map(([delivery]) => delivery));
    expect(names.size, `#${pull.number} is ${pull.state}`).toBe(decision === null ? 0 : 1);
    expect(await isMarked(host.ground, repo, pull.number, "told")).toBe(decision !== null);
    if (decision?.mergeOid) expect(await isAncestor(host.ground, repo, decision.mergeOid, "main")).toBe(true);
  }
  const decided = said.filter((line) => /^decided \d+ (?:merged|closed)$/.test(line));
  for (const line of decided) {
    const [, number, kind] = line.split(" ");
    expect(pulls.find(({ pull }) => String(pull.number) === number)?.pull.state).toBe(kind);
  }
  expect(decided.length).toBeGreaterThan(5);
});

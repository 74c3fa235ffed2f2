import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

/**
 * Runs everything that is too long for CI, one after the other, and keeps a summary in `bench/results/`.
 *   npm run test:long               all of it
 *   npm run test:long -- mutations  only the flipped lines; "tests": only the rest
 *   npm run test:long -- WORD       the tests whose file has WORD in its name; nothing is kept
 */

const root = path.resolve(import.meta.dirname, "..");
const results = path.join(root, "bench", "results");
const report = path.join(results, ".long-report.json");
const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs");
const config = "vitest.long.config.ts";

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  testResults: z.array(
    z.object({
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string(), duration: z.number().nullish() })),
    }),
  ),
});

function run(...args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** What the last run of each half said; one half may be run alone. */
const Kept = z.object({ mutations: z.unknown().optional(), tests: z.unknown().optional() });
type Kept = z.infer<typeof Kept>;

async function flip(): Promise<boolean> {
  const sound = (await run("scripts/mutations.ts")) === 0;
  keep({ mutations: { ...now(), verdict: sound ? "all red" : "not all red: see mutations.json" } });
  return sound;
}

async function test(): Promise<boolean> {
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const code = await run(vitest, "run", "--config", config, ...reporters);
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = Report.parse(
    JSON.parse(readFileSync(report, "utf8")),
  );
  rmSync(report);
  const tests = testResults.flatMap((file) =>
    file.assertionResults.map(({ fullName, status, duration }) => ({
      name: fullName,
      status,
      seconds: Math.round((duration ?? 0) / 1000),
    })),
  );
  keep({ tests: { ...now(), passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests, tests } });
  console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
  return code === 0;
}

function now(): { at: string; commit: string; node: string } {
  const commit = spawnSync("git", ["rev-parse", "HEAD"], { cwd: root }).stdout.toString("utf8").trim();
  return { at: new Date().toISOString(), commit, node: process.version };
}

function keep(half: Partial<Kept>): void {
  const file = path.join(results, "long.json");
  const before = existsSync(file) ? Kept.parse(JSON.parse(readFileSync(file, "utf8"))) : {};
  mkdirSync(results, { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...before, ...half }, null, 2)}\n`);
}

const HALVES: Readonly<Record<string, () => Promise<boolean>>> = { mutations: flip, tests: test };
const words = process.argv.slice(2);
if (words.every((word) => word in HALVES)) {
  for (const name of words.length === 0 ? Object.keys(HALVES) : words) {
    if (!(await HALVES[name]?.())) process.exitCode = 1;
  }
} else {
  process.exitCode = await run(vitest, "run", "--config", config, ...words);
}

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

/** Runs everything that is too long for CI, one after the other, and keeps a summary in `bench/results/`. */

const root = path.resolve(import.meta.dirname, "..");
const results = path.join(root, "bench", "results");
const report = path.join(results, ".long-report.json");

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

mkdirSync(results, { recursive: true });
const mutations = await run("scripts/mutations.ts");
const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs");
const tests = await run(
  vitest,
  "run",
  "--config",
  "vitest.long.config.ts",
  "--reporter=default",
  "--reporter=json",
  `--outputFile.json=${report}`,
);
const { numPassedTests, numFailedTests, numPendingTests, testResults } = Report.parse(
  JSON.parse(readFileSync(report, "utf8")),
);
rmSync(report);
const summary = {
  at: new Date().toISOString(),
  node: process.version,
  mutations: mutations === 0 ? "all red" : "some survived",
  passed: numPassedTests,
  failed: numFailedTests,
  skipped: numPendingTests,
  tests: testResults.flatMap((file) =>
    file.assertionResults.map(({ fullName, status, duration }) => ({
      name: fullName,
      status,
      seconds: Math.round((duration ?? 0) / 1000),
    })),
  ),
};
writeFileSync(path.join(results, "long.json"), `${JSON.stringify(summary, null, 2)}\n`);
console.log(`${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
process.exitCode = mutations === 0 && tests === 0 ? 0 : 1;

import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Copy } from "./copy.ts";
import type { Red } from "./mutation.ts";

/** What became of the tests that were asked for. A test that was skipped is not here. */
export interface Ran {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
  /** Why no test could say anything: the run was cut, a file did not load, a hook failed. `null`: nothing of that. */
  readonly broken: string | null;
}

const LONGEST_MS = 5 * 60_000;

const Report = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().default(""),
      assertionResults: z.array(z.object({ title: z.string(), fullName: z.string(), status: z.string() })),
    }),
  ),
});

/** Runs the named tests in the copy, one file at a time, and nothing else. */
export async function runTests({ folder, temporary }: Copy, reds: readonly Red[]): Promise<Ran> {
  const report = path.join(folder, ".mutations-report.json");
  rmSync(report, { force: true });
  const files = [...new Set(reds.map((red) => red.file))];
  const names = [...new Set(reds.map((red) => red.test))].map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const cases = reds.flatMap((red) => red.cases?.split(",") ?? []);
  const ended = await vitest(
    folder,
    [...files, "--testNamePattern", names.join("|"), "--reporter=json", `--outputFile=${report}`, "--maxWorkers=1"],
    { TMPDIR: temporary, ...(cases.length === 0 ? {} : { EGRESS_ONLY: [...new Set(cases)].join(",") }) },
  );
  if (ended.late) return { passed: [], failed: [], broken: `no end within ${LONGEST_MS / 1000} s` };
  let results: z.infer<typeof Report>["testResults"];
  try {
    results = Report.parse(JSON.parse(readFileSync(report, "utf8"))).testResults;
  } catch {
    return { passed: [], failed: [], broken: ended.said.trim().slice(-2_000) || "no report" };
  }
  const which = (status: string) =>
    results.flatMap((file) => file.assertionResults.filter((one) => one.status === status).map((one) => one.fullName));
  const [passed, failed] = [which("passed"), which("failed")];
  const broken = results.find(
    (file) => file.status === "failed" && !file.assertionResults.some((one) => one.status === "failed"),
  );
  return { passed, failed, broken: broken ? `${path.relative(folder, broken.name)}: ${broken.message}` : null };
}

function vitest(
  folder: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ late: boolean; said: string }> {
  const program = path.join(folder, "node_modules", "vitest", "vitest.mjs");
  const child = spawn(process.execPath, [program, "run", ...args], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own, so that what a flipped line leaves running can be ended with it.
    detached: true,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said = (said + text).slice(-20_000);
    });
  }
  let late = false;
  const end = () => {
    try {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  };
  const timer = setTimeout(() => {
    late = true;
    end();
  }, LONGEST_MS);
  const leave = () => {
    end();
    process.exit(130);
  };
  process.once("SIGINT", leave).once("SIGTERM", leave);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", () => {
      clearTimeout(timer);
      process.off("SIGINT", leave).off("SIGTERM", leave);
      resolve({ late, said });
    });
  });
}

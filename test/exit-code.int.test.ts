import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..");
const vitest = path.join(root, "node_modules", "vitest", "vitest.mjs");
const config = path.join(root, "test", "fixtures", "failing", "vitest.config.ts");

test("a test run in which an integration test fails says so with its exit code", { timeout: 60_000 }, async () => {
  const child = spawn(process.execPath, [vitest, "run", "--config", config], { cwd: root, stdio: "pipe" });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => {
    said += piece;
  });
  const [code] = (await once(child, "close")) as [number | null];
  expect(said).toContain("1 failed");
  expect(code).toBe(1);
});

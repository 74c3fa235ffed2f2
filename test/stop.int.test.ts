import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Identity, isAlive } from "#adapters/sandbox/local/identity.ts";

const root = path.resolve(import.meta.dirname, "..");
let data: string;
let started: ChildProcess | null = null;
beforeEach(() => {
  data = mkdtempSync(path.join(tmpdir(), "countersign-stop-"));
});
afterEach(() => {
  if (started?.pid !== undefined && started.exitCode === null && started.signalCode === null)
    process.kill(-started.pid, "SIGKILL");
  started = null;
  rmSync(data, { recursive: true, force: true });
});

test("Ctrl-C reaches everybody in the terminal and is passed on as well, and all of it ends in order", {
  timeout: 90_000,
}, async () => {
  const { PATH, HOME } = process.env;
  // A group of its own, as a shell makes one for what is typed.
  const child = spawn(process.execPath, [path.join(root, "scripts", "run.mjs"), "src/main.ts", "serve"], {
    cwd: root,
    env: { PATH, HOME, PORT: "0", COUNTERSIGN_DATA: data },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  started = child;
  let said = "";
  for await (const piece of child.stdout.setEncoding("utf8")) {
    said += piece;
    if (said.includes("Countersign is ready")) break;
  }
  expect(said).toContain("Countersign is ready");
  const gateway = JSON.parse(readFileSync(path.join(data, "gateway", "process.json"), "utf8")).identity as Identity;
  expect(isAlive(gateway)).toBe(true);
  const ended = once(child, "exit");
  process.kill(-(child.pid ?? 0), "SIGINT");
  expect(await ended).toEqual([0, null]);
  expect(isAlive(gateway)).toBe(false);
});

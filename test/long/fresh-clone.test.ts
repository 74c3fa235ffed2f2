import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect } from "vitest";
import { trusted } from "#test/command.ts";
import { inBrowser, type Surroundings, stageOfFile } from "#test/e2e/stage.ts";
import { twoMinutes } from "#test/e2e/two-minutes.ts";
import { oldestNode } from "./oldest-node.ts";

/** The README's first command as a newcomer gives it: a fresh clone, the oldest Node with its own npm, and nothing installed. */

const root = path.resolve(import.meta.dirname, "..", "..");
const INSTALL_MS = 900_000;
let clone = "";

async function freshClone(): Promise<Surroundings> {
  const programs = await oldestNode();
  const folder = mkdtempSync(path.join(tmpdir(), "countersign-fresh-"));
  clone = path.join(folder, "countersign");
  execFileSync("git", ["clone", "--quiet", "--no-local", root, clone]);
  return {
    settings: trusted(),
    starting: {
      program: "npm",
      args: ["start"],
      cwd: clone,
      path: `${programs}${path.delimiter}${process.env.PATH ?? ""}`,
      readyMs: INSTALL_MS,
      typed: true,
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
}

const stage = stageOfFile(freshClone, INSTALL_MS + 300_000);

inBrowser("npm start in a fresh clone, by Node 18, leads through the two minutes to a merge", async () => {
  expect(stage.product.lastWords()).toContain("countersign: installing dependencies (once per lockfile)");
  // What tests need beside it was not brought.
  expect(readFileSync(path.join(clone, "node_modules", ".countersign-lock"), "utf8")).toMatch(/ without dev$/);
  await twoMinutes(stage);
});

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { chatOf } from "#test/chaos/chat.ts";
import { openPage } from "#test/chaos/page.ts";
import { inHouse } from "#test/chaos/product.ts";
import { play } from "#test/chaos/story.ts";
import { expectOneOfEverything, only } from "#test/chaos/truth.ts";
import { trusted } from "#test/command.ts";

/**
 * The main job on this very repository: its dependencies come into each sandbox through our registry gateway, and its own
 * checks (`.countersign.yaml`) say what the change is worth.
 */

const MS = 2_700_000;
const root = path.resolve(import.meta.dirname, "..", "..");
const CHECKS = ["habits", "core"];

test.skipIf(noBubblewrap !== null)(
  "with --repo on this repository its own checks are green on the base and on a small change, and a pull request is open",
  { timeout: MS },
  async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "countersign-this-"));
    const repository = path.join(folder, "countersign");
    const git = (...args: string[]) => execFileSync("git", args, { cwd: repository }).toString();
    try {
      // What is committed, and nothing that lies beside it.
      execFileSync("git", ["clone", "--quiet", "--no-local", root, repository]);
      const before = git("for-each-ref");
      // As `npm start` is told of it by npm.
      const registry = execFileSync("npm", ["config", "get", "registry"]).toString().trim();
      const env = { npm_config_registry: registry, ...trusted() };
      await inHouse({ postgres: null, args: ["--repo", repository], env }, async (house) => {
        await house.first.start();
        const chat = chatOf(house);
        const played = await play(house, chat, { team: "yours", label: "Made of care.", strikes: {}, ms: MS });
        const page = openPage(house, played.runId);
        const { lines } = await page.look();
        await page.close();
        expect(played.state, lines.join("\n")).toBe("in review");
        const [kept] = await expectOneOfEverything(house, chat, [played]);
        if (!kept) throw new Error("the run has no record");
        expect(only(kept.bodies, "approval.voted").map(({ by, choice }) => [by.name, choice])).toEqual([
          ["Bo", "approve"],
        ]);
        expect(only(kept.bodies, "check.ran").map(({ name, on, exitCode }) => [name, on, exitCode])).toEqual(
          ["base", "head"].flatMap((on) => CHECKS.map((name) => [name, on, 0])),
        );
        expect(only(kept.bodies, "check.judged").map(({ name, verdict }) => [name, verdict])).toEqual(
          CHECKS.map((name) => [name, "green"]),
        );
        expect(only(kept.bodies, "pull_request.opened")).toEqual([
          expect.objectContaining({ repo: "local/countersign", number: 1 }),
        ]);
      });
      expect([git("for-each-ref"), git("status", "--porcelain")]).toEqual([before, ""]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

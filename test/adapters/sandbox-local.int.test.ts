import { describe, expect, test } from "vitest";
import { sandboxContract } from "#test/contracts/sandbox.ts";
import { sandboxAround } from "#test/contracts/sandbox-around.ts";
import { sandboxWalls } from "#test/contracts/sandbox-walls.ts";
import { localBench, noBubblewrap } from "./sandbox-local-bench.ts";

if (noBubblewrap !== null) {
  describe.skip(`local sandboxes (not here: ${noBubblewrap})`, () =>
    test("bubblewrap", () => expect(noBubblewrap).toBe("")));
} else {
  sandboxContract("local", localBench);
  sandboxWalls("local", localBench);
  sandboxAround("local", localBench);
}

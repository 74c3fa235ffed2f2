import { describe, expect, test } from "vitest";
import { sandboxContract } from "#test/contracts/sandbox.ts";
import { daytonaBench } from "./sandbox-daytona-bench.ts";
import { noBubblewrap } from "./sandbox-local-bench.ts";

if (noBubblewrap !== null) {
  describe.skip(`sandboxes at a local double of Daytona (not here: ${noBubblewrap})`, () =>
    test("bubblewrap", () => expect(noBubblewrap).toBe("")));
} else {
  sandboxContract("a local double of Daytona", daytonaBench);
}

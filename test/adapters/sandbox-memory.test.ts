import { memorySandboxes } from "#adapters/sandbox/memory.ts";
import { fixedClock } from "#ports/clock.ts";
import { sandboxContract } from "#test/contracts/sandbox.ts";
import { contractProgram } from "#test/contracts/sandbox-programs.ts";
import { sandboxWalls } from "#test/contracts/sandbox-walls.ts";

const makeBench = async () => {
  const clock = fixedClock(new Date("2026-01-01T00:00:00Z"));
  const provider = memorySandboxes({ program: contractProgram, clock });
  return {
    provider,
    again: () => provider,
    image: "base",
    pass: (ms: number) => clock.advance(ms),
    dispose: async () => undefined,
  };
};

sandboxContract("memory", makeBench);
sandboxWalls("memory", makeBench, { nothingRuns: "programs are functions, there is no kernel inside" });

import { memorySandboxes } from "#adapters/sandbox/memory.ts";
import type { Program } from "#adapters/sandbox/memory-process.ts";
import { fixedClock } from "#ports/clock.ts";
import { sandboxContract } from "#test/contracts/sandbox.ts";
import { contractProgram } from "#test/contracts/sandbox-programs.ts";

const makeBench = async () => {
  const clock = fixedClock(new Date("2026-01-01T00:00:00Z"));
  const alive = new Set<string>();
  /** A program that was not told of its end would be counted for ever. */
  const counted = (argv: readonly string[]): Program | null => {
    const play = contractProgram(argv);
    if (play === null) return null;
    return async (ctx) => {
      const line = ctx.argv.join(" ");
      alive.add(line);
      ctx.signal.addEventListener("abort", () => alive.delete(line));
      const end = await play(ctx);
      alive.delete(line);
      return end;
    };
  };
  const provider = memorySandboxes({ program: counted, clock });
  return {
    provider,
    again: () => provider,
    image: "base",
    pass: (ms: number) => clock.advance(ms),
    survivors: (word: string) => [...alive].filter((line) => line.includes(word)).length,
    record: async () => JSON.stringify(await provider.list({})),
    dispose: async () => undefined,
  };
};

sandboxContract("memory", makeBench, {
  byConstruction: {
    "by default nothing is reached: no name, no address, no resolver, whatever the proxy variables say":
      "nothing in memory has a network",
    "a death by memory is told from every other, and the sandbox outlives it":
      "the program plays its own death, since nothing in memory limits it",
  },
});

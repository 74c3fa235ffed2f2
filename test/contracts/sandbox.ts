import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Sandbox } from "#ports/sandbox.ts";
import { apartCases } from "./sandbox-apart.ts";
import { type Cases, calm, type SandboxBench } from "./sandbox-bench.ts";
import { lifeCases } from "./sandbox-life.ts";
import { processCases } from "./sandbox-processes.ts";

/** Cases of the conformance list that every provider is held to today. */
const HELD = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 15, 19, 20, 24, 25];

/** What every sandbox provider must do. `skip`: sentence → reason. */
export function sandboxContract(
  name: string,
  makeBench: () => Promise<SandboxBench>,
  o: { skip?: Record<string, string> } = {},
): void {
  describe(`the sandbox contract, over ${name}`, () => {
    let bench: SandboxBench;
    let keys = 0;
    let shared: Promise<Sandbox> | null = null;
    const numbers = new Set<number>();
    const unused = new Set(Object.keys(o.skip ?? {}));

    beforeAll(async () => {
      bench = await makeBench();
    });
    afterAll(async () => {
      for (const { id } of await bench.provider.list({})) await bench.provider.destroy(id);
      await bench.dispose();
    });

    const cases: Cases = {
      bench: () => bench,
      specOf(more = {}) {
        keys += 1;
        const limits = { memoryMiB: 256, pids: 64 };
        return {
          key: `contract/${keys}`,
          image: bench.image,
          labels: {},
          gateway: null,
          limits,
          ttlMs: 600_000,
          ...more,
        };
      },
      create: (more = {}, signal = calm()) => bench.provider.create(cases.specOf(more), signal),
      common() {
        shared ??= cases.create();
        return shared;
      },
      holds(number, sentence, body) {
        const reason = o.skip?.[sentence];
        unused.delete(sentence);
        if (number !== null) numbers.add(number);
        if (reason === undefined) test(sentence, body);
        else test.skip(`${sentence} (not here: ${reason})`, body);
      },
    };
    lifeCases(cases);
    processCases(cases);
    apartCases(cases);

    test("every case that a provider is held to has its sentence, and every skipped one is the contract's", () => {
      expect(HELD.filter((number) => !numbers.has(number))).toEqual([]);
      expect([...unused]).toEqual([]);
    });
  });
}

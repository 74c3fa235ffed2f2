import { afterAll, beforeAll, describe, expect, type TestContext, test } from "vitest";
import type { Sandbox } from "#ports/sandbox.ts";
import { apartCases } from "./sandbox-apart.ts";
import { type Cases, calm, type SandboxBench } from "./sandbox-bench.ts";
import { lifeCases } from "./sandbox-life.ts";
import { processCases } from "./sandbox-processes.ts";

/** Cases of the conformance list that every provider is held to today. */
const HELD = [1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 15, 19, 20, 24, 25];

/**
 * What every sandbox provider must do. `skip`: sentence → reason. `byConstruction`: sentence → why the provider cannot
 * but pass it, so that its passing shows nothing. Neither counts as held.
 */
export function sandboxContract(
  name: string,
  makeBench: () => Promise<SandboxBench>,
  o: { skip?: Record<string, string>; byConstruction?: Record<string, string> } = {},
): void {
  describe(`the sandbox contract, over ${name}`, () => {
    let bench: SandboxBench;
    let keys = 0;
    let shared: Promise<Sandbox> | null = null;
    const shown = new Set<number>();
    const notHeld = new Map<number, string>();
    const unused = new Set(Object.keys({ ...o.skip, ...o.byConstruction }));

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
        const [reason, played] = [o.skip?.[sentence], o.byConstruction?.[sentence]];
        unused.delete(sentence);
        const why = reason ?? played;
        if (number !== null && why !== undefined) notHeld.set(number, why);
        const show = async (ctx: TestContext) => {
          await body(ctx);
          if (number !== null) shown.add(number);
        };
        if (reason !== undefined) test.skip(`${sentence} (not here: ${reason})`, show);
        else test(played === undefined ? sentence : `${sentence} (by construction: ${played})`, show);
      },
      cannotShow(ctx, number, why) {
        notHeld.set(number, why);
        process.stderr.write(`SKIPPED: case ${number} of the sandbox contract, over ${name}: ${why}\n`);
        return ctx.skip(why);
      },
    };
    lifeCases(cases);
    processCases(cases);
    apartCases(cases);

    test("every case that a provider is held to was shown above, or is said here not to be", (ctx) => {
      expect([...unused], "excused, and no sentence of the contract").toEqual([]);
      expect(HELD.filter((number) => !shown.has(number) && !notHeld.has(number))).toEqual([]);
      const excuses = [...notHeld].map(([number, why]) => `${number} (${why})`);
      if (excuses.length > 0) ctx.skip(`not held by ${name}: case ${excuses.join(", ")}`);
    });
  });
}

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventBody } from "#runs/event.ts";
import { monthAt } from "#runs/money/shares.ts";
import type { Person, Run } from "#runs/run.ts";
import type { Amount } from "#runs/stores.ts";
import { type House, house, type Pair } from "#test/db/house.ts";

const called = (inputTokens: number, outputTokens: number, usd: number): EventBody => ({
  ...{ kind: "model.called", model: "m", status: 200, cachedTokens: 1, prices: "p", durationMs: 5 },
  ...{ inputTokens, outputTokens, usd },
});
const NOTHING: Amount = { usd: 0, tokens: 0 };

/** What runs share: places and the money of a month. */
export function sharesContract(name: string, open: () => Promise<Pair>): void {
  describe(name, () => {
    let opened: Pair;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.close());

    const month = monthAt(new Date());
    const use = (at: House, run: Run) => at.tx((tx) => at.shares.use(tx, run, month));
    const spend = (at: House, run: Run, ...bodies: EventBody[]) =>
      at.tx((tx) => at.events.append(tx, run.id, null, bodies));
    const begin = (at: House, run: Run, amount: Amount) =>
      at.tx(async (tx) => {
        await at.shares.allot(tx, run, amount);
        await at.runs.move(tx, run, "preparing", {});
      });

    test("runs at work are counted by team, person and repository, each over all the others", async () => {
      const at = await house(opened.first);
      const [mina, bo] = [await at.person("Mina"), await at.person("Bo")];
      const made = async (requester: Person, team: string, repo: string) => {
        const run = await at.run({ requester, team, repo });
        await begin(at, run, NOTHING);
      };
      await made(mina, "shop", "acme/shop");
      await made(mina, "data", "acme/reports");
      await made(bo, "data", "acme/shop");
      await at.run({ requester: mina, team: "shop", repo: "acme/shop" });
      const run = await at.run({ requester: mina, team: "shop", repo: "acme/shop" });
      expect((await use(at, run)).runs).toEqual({ team: 1, person: 2, repo: 2 });
    });

    test("a run that comes back is before whoever begins, and not before another that comes back", async () => {
      const at = await house(opened.first);
      const mina = await at.person("Mina");
      const back = async () => {
        const run = await at.run({ requester: mina });
        await begin(at, run, { usd: 1, tokens: 1 });
        await at.tx((tx) => at.shares.settle(tx, run.id));
        const working = await at.runs.get(run.id);
        await at.tx((tx) => at.runs.move(tx, working ?? run, "queued", { resumeTo: "preparing" }));
        return (await at.runs.get(run.id)) ?? run;
      };
      const first = await back();
      await back();
      const fresh = await at.run({ requester: mina });
      expect((await use(at, first)).runs).toEqual({ team: 0, person: 0, repo: 0 });
      const seen = await use(at, fresh);
      expect(seen.runs).toEqual({ team: 2, person: 2, repo: 2 });
      // They were promised nothing yet: what they had is settled.
      expect(seen.held).toEqual({ team: NOTHING, person: NOTHING });
    });

    test("a month is what its model calls came to, for the team and for the person, and what the run itself spent", async () => {
      const at = await house(opened.first);
      const [mina, bo] = [await at.person("Mina"), await at.person("Bo")];
      const own = await at.run({ requester: mina, team: "shop" });
      await spend(at, own, called(100, 20, 0.25), { kind: "notice", text: "between" }, called(3, 4, 0.5));
      await spend(at, own, called(1, 0, 0));
      await spend(at, await at.run({ requester: bo, team: "shop" }), called(10, 0, 1));
      await spend(at, await at.run({ requester: mina, team: "data" }), called(1_000, 0, 2));
      const { spent, own: mine } = await use(at, own);
      expect(spent).toEqual({ team: { usd: 1.75, tokens: 138 }, person: { usd: 2.75, tokens: 1_128 } });
      expect(mine).toEqual({ usd: 0.75, tokens: 128 });
      const before = await at.tx((tx) => at.shares.use(tx, own, "2020-01"));
      expect(before).toMatchObject({ spent: { team: NOTHING, person: NOTHING }, own: mine });
    });

    test("what runs at work may still spend is held for them, until they have spent it or it is settled", async () => {
      const at = await house(opened.first);
      const [mina, bo] = [await at.person("Mina"), await at.person("Bo")];
      const other = await at.run({ requester: bo, team: "shop" });
      await begin(at, other, { usd: 3, tokens: 1_000 });
      const elsewhere = await at.run({ requester: mina, team: "data" });
      await begin(at, elsewhere, { usd: 5, tokens: 10 });
      const run = await at.run({ requester: mina, team: "shop" });
      await at.tx((tx) => at.shares.allot(tx, run, { usd: 1, tokens: 7.9 }));
      expect(await at.shares.allotted(run.id)).toEqual({ usd: 1, tokens: 7 });
      expect((await use(at, run)).held).toEqual({ team: { usd: 3, tokens: 1_000 }, person: { usd: 5, tokens: 10 } });
      await spend(at, other, called(100, 0, 1));
      await spend(at, elsewhere, called(100, 0, 6));
      expect((await use(at, run)).held).toEqual({ team: { usd: 2, tokens: 900 }, person: NOTHING });
      const working = await at.runs.get(other.id);
      await at.tx((tx) => at.runs.move(tx, working ?? other, "cancelled", {}));
      expect((await use(at, run)).held.team).toEqual({ usd: 2, tokens: 900 });
      await at.tx((tx) => at.shares.settle(tx, other.id));
      expect((await use(at, run)).held.team).toEqual(NOTHING);
    });

    test("what was not allotted yet is nothing", async () => {
      const at = await house(opened.first);
      const run = await at.run();
      expect(await at.shares.allotted(run.id)).toBeNull();
      await spend(at, run, called(1, 1, 0.5));
      expect(await at.shares.allotted(run.id)).toBeNull();
    });

    test.each([
      ["team", { repo: "acme/other" }],
      ["repo", { team: "data" }],
      ["person", { repo: "acme/other", team: "data" }],
    ] as const)("of runs that start at once in two processes no more than N begin, by %s", async (of, second) => {
      const [one, other] = [await house(opened.first, `busy ${of}`), await house(opened.second, `busy ${of}`)];
      const mina = await one.person("Mina");
      const someone = of === "person" ? mina : await one.person("Bo");
      const runs = [
        ...(await Promise.all(Array.from({ length: 4 }, () => one.run({ requester: mina })))),
        ...(await Promise.all(Array.from({ length: 4 }, () => one.run({ requester: someone, ...second })))),
      ];
      const start = (at: House, run: Run) =>
        at.tx(async (tx) => {
          const busy = (await at.shares.use(tx, run, month)).runs[of];
          if (busy >= 3) return false;
          await at.runs.move(tx, run, "preparing", {});
          return true;
        });
      const started = await Promise.all(runs.map((run, n) => start(n % 2 ? one : other, run)));
      expect(started.filter(Boolean)).toHaveLength(3);
    });

    test("of runs that are allotted at once in two processes none is promised what another has", async () => {
      const [one, other] = [await house(opened.first, "rich"), await house(opened.second, "rich")];
      const mina = await one.person("Mina");
      const runs = await Promise.all(Array.from({ length: 6 }, () => one.run({ requester: mina })));
      const start = (at: House, run: Run) =>
        at.tx(async (tx) => {
          const { held } = await at.shares.use(tx, run, month);
          const usd = Math.min(4, Math.max(0, 10 - held.team.usd));
          await at.shares.allot(tx, run, { usd, tokens: 0 });
          await at.runs.move(tx, run, "preparing", {});
          return usd;
        });
      const given = await Promise.all(runs.map((run, n) => start(n % 2 ? one : other, run)));
      expect(given.toSorted((a, b) => a - b)).toEqual([0, 0, 0, 2, 4, 4]);
    });
  });
}

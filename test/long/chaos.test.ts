import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chatOf } from "#test/chaos/chat.ts";
import { inHouse } from "#test/chaos/product.ts";
import { expectOneOfEverything, type Kept, only } from "#test/chaos/truth.ts";
import { boxesOf, survivors } from "#test/chaos/victims.ts";
import { startPostgres } from "#test/postgres.ts";
import { breakThings, type Damage } from "./damage.ts";
import { dice } from "./dice.ts";
import { people } from "./people.ts";

/** Fewer for a try: CHAOS_KILLS=20 npm run test:long */
const KILLS = Number(process.env.CHAOS_KILLS ?? 200);
/** The same dice again: CHAOS_SEED=7 npm run test:long. What they meet is up to the machine. */
const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 32));
const RESULTS = path.resolve(import.meta.dirname, "..", "..", "bench", "results");

let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

test(`${KILLS} kills at random moments, with frozen workers and doubled clicks, lose nothing and double nothing`, () =>
  inHouse({ postgres: server.url }, async (house) => {
    console.log(`CHAOS_SEED=${SEED}`);
    await house.first.start();
    await house.second?.start();
    const chat = chatOf(house);
    const crowd = people(house, chat);
    const began = performance.now();
    const roll = dice(SEED);
    const damage = await breakThings(house, { kills: KILLS, runs: crowd.open, failed: crowd.failed, roll });
    expect(damage.frozen, "workers that were frozen").toBeGreaterThan(0);
    const played = await crowd.goHome();
    const kept = await expectOneOfEverything(house, chat, played, { cleanWithinMs: 300_000 });
    for (const one of kept) expectHonest(one, damage);
    const toll = {
      lost: crowd.asked() - kept.filter(({ run }) => ["in_review", "handed_off"].includes(run.state)).length,
      doubled: kept.reduce((sum, one) => sum + doubledIn(one), 0),
      survivors: survivors(house.dataDir, [], []).length + boxesOf(house.dataDir).length,
    };
    expect(toll).toEqual({ lost: 0, doubled: 0, survivors: 0 });
    report(kept, damage, { ...toll, seconds: (performance.now() - began) / 1_000 });
  }));

/** A run ends in review, or was interrupted twice in its own house and says that it was our fault. */
function expectHonest({ run, bodies }: Kept, damage: Damage): void {
  if (run.state === "in_review") return;
  expect(run.state, `run ${run.number}`).toBe("handed_off");
  const [handed] = only(bodies, "run.handed_off");
  expect(handed?.fault, `run ${run.number}: ${handed?.failed}`).toBe("us");
  expect(damage.ofRun(run.id), `interruptions of run ${run.number}: ${handed?.failed}`).toBeGreaterThanOrEqual(2);
}

/** Acts of a run beyond the one that there may be of each. */
function doubledIn({ bodies }: Kept): number {
  const votes = Map.groupBy(only(bodies, "approval.voted"), (vote) => vote.approval);
  const acts = [
    only(bodies, "branch.pushed").length,
    only(bodies, "pull_request.opened").length,
    only(bodies, "receipt.signed").length,
    only(bodies, "run.moved").filter((move) => move.to === "in_review").length,
    ...[...votes.values()].map((cast) => cast.length),
  ];
  return acts.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
}

function report(
  kept: readonly Kept[],
  damage: Damage,
  toll: { lost: number; doubled: number; survivors: number; seconds: number },
): void {
  const tookS = kept
    .map(({ events }) => ((events.at(-1)?.at.getTime() ?? 0) - (events[0]?.at.getTime() ?? 0)) / 1_000)
    .sort((a, b) => a - b);
  const at = (share: number) => tookS[Math.min(tookS.length - 1, Math.floor(tookS.length * share))];
  const votes = kept.flatMap(({ bodies }) => only(bodies, "approval.voted"));
  const summary = {
    what: "random kill -9 of the whole product over Postgres with two workers; every approval clicked twice at once",
    commit: execFileSync("git", ["rev-parse", "HEAD"], { cwd: import.meta.dirname, encoding: "utf8" }).trim(),
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: cpus().length,
    seed: SEED,
    seconds: Math.round(toll.seconds),
    kills: damage.kills,
    frozen: damage.frozen,
    runs: {
      all: kept.length,
      inReview: kept.filter(({ run }) => run.state === "in_review").length,
      handedOff: kept.filter(({ run }) => run.state === "handed_off").length,
      interrupted: kept.filter(({ run }) => run.restarts > 0).length,
    },
    approvals: {
      counted: votes.length,
      clicksThatDidNotCount: kept.flatMap(({ bodies }) => only(bodies, "approval.refused")).length,
    },
    secondsFromRequestToEnd: { p50: at(0.5), p99: at(0.99), max: tookS.at(-1) },
    lost: toll.lost,
    doubled: toll.doubled,
    survivors: toll.survivors,
  };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(path.join(RESULTS, "chaos.json"), `${JSON.stringify(summary, null, 2)}\n`);
}

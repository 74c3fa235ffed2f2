import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { chatOf } from "#test/chaos/chat.ts";
import { inHouse } from "#test/chaos/product.ts";
import { expectOneOfEverything, type Kept, only } from "#test/chaos/truth.ts";
import { startPostgres } from "#test/postgres.ts";
import { breakThings, type Damage } from "./damage.ts";
import { people } from "./people.ts";

/** Fewer for a try: CHAOS_KILLS=20 npm run test:long */
const KILLS = Number(process.env.CHAOS_KILLS ?? 200);
const RESULTS = path.resolve(import.meta.dirname, "..", "..", "bench", "results");

let server: Awaited<ReturnType<typeof startPostgres>>;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

test(`${KILLS} kills at random moments, with frozen workers and doubled clicks, lose nothing and double nothing`, () =>
  inHouse({ postgres: server.url }, async (house) => {
    await house.first.start();
    await house.second?.start();
    const chat = chatOf(house);
    const crowd = people(house, chat);
    const began = performance.now();
    const damage = await breakThings(house, { kills: KILLS, runs: crowd.open, failed: crowd.failed });
    const played = await crowd.goHome();
    const kept = await expectOneOfEverything(house, chat, played, { cleanWithinMs: 300_000 });
    for (const one of kept) expectHonest(one, damage);
    report(kept, damage, (performance.now() - began) / 1_000);
  }));

/** A run ends in review, or was interrupted twice in its own house and says that it was our fault. */
function expectHonest({ run, bodies }: Kept, damage: Damage): void {
  if (run.state === "in_review") return;
  expect(run.state, `run ${run.number}`).toBe("handed_off");
  const [handed] = only(bodies, "run.handed_off");
  expect(handed?.fault, `run ${run.number}: ${handed?.failed}`).toBe("us");
  expect(damage.ofRun(run.id), `interruptions of run ${run.number}: ${handed?.failed}`).toBeGreaterThanOrEqual(2);
}

function report(kept: readonly Kept[], damage: Damage, seconds: number): void {
  const tookS = kept
    .map(({ events }) => ((events.at(-1)?.at.getTime() ?? 0) - (events[0]?.at.getTime() ?? 0)) / 1_000)
    .sort((a, b) => a - b);
  const at = (share: number) => tookS[Math.min(tookS.length - 1, Math.floor(tookS.length * share))];
  const votes = kept.flatMap(({ bodies }) => only(bodies, "approval.voted"));
  const summary = {
    what: "random kill -9 of the whole product over Postgres with two workers; every approval clicked twice at once",
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: cpus().length,
    seconds: Math.round(seconds),
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
    lost: 0,
    doubled: 0,
    survivors: 0,
  };
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(path.join(RESULTS, "chaos.json"), `${JSON.stringify(summary, null, 2)}\n`);
}

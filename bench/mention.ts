import { setTimeout as pause } from "node:timers/promises";
import { administer, startPostgres, withDatabase } from "#test/postgres.ts";
import { type Bench, type Measured, ratios, spread } from "./report.ts";
import { bareBolt, product, type Subject } from "./subject.ts";
import { answered, answers, log, write } from "./talk.ts";

/** Loaded code and compiled schemas: not what a team meets in its day. */
const WARM_UP = 5;
/** A service is started once and asked all day: the engine has compiled what runs often. Measured on its own before. */
const COLD = { perSec: 20, count: 100 };
const SLOW = { perSec: 1, count: 30 };
const FAST = { perSec: 20, count: 100, rounds: 2 };
const GOALS = [
  { figure: "p50 ms", mostRatio: 2 },
  { figure: "p99 ms", mostRatio: 2, most: 1_000 },
];
/** A run that waits for a lead: everything before a person is asked, and no sandbox that would share the processor. */
const CHANNEL = "C0SHOP";
const ASK = '<@U0AGENT> replace "No dependencies." with "No dependencies, by choice." in README.md';

export const mention: Bench = {
  name: "mention",
  claim: "from a mention to the first message people see: at most twice a bare Bolt app, p99 under a second",
  peer: "a Bolt app that verifies, inserts one row, acknowledges and posts one sentence (bench/bare-bolt.ts)",
  async run() {
    const measured = await compare("PGlite", null, null);
    const postgres = await startPostgres();
    try {
      await administer(postgres.url, "create database ours", "create database theirs");
      const on = await compare("Postgres", withDatabase(postgres.url, "ours"), withDatabase(postgres.url, "theirs"));
      return [...measured, ...on];
    } finally {
      await postgres.stop();
    }
  },
};

async function compare(name: string, ours: string | null, theirs: string | null): Promise<Measured[]> {
  await using own = await product(ours);
  await using peer = await bareBolt(theirs);
  for (const subject of [peer, own]) await burst(subject, SLOW.perSec * 4, WARM_UP);
  const coldPeer = await burst(peer, COLD.perSec, COLD.count);
  const cold = [await burst(own, COLD.perSec, COLD.count), coldPeer] as const;

  // One second of one, one second of the other, so that both meet the same neighbours.
  const slow = await Promise.all([
    burst(own, SLOW.perSec, SLOW.count),
    pause(500 / SLOW.perSec).then(() => burst(peer, SLOW.perSec, SLOW.count)),
  ]);
  const fast: [number[], number[]] = [[], []];
  for (let round = 0; round < FAST.rounds; round += 1) {
    fast[1].push(...(await burst(peer, FAST.perSec, FAST.count)));
    fast[0].push(...(await burst(own, FAST.perSec, FAST.count)));
  }
  const row = (what: string, [a, b]: readonly [readonly number[], readonly number[]]): Measured => {
    const figures = (samples: readonly number[]) => {
      const { p50, p99, max } = spread(samples);
      return { "p50 ms": p50, "p99 ms": p99, "max ms": max };
    };
    const [ours, theirs] = [figures(a), figures(b)];
    return { what, ours, theirs, ratio: ratios(ours, theirs, ["p50 ms", "p99 ms"]), goals: GOALS };
  };
  return [
    row(`${name}, just started, ${COLD.perSec}/s`, cold),
    row(`${name}, ${SLOW.perSec}/s`, slow),
    row(`${name}, ${FAST.perSec}/s`, fast),
  ];
}

/**
 * Writes `count` mentions at a fixed rate, whether or not the earlier ones were answered. For each, how long until the
 * first message of the app was in its thread, by the chat's own clock; throws when one is never answered.
 */
async function burst(subject: Subject, perSec: number, count: number): Promise<number[]> {
  const from = (await log(subject)).at(-1)?.seq ?? 0;
  const began = performance.now();
  const sent: Promise<string>[] = [];
  for (let n = 0; n < count; n += 1) {
    await pause(Math.max(0, began + (n * 1_000) / perSec - performance.now()));
    sent.push(write(subject, CHANNEL, ASK));
  }
  const threads = await Promise.all(sent);
  const entries = await answered(subject, from, threads);
  return threads.map((thread) => {
    const asked = entries.find((entry) => entry.act === "message" && entry.ts === thread);
    const shown = entries.find((entry) => answers(entry) && entry.args?.thread_ts === thread);
    if (!asked || !shown) throw new Error("the chat's log was cut off");
    return Date.parse(shown.at) - Date.parse(asked.at);
  });
}

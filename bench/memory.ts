import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { administer, startPostgres, withDatabase } from "#test/postgres.ts";
import { type Bench, type Goal, type Measured, ratios } from "./report.ts";
import { bareBolt, product } from "./subject.ts";

/** Idle: started, its page read once, and then left alone for this long. */
const IDLE_MS = 20_000;
const RESIDENT = "control plane MB";

export const memory: Bench = {
  name: "memory",
  claim: "idle on Postgres: under 250 MB of resident memory for the control plane",
  peer: "a bare Bolt app with the same chat page on the same database (bench/bare-bolt.ts)",
  async run() {
    const lite = await idle("PGlite", null, null, [{ figure: RESIDENT }]);
    const postgres = await startPostgres();
    try {
      await administer(postgres.url, "create database ours", "create database theirs");
      const [ours, theirs] = [withDatabase(postgres.url, "ours"), withDatabase(postgres.url, "theirs")];
      const on = await idle("Postgres", ours, theirs, [{ figure: RESIDENT, most: 250 }]);
      return [lite, on];
    } finally {
      await postgres.stop();
    }
  },
};

async function idle(
  what: string,
  ours: string | null,
  theirs: string | null,
  goals: readonly Goal[],
): Promise<Measured> {
  await using own = await product(ours);
  await using peer = await bareBolt(theirs);
  await pause(IDLE_MS);
  const [mine, bare] = [residentMb(own.pid), residentMb(peer.pid)];
  const figures = {
    [RESIDENT]: mine.rss,
    "of it not shared with a file MB": mine.own,
    "gateway MB": Math.max(...childrenOf(own.pid).map((pid) => residentMb(pid).rss)),
  };
  const beside = { [RESIDENT]: bare.rss, "of it not shared with a file MB": bare.own };
  return { what, ours: figures, theirs: beside, ratio: ratios(figures, beside, Object.keys(beside)), goals };
}

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

/** Resident memory in MB as Linux counts it, and the part of it that no other process can share. */
function residentMb(pid: number): { rss: number; own: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mb = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) / 1_024);
  return { rss: mb("VmRSS"), own: mb("RssAnon") };
}

import { execFile } from "node:child_process";
import { rmSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { type Bench, ratios, spread, tenth } from "./report.ts";
import { bareBolt, folder, npmStart } from "./subject.ts";

const STARTS = 7;
const root = path.resolve(import.meta.dirname, "..");
const run = promisify(execFile);

export const start: Bench = {
  name: "start",
  claim: "from a clean checkout to the page: under 45 s once everything is downloaded, under 2 s from then on",
  peer: "cold: `npm ci` of the same packages; warm: a bare Bolt app with the same chat page (bench/bare-bolt.ts)",
  async run() {
    const place = folder();
    try {
      const checkout = path.join(place, "checkout");
      await clone(checkout);
      // The first one downloads what npm does not have yet; the second is the peer.
      await install(checkout);
      const theirsCold = { "to the page s": tenth((await timed(() => install(checkout))) / 1_000) };
      rmSync(checkout, { recursive: true });
      const began = performance.now();
      await clone(checkout);
      const dataDir = path.join(place, "data");
      await (await npmStart(checkout, dataDir))[Symbol.asyncDispose]();
      const oursCold = { "to the page s": tenth((performance.now() - began) / 1_000) };

      const [ours, theirs, fresh]: [number[], number[], number[]] = [[], [], []];
      for (let n = 0; n < STARTS; n += 1) {
        ours.push(await startedMs(npmStart(checkout, dataDir)));
        fresh.push(await startedMs(npmStart(checkout)));
        theirs.push(await startedMs(bareBolt(null)));
      }
      const warm = {
        "p50 ms": spread(ours).p50,
        "max ms": spread(ours).max,
        "on a new data folder p50 ms": spread(fresh).p50,
      };
      const bare = { "p50 ms": spread(theirs).p50, "max ms": spread(theirs).max };
      return [
        {
          what: "cold",
          ours: oursCold,
          theirs: theirsCold,
          ratio: ratios(oursCold, theirsCold, ["to the page s"]),
          goals: [{ figure: "to the page s", most: 45 }],
        },
        {
          what: "warm",
          ours: warm,
          theirs: bare,
          ratio: ratios(warm, bare, ["p50 ms"]),
          goals: [{ figure: "p50 ms", most: 2_000 }],
        },
      ];
    } finally {
      rmSync(place, { recursive: true, force: true });
    }
  },
};

const clone = (to: string) => run("git", ["clone", "--quiet", "--no-local", root, to]);

const install = (at: string) =>
  run("npm", ["ci", "--omit=dev", "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"], { cwd: at });

async function startedMs(starting: ReturnType<typeof bareBolt>): Promise<number> {
  await using subject = await starting;
  return subject.startedMs;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

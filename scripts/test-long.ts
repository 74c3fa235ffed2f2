import path from "node:path";
import { startVitest } from "vitest/node";

/**
 * `npm run test:long [-- FILTER...]`: what takes too long for every change. Every kill at every point on both databases,
 * 200 random kills (their numbers go to bench/results/chaos.json; CHAOS_KILLS=20 for a try), the real agent's contract.
 */
const root = path.resolve(import.meta.dirname, "..");
const HOUR_MS = 3_600_000;

const vitest = await startVitest("test", process.argv.slice(2), {
  config: false,
  root,
  watch: false,
  include: ["test/long/**/*.test.ts"],
  fileParallelism: false,
  testTimeout: 2 * HOUR_MS,
  hookTimeout: 120_000,
});
await vitest.close();

import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HOLD_MS } from "#adapters/sandbox/local/doorway.ts";
import { Secret } from "#ports/secret.ts";
import { noBubblewrap } from "#test/adapters/sandbox-local-bench.ts";
import { type Around, openAround, tryAround } from "./corpus/around.ts";
import { type Brokered, isBrokered, openBrokered, tryBroker } from "./corpus/brokers.ts";
import { type CorpusCase, fixtureRules, loadCorpus } from "./corpus/cases.ts";
import { tryGit } from "./corpus/git.ts";
import { tryModel } from "./corpus/model.ts";
import { tryNetwork } from "./corpus/network.ts";
import { differences, type Outcome } from "./corpus/outcome.ts";
import { tryPolicy, trySystem } from "./corpus/system.ts";
import { type Forge, makeForge } from "./forge.ts";
import { makeWorld, type World } from "./world.ts";

/** Classes in which every case must pass. */
const REQUIRED = ["host-identity", "dns-ip-class", "run-auth", "fail-closed", "git-relay", "socks5"];
/** How many of all cases passed when this was last raised. It may only rise. Eleven of them need a real sandbox. */
const PASSED_BEFORE = noBubblewrap === null ? 138 : 127;
/** A case that hangs is a failed case, not a failed run. A sandbox's door waits for a gateway that may come back. */
const longestMs = ({ input }: CorpusCase): number => (input.event === "SIGKILL gateway" ? HOLD_MS + 20_000 : 10_000);

const file = process.env.EGRESS_CORPUS ?? path.join(import.meta.dirname, "..", "fixtures", "egress-attacks.yaml");
const corpus = loadCorpus(file);
const rules = fixtureRules(corpus);
/** For work on single cases: their ids, with commas. */
const only = process.env.EGRESS_ONLY?.split(",");
const wanted = corpus.cases.filter((each) => only?.includes(each.id) ?? true);

interface Result {
  readonly each: CorpusCase;
  /** `null`: not tried here. */
  readonly differences: readonly string[] | null;
}
const results: Result[] = [];
let world: World;
let impatient: World;
let forge: Forge;
let brokered: Brokered;
let around: Around | null;

async function attempt(each: CorpusCase): Promise<Outcome | null> {
  switch (each.via) {
    case "git":
      return await tryGit(world, forge, each);
    case "model":
      return await tryModel(each);
    case "system":
      return await trySystem(rules, each);
    case "policy":
      return tryPolicy(each);
    case "sandbox":
      return around && (await tryAround(world, around, each));
    default:
      if (isBrokered(each)) return await tryBroker(brokered, rules, each);
      return await tryNetwork(each.input.trickle_ms === undefined ? world : impatient, rules, each);
  }
}

async function withoutHanging(each: CorpusCase): Promise<Outcome | null> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const timer = setTimeout(
    () => resolve({ decision: "deny", reason: "hangs", faults: ["no answer"] }),
    longestMs(each),
  );
  const failed = (error: unknown): Outcome => ({ decision: "deny", reason: "error", faults: [String(error)] });
  const seen = await Promise.race([attempt(each).catch(failed), promise]);
  clearTimeout(timer);
  return seen;
}

beforeAll(async () => {
  const secrets = { get: async (name: string) => (name === "corpus" ? new Secret(name, "REAL") : null) };
  world = await makeWorld({ config: { secrets } });
  impatient = await makeWorld({ limits: { helloMs: 200 } });
  forge = await makeForge();
  brokered = await openBrokered();
  around = noBubblewrap === null ? await openAround(world, rules) : null;
  // What waits long, in a world of its own, waits while the others are tried.
  const apart = new Map(wanted.filter((each) => longestMs(each) > 10_000).map((each) => [each, withoutHanging(each)]));
  for (const each of wanted) {
    const seen = await (apart.get(each) ?? withoutHanging(each));
    results.push({ each, differences: seen && differences(each, seen) });
  }
}, 240_000);

afterAll(async () => {
  await around?.close();
  await brokered.close();
  await world.close();
  await impatient.close();
  await forge.close();
});

const passed = (result: Result) => result.differences?.length === 0;
/** Not for want of bubblewrap, without which some cannot be tried. */
const failedIn = (name: string) =>
  results.filter(
    (result) =>
      result.each.class === name && !passed(result) && !(noBubblewrap !== null && result.differences === null),
  );

test("the corpus is whole: 138 cases, and every class that must pass has its number", () => {
  const count = (name: string) => corpus.cases.filter((each) => each.class === name).length;
  expect(corpus.cases.length).toBe(138);
  expect(REQUIRED.map(count)).toEqual([27, 10, 7, 5, 11, 3]);
});

test.each(REQUIRED)("every case of class %s passes", (name) => {
  expect(failedIn(name).map((result) => [result.each.id, result.each.name, result.differences])).toEqual([]);
});

test.skipIf(noBubblewrap !== null)("every case of class around passes", () => {
  expect(failedIn("around").map((result) => [result.each.id, result.each.name, result.differences])).toEqual([]);
});

test("no case that is to be denied is let through to an origin", () => {
  const through = results.filter((result) =>
    result.differences?.some((text) => text.startsWith("upstream connections: expected 0")),
  );
  expect(through.map((result) => [result.each.id, result.differences])).toEqual([]);
});

test("no fewer cases pass than before", () => {
  console.log(table());
  const failed = results.filter((result) => result.differences !== null && !passed(result));
  for (const { each, differences } of failed) console.log(`${each.id} ${each.name}: ${differences?.join("; ")}`);
  expect(results.filter(passed).length).toBeGreaterThanOrEqual(only ? only.length : PASSED_BEFORE);
});

function table(): string {
  const lines = [`egress corpus: ${results.filter(passed).length} of ${results.length} pass`];
  for (const name of new Set(results.map((result) => result.each.class))) {
    const mine = results.filter((result) => result.each.class === name);
    const failed = mine
      .filter((result) => result.differences !== null && !passed(result))
      .map((result) => result.each.id);
    const untried = mine.filter((result) => result.differences === null).length;
    const notes = [
      failed.length > 0 ? `failed: ${failed.join(" ")}` : "",
      untried > 0 ? `not tried here: ${untried}` : "",
    ];
    lines.push(
      `  ${name.padEnd(14)} ${String(mine.filter(passed).length).padStart(3)} of ${mine.length}  ${notes.filter(Boolean).join("; ")}`,
    );
  }
  return lines.join("\n");
}

// Flips the lines that keep people safe, one at a time, in a copy of the last commit; each must turn a test red.
//   npm run mutations              all of them; the summary is kept in bench/results/mutations.json
//   npm run mutations -- WORD      those whose name or file has WORD
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { MUTATIONS } from "./mutations/all.ts";
import { makeCopy } from "./mutations/copy.ts";
import type { Mutation } from "./mutations/mutation.ts";
import { runTests } from "./mutations/tests.ts";

interface Result {
  readonly mutation: Mutation;
  /** "broken": nothing ran that could have noticed, which is as bad as "survived". */
  readonly verdict: "red" | "survived" | "broken";
  readonly detail: string;
  readonly ms: number;
}

const root = path.resolve(import.meta.dirname, "..");
const word = process.argv[2] ?? "";
const wanted = MUTATIONS.filter(({ name, file }) => name.includes(word) || file.includes(word));
const copy = makeCopy(root);
process.once("exit", copy.remove);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

async function tried(mutation: Mutation): ReturnType<typeof runTests> {
  let restore: () => void;
  try {
    restore = copy.apply(mutation);
  } catch (error) {
    return { failed: [], passed: [], broken: String(error) };
  }
  const ran = await runTests(copy, [mutation.red]);
  restore();
  return ran;
}

const results: Result[] = [];
for (const mutation of wanted) {
  const began = Date.now();
  const ran = await tried(mutation);
  const [noticed] = ran.failed.filter((title) => title.includes(mutation.red.test));
  const heard = ran.passed.some((title) => title.includes(mutation.red.test));
  const verdict = noticed !== undefined ? "red" : heard ? "survived" : "broken";
  const detail =
    noticed ?? (heard ? `green: ${mutation.red.test}` : (ran.broken ?? `no such test: ${mutation.red.test}`));
  results.push({ mutation, verdict, detail, ms: Date.now() - began });
  const mark = { red: "red     ", survived: "SURVIVED", broken: "BROKEN  " }[verdict];
  console.log(`${mark} ${mutation.name}\n         ${mutation.file} | ${detail.replaceAll("\n", "\n         ")}`);
}

console.log("The same tests with every line as it is:");
const began = Date.now();
const untouched = await runTests(
  copy,
  wanted.map(({ red }) => red),
);
const red = wanted.map((each) => each.red.test);
const failed = untouched.failed.filter((title) => red.some((test) => title.includes(test)));
const unheard = [...new Set(red.filter((test) => !untouched.passed.some((title) => title.includes(test))))];
for (const title of failed) console.log(`RED      ${title}`);
for (const title of unheard) console.log(`NOT RUN  ${title}`);
if (untouched.broken !== null) console.log(`BROKEN   ${untouched.broken}`);
const sound = failed.length === 0 && unheard.length === 0 && untouched.broken === null;
if (sound) console.log(`green    ${untouched.passed.length} tests, ${Date.now() - began} ms`);

const bad = results.filter(({ verdict }) => verdict !== "red");
if (word === "") {
  const summary = {
    commit: copy.commit,
    at: new Date().toISOString(),
    red: results.length - bad.length,
    survived: bad.map(({ mutation }) => mutation.name),
    untouched: sound ? "green" : "not green",
    mutations: results.map(({ mutation: { name, file, red }, verdict, detail, ms }) => ({
      name,
      file,
      verdict,
      test: verdict === "red" ? detail : red.test,
      testFile: red.file,
      ...(red.cases === undefined ? {} : { cases: red.cases }),
      ms,
    })),
  };
  const kept = path.join(root, "bench", "results", "mutations.json");
  mkdirSync(path.dirname(kept), { recursive: true });
  writeFileSync(kept, `${JSON.stringify(summary, null, 2)}\n`);
}
console.log(`${results.length - bad.length} of ${results.length} flipped lines turned a test red.`);
if (bad.length > 0 || !sound || wanted.length === 0) process.exitCode = 1;

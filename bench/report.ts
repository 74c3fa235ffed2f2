import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import path from "node:path";

/** Figures of one subject, by name, in the unit that the name says: "p50 ms", "MB". */
export type Figures = Readonly<Record<string, number>>;

/** One measurement beside its peer's, both made in the same run: only their ratio means something on another machine. */
export interface Measured {
  /** What was measured: "PGlite, 1/s". */
  readonly what: string;
  readonly ours: Figures;
  /** `null` where nothing comparable exists; then the bench says so in `peer`. */
  readonly theirs: Figures | null;
  /** Ours divided by theirs, for the figures where a ratio says something. */
  readonly ratio: Figures;
  /** What is promised of it. */
  readonly goals: readonly Goal[];
}

/** A figure that should be at most so much, in its own unit, or at most so many times the peer's. */
export interface Goal {
  readonly figure: string;
  readonly most?: number;
  readonly mostRatio?: number;
}

/** A claim that can be measured: one file, one named peer. */
export interface Bench {
  readonly name: string;
  /** What is claimed, in one sentence. */
  readonly claim: string;
  /** What it is measured against. */
  readonly peer: string;
  run(): Promise<readonly Measured[]>;
}

/** Percentiles of samples; p99 of fewer than 100 is the largest. Rounded to a tenth. */
export function spread(samples: readonly number[]): { p50: number; p99: number; max: number } {
  if (samples.length === 0) throw new Error("nothing was measured");
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (part: number) => tenth(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

export const tenth = (value: number): number => Math.round(value * 10) / 10;

/** Ratios of the named figures. */
export function ratios(ours: Figures, theirs: Figures, names: readonly string[]): Figures {
  return Object.fromEntries(
    names.map((name) => [name, Math.round(((ours[name] ?? Number.NaN) / (theirs[name] ?? Number.NaN)) * 100) / 100]),
  );
}

export function print(bench: Bench, measured: readonly Measured[]): void {
  console.log(`\n${bench.name}: ${bench.claim}\n  beside: ${bench.peer}`);
  const rows = measured.flatMap(({ what, ours, theirs, ratio }) =>
    Object.entries(ours).map(([figure, value], index) => [
      index === 0 ? what : "",
      figure,
      String(value),
      theirs?.[figure] === undefined ? "" : String(theirs[figure]),
      ratio[figure] === undefined ? "" : `${ratio[figure]}x`,
    ]),
  );
  const table = [["", "", "ours", "peer", "ratio"], ...rows];
  const width = (column: number) => Math.max(...table.map((row) => row[column]?.length ?? 0));
  const widths = [0, 1, 2, 3, 4].map(width);
  for (const row of table) {
    const cells = row.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    );
    console.log(`  ${cells.join("  ").trimEnd()}`);
  }
}

const FOLDER = path.join(import.meta.dirname, "results");

interface Result {
  readonly bench: string;
  readonly claim: string;
  readonly peer: string;
  /** The commit that was measured, with "+" where the work tree had changes. */
  readonly commit: string;
  readonly date: string;
  readonly node: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly measured: readonly Measured[];
}

/** Keeps the figures beside the code. Of the machine nothing but its cores and its memory. Returns one line of JSON. */
export function keep(bench: Bench, measured: readonly Measured[]): string {
  mkdirSync(FOLDER, { recursive: true });
  const result: Result = {
    bench: bench.name,
    claim: bench.claim,
    peer: bench.peer,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    measured,
  };
  writeFileSync(path.join(FOLDER, `${bench.name}.json`), `${JSON.stringify(result, null, 2)}\n`);
  return JSON.stringify(result);
}

/** Figures of other benches, written a moment ago in this folder, are no change of what is measured. */
function commit(): string {
  const git = (...words: string[]) => execFileSync("git", words, { cwd: import.meta.dirname, encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "--", ":/", ":(exclude,top)bench/results");
  return git("rev-parse", "--short=12", "HEAD") + (changed === "" ? "" : "+");
}

/** Writes results/README.md from what is kept of each of these benches. */
export function summarise(benches: readonly Bench[]): void {
  const results = benches.flatMap(({ name }) => read(path.join(FOLDER, `${name}.json`)));
  const lines = [
    "# What was measured",
    "",
    "Written by `npm run bench`; the JSON files beside it have every figure. Each row was measured together with its peer,",
    "in the same run on the same machine: on another machine only the ratio means something.",
    "",
    "| what | ours | peer | ratio | goal | met |",
    "| --- | ---: | ---: | ---: | --- | --- |",
    ...results.flatMap(({ bench, measured }) => measured.flatMap((one) => rowsOf(bench, one))),
    "",
    ...results.flatMap(({ bench, claim, peer, ...on }) => [
      `- **${bench}**: ${claim}. Beside: ${peer}. (${on.commit}, ${on.date}, ${on.cores} cores, ${on.memoryGiB} GiB, Node ${on.node})`,
    ]),
    "",
  ];
  writeFileSync(path.join(FOLDER, "README.md"), lines.join("\n"));
}

function read(file: string): Result[] {
  try {
    return [JSON.parse(readFileSync(file, "utf8")) as Result];
  } catch (error) {
    // It was never run.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

function rowsOf(bench: string, { what, ours, theirs, ratio, goals }: Measured): string[] {
  return goals.map(({ figure, most, mostRatio }) => {
    const [own, times] = [ours[figure] ?? Number.NaN, ratio[figure] ?? Number.NaN];
    const goal = [mostRatio && `at most ${mostRatio}x`, most && `under ${most}`].filter(Boolean).join(", ");
    const met = (mostRatio === undefined || times <= mostRatio) && (most === undefined || own < most);
    const peer = theirs?.[figure];
    const factor = Number.isNaN(times) ? "" : `${times}x`;
    const said = goal === "" ? "reported |" : `${goal} | ${met ? "yes" : "**no**"}`;
    return `| ${bench}, ${what}: ${figure} | ${own} | ${peer ?? ""} | ${factor} | ${said} |`;
  });
}

import type { Position } from "./decision.ts";

/** The lines of a policy file that a position stands for. */
export interface Excerpt {
  readonly file: string;
  /** Of the first line, from 1. */
  readonly line: number;
  /** As written, without the indentation that all of them have. */
  readonly lines: readonly string[];
  /** How many lines of the entry are left out. */
  readonly more: number;
}

const MOST_LINES = 8;

/**
 * The whole entry that begins at `at`: its line, and those below that are indented under it. `null` for what stands in no
 * file ("baseline"), or in one that nobody kept.
 */
export function excerptOf(sources: Readonly<Record<string, string>>, at: Position): Excerpt | null {
  const [, file = "", number = "0"] = /^(.+):(\d+):\d+$/.exec(at) ?? [];
  const all = Object.hasOwn(sources, file) ? (sources[file] ?? "").split("\n") : [];
  const first = all[Number(number) - 1];
  if (first === undefined) return null;
  const lead = indentation(first);
  const below = all.slice(Number(number));
  const end = below.findIndex((line) => line.trim() !== "" && indentation(line) <= lead);
  const entry = [first, ...(end === -1 ? below : below.slice(0, end))];
  while (entry.at(-1)?.trim() === "") entry.pop();
  return {
    file,
    line: Number(number),
    lines: entry.slice(0, MOST_LINES).map((line) => line.slice(lead).trimEnd()),
    more: Math.max(0, entry.length - MOST_LINES),
  };
}

const indentation = (line: string): number => line.length - line.trimStart().length;

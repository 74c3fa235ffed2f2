import { type Document, isAlias, isMap, isScalar, isSeq, type Node, parseDocument } from "yaml";
import type { Position } from "#policy/decision.ts";
import type { PolicyProblem } from "#policy/policy.ts";
import { aliasWords, believed, tagWords, yamlWords } from "./yaml-words.ts";

const MAX_BYTES = 256 * 1024;
/** Lines, commas, brackets and the like. What a person writes has fewer, and each costs the parser its time. */
const MAX_PARTS = 40_000;
const MAX_DEPTH = 16;
const TOO_DEEP = `nests deeper than ${MAX_DEPTH} levels - write it flatter`;

export type Path = readonly (string | number)[];

/** One parsed file: plain values, and where each of them stands. */
export interface Source {
  readonly file: string;
  readonly value: unknown;
  /** Of the value at `path`, or of its nearest ancestor that exists. */
  at(path: Path): Position;
  /** Of the key itself, when `path` ends in one. */
  keyAt(path: Path): Position;
}

interface Place {
  readonly key: number;
  readonly value: number;
}

type Report = (offset: number, message: string) => void;

function parts(text: string): number {
  return text.match(/[\n\r[\]{},:?]|-(?=\s)/g)?.length ?? 0;
}

/** Turns the YAML tree into plain values; what YAML has and we refuse is reported with its place. */
function plain(root: Node | null, places: Map<string, Place>, report: Report): unknown {
  const walk = (node: unknown, path: Path, keyAt: number): unknown => {
    const from = (node as Node | null)?.range?.[0] ?? keyAt;
    places.set(JSON.stringify(path), { key: keyAt, value: from });
    if (isAlias(node)) return report(from, aliasWords(node.source));
    if (isScalar(node) || isMap(node) || isSeq(node)) {
      if (node.anchor !== undefined) report(from, "anchors (&name) are not read - write the value again");
      if (node.tag !== undefined) report(from, tagWords(node.tag));
    }
    if (path.length > MAX_DEPTH) return report(from, TOO_DEEP);
    if (isScalar(node)) return node.value;
    if (isSeq(node)) return node.items.map((item, index) => walk(item, [...path, index], from));
    if (!isMap(node)) return null;
    const out: Record<string, unknown> = {};
    const seen = new Set<string>();
    for (const pair of node.items) {
      const offset = (pair.key as Node | null)?.range?.[0] ?? from;
      if (!isScalar(pair.key) || typeof pair.key.value !== "string") {
        report(offset, "a key must be plain text - put quotes around it");
      } else if (pair.key.value === "<<") {
        report(offset, "merge keys (<<) are not read - write the keys out");
      } else if (pair.key.value === "__proto__") {
        report(offset, 'the key "__proto__" is not read - use another name');
      } else {
        if (pair.key.anchor !== undefined) report(offset, "anchors (&name) are not read - write the value again");
        if (pair.key.tag !== undefined) report(offset, tagWords(pair.key.tag));
        // The parser's own look for repeats takes the square of the keys.
        if (seen.has(pair.key.value)) report(offset, "this key is already set above - keep one of them");
        seen.add(pair.key.value);
        const next = [...path, pair.key.value];
        out[pair.key.value] = walk(pair.value, next, offset);
      }
    }
    return out;
  };
  return walk(root, [], 0);
}

/** Where an offset stands. The parser's own counter of lines is off after some broken lines. */
function positions(file: string, text: string): (offset: number) => Position {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return `${file}:${low + 1}:${offset - (starts[low] as number) + 1}`;
  };
}

function parse(text: string): Document.Parsed | null {
  try {
    return parseDocument(text, {
      prettyErrors: false,
      schema: "core",
      version: "1.2",
      merge: false,
      strict: true,
      uniqueKeys: false,
      stringKeys: true,
    });
  } catch (error) {
    // The parser recurses per level; a hostile file ends its stack.
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Reads one hardened YAML file: no anchors, aliases, merge keys, tags, directives or repeated keys; at most 256 KB. */
export function readDocument(
  file: string,
  text: string,
): { source: Source | null; problems: readonly PolicyProblem[] } {
  const start = `${file}:1:1`;
  if (Buffer.byteLength(text) > MAX_BYTES) {
    return {
      source: null,
      problems: [
        { at: start, message: `is larger than ${MAX_BYTES / 1024} KB - split it: each team has a file of its own` },
      ],
    };
  }
  if (parts(text) > MAX_PARTS) {
    const message = `has more than ${MAX_PARTS.toLocaleString("en")} parts - split it: each team has a file of its own`;
    return { source: null, problems: [{ at: start, message }] };
  }
  const document = parse(text);
  if (document === null) return { source: null, problems: [{ at: start, message: TOO_DEEP }] };

  const problems: PolicyProblem[] = [];
  const position = positions(file, text);
  const report: Report = (offset, message) => {
    problems.push({ at: position(offset), message });
  };
  // Every tag is reported by the walk below, resolved or not.
  const errors = [...document.errors, ...document.warnings].filter(({ code }) => code !== "TAG_RESOLVE_FAILED");
  const syntax = believed(errors);
  for (const error of syntax.errors) report(error.pos[0], yamlWords(error));
  const first = text.split("\n").find((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
  if (first?.startsWith("%")) report(text.indexOf(first), "directives (%YAML, %TAG) are not read - remove the line");

  if (syntax.lost) return { source: null, problems };

  const places = new Map<string, Place>();
  const value = plain(document.contents, places, report);
  if (problems.length > 0) return { source: null, problems };
  const place = (path: Path): Place | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const found = places.get(JSON.stringify(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    source: {
      file,
      value,
      at: (path) => position(place(path)?.value ?? 0),
      keyAt: (path) => position(place(path)?.key ?? 0),
    },
    problems,
  };
}

import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import type { Position } from "./decision.ts";
import type { PolicyProblem } from "./policy.ts";
import { aliasWords, firstCauses, tagWords, yamlWords } from "./yaml-words.ts";

const MAX_BYTES = 256 * 1024;
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
        const next = [...path, pair.key.value];
        out[pair.key.value] = walk(pair.value, next, offset);
      }
    }
    return out;
  };
  return walk(root, [], 0);
}

function parse(text: string, lines: LineCounter): Document.Parsed | null {
  try {
    return parseDocument(text, {
      lineCounter: lines,
      prettyErrors: false,
      schema: "core",
      version: "1.2",
      merge: false,
      strict: true,
      uniqueKeys: true,
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
  const lines = new LineCounter();
  const document = parse(text, lines);
  if (document === null) return { source: null, problems: [{ at: start, message: TOO_DEEP }] };

  const problems: PolicyProblem[] = [];
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(line, 1)}:${Math.max(col, 1)}`;
  };
  const report: Report = (offset, message) => {
    problems.push({ at: position(offset), message });
  };
  // Every tag is reported by the walk below, resolved or not.
  const errors = [...document.errors, ...document.warnings].filter(({ code }) => code !== "TAG_RESOLVE_FAILED");
  for (const error of firstCauses(errors)) report(error.pos[0], yamlWords(error));
  const first = text.split("\n").find((line) => line.trim() !== "" && !line.trimStart().startsWith("#"));
  if (first?.startsWith("%")) report(text.indexOf(first), "directives (%YAML, %TAG) are not read - remove the line");

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

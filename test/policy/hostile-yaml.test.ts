import fc from "fast-check";
import { expect, test } from "vitest";
import { policyCases } from "#policy/load/cases.ts";
import { type Loaded, loadPolicy } from "#policy/load/load.ts";
import { readRepositoryFile } from "#policy/load/repository-file.ts";
import type { PolicyProblem } from "#policy/policy.ts";
import { load, ORG, sampleFiles, teamFile } from "#test/policy/sample.ts";

const LIMIT = 256 * 1024;
const samples = sampleFiles();
const names = [...samples.keys()];

/** Every problem has a real place and a sentence, and there are never more than a person could read. */
function sound(problems: readonly PolicyProblem[], files: ReadonlyMap<string, string>): void {
  const perFile = Map.groupBy(problems, ({ at }) => at.slice(0, at.indexOf(":")));
  for (const [file, some] of perFile) {
    expect(some.length).toBeLessThanOrEqual(101);
    const lines = (files.get(file) ?? "").split("\n");
    for (const { at, message } of some) {
      const [, line = 0, col = 0] = at.split(":").map(Number);
      expect(at).toMatch(/:[1-9]\d*:[1-9]\d*$/);
      expect(line).toBeLessThanOrEqual(lines.length);
      expect(col).toBeLessThanOrEqual((lines[line - 1] ?? "").length + 1);
      expect(message.length).toBeGreaterThan(5);
      expect(message.length).toBeLessThan(3_000);
      expect(message).not.toMatch(/undefined|\[object|Invalid input|Unrecognized/);
    }
  }
}

function attempt(files: ReadonlyMap<string, string>): Loaded {
  const result = loadPolicy(files, { commit: "c0ffee" });
  sound(result.ok ? [] : result.problems, files);
  sound(policyCases(files).problems, files);
  return result;
}

const TRAPS = [
  ...["no", "on", "~", "null", ".inf", ".nan", "0x10", "0o7", "1e3", "1_000", "-0", "2027-01-01", "true", "1.0", "''"],
  ...[
    "&a 1",
    "*a",
    "*a.b",
    "!!str 1",
    "!x y",
    "<<: {a: 1}",
    "<<",
    "? ",
    "? [a]: b",
    "@x",
    "`x`",
    "%TAG ! x",
    "---",
    "...",
  ],
  ...["{", "}", "[", "]", ",", ":", ": ", "- ", "# ", "|\n", ">\n", "|9\n", '"', "'", "\\", '"\\x0"', '"\\u{1}"', "\t"],
  ...["__proto__: {}", "constructor: {}", "toString: 1", "hasOwnProperty: 1", "\u0000", "\u0007", "\ud800", "\u2028"],
  ...["\u202e", "\ufeff", "\r", "\r\n", "\u0085", "é", "e\u0301", "\u212a", "/".repeat(50), "*".repeat(90)],
  ...[
    "a".repeat(2_001),
    "[".repeat(40),
    "{a: ".repeat(40),
    "- ".repeat(40),
    "999999999999999999999",
    "1e999",
    "0".repeat(400),
  ],
];

/** One edit of a text: something goes, something comes, something is there twice. */
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  cut: fc.integer({ min: 0, max: 12 }),
  put: fc.oneof(fc.constantFrom(...TRAPS), fc.string({ maxLength: 6, unit: "binary" }), fc.constant("")),
  repeat: fc.integer({ min: 1, max: 3 }),
});

function edited(text: string, edits: readonly { at: number; cut: number; put: string; repeat: number }[]): string {
  return edits.reduce((now, { at, cut, put, repeat }) => {
    const from = Math.floor(at * now.length);
    return now.slice(0, from) + put.repeat(repeat) + now.slice(from + cut);
  }, text);
}

test("a sample file with something in it that does not belong loads, or is complained about with its places", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.array(edit, { minLength: 1, maxLength: 4 }), (name, edits) => {
      const files = new Map(samples);
      files.set(name, edited(samples.get(name) ?? "", edits));
      if (!attempt(files).ok) refused += 1;
    }),
    { numRuns: 200 },
  );
  expect(refused).toBeGreaterThan(50);
});

test("a value that YAML would read as something else is said, wherever it stands", () => {
  const traps = TRAPS.filter((trap) => !trap.includes("\n"));
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.nat(), fc.constantFrom(...traps), (name, nth, trap) => {
      const text = samples.get(name) ?? "";
      const values = [...text.matchAll(/: ([^\s{[#][^,}\]\n]*)/g)];
      const value = values[nth % Math.max(values.length, 1)];
      if (value === undefined) return;
      const at = value.index + 2;
      const files = new Map(samples);
      files.set(name, text.slice(0, at) + trap + text.slice(at + (value[1] ?? "").length));
      attempt(files);
    }),
    { numRuns: 150 },
  );
});

test("any bytes are a policy or are complained about", () => {
  const bytes = fc.uint8Array({ maxLength: 400 }).map((some) => Buffer.from(some).toString("utf8"));
  const wild = fc.string({ maxLength: 200, unit: "binary" });
  const words = fc.array(fc.constantFrom(...TRAPS, "rules", "deny", "git.path", "a", " ", "\n", "  "), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(
      fc.oneof(
        bytes,
        wild,
        words.map((some) => some.join("")),
      ),
      (text) => {
        for (const files of [
          new Map([["org.yaml", text]]),
          new Map([
            ["org.yaml", ORG],
            ["teams/shop.yaml", teamFile(text)],
            ["recipes/a.yaml", text],
            ["tests/a.test.yaml", text],
          ]),
        ]) {
          attempt(files);
        }
        const read = readRepositoryFile(text);
        sound(read.ok ? [] : read.problems, new Map([[".countersign.yaml", text]]));
      },
    ),
    { numRuns: 150 },
  );
});

/** As much of it as a file may have. */
function filled(line: (index: number) => string, parts: number): string {
  const lines: string[] = [];
  for (let i = 0, size = 0, count = 0; ; i += 1) {
    const next = line(i);
    size += Buffer.byteLength(next);
    count += next.match(/[\n\r[\]{},:?]|-(?=\s)/g)?.length ?? 0;
    if (size > LIMIT - 200 || count > parts) return lines.join("");
    lines.push(next);
  }
}

/** Each grows with the size of the file, and none with its square: a file is refused before that, or read in one go. */
const LARGE: Record<string, (parts: number) => string> = {
  "keys without end": (parts) => filled((i) => `k${i}: 1\n`, parts),
  "one key again and again": (parts) => filled(() => "a: 1\n", parts),
  "keys in one line": (parts) => `{${filled((i) => `k${i}: 1, `, parts)}}`,
  "a list in one line": (parts) => `[${filled(() => "1, ", parts)}]`,
  "brackets that open": (parts) => "[".repeat(parts),
  "brackets that open and close": (parts) => "[".repeat(parts / 2) + "]".repeat(parts / 2),
  "braces that open": (parts) => "{a: ".repeat(parts / 2),
  "dashes in one line": (parts) => "- ".repeat(parts),
  "question marks": (parts) => "? ".repeat(parts),
  "a scalar as long as the file": () => `why: ${"x".repeat(LIMIT - 200)}`,
  "escapes as long as the file": () => `why: "${"\\n".repeat(LIMIT / 2 - 200)}"`,
  anchors: (parts) => filled((i) => `a${i}: &x${i} 1\n`, parts),
  "aliases of one anchor": (parts) => `a: &a 1\nb: [${filled(() => "*a, ", parts)}]`,
  "aliases of aliases": () =>
    `a0: &a0 x\n${Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]\n`).join("")}`,
  tags: (parts) => filled((i) => `a${i}: !t 1\n`, parts),
  "merge keys": (parts) => filled(() => "<<: {a: 1}\n", parts),
  documents: (parts) => filled(() => "---\na: 1\n", parts),
  tabs: (parts) => filled(() => "\ta: 1\n", parts),
  comments: (parts) => filled(() => "# x\n", parts),
};

const PARTS = 40_000;

test.each(Object.entries(LARGE))("%s: said in at most a hundred mistakes", (_what, of) => {
  const text = of(PARTS / 8);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LIMIT);
  expect(
    attempt(
      new Map([
        ["org.yaml", ORG],
        ["teams/shop.yaml", text],
      ]),
    ).ok,
  ).toBe(false);
  const read = readRepositoryFile(text);
  sound(read.ok ? [] : read.problems, new Map([[".countersign.yaml", text]]));
});

test("a file of more parts than a person writes is not read at all", () => {
  for (const text of ["[".repeat(PARTS + 1), "k: 1\n".repeat(PARTS), "- ".repeat(PARTS + 1)]) {
    expect(load(text)).toEqual({
      ok: false,
      problems: [
        {
          at: "teams/shop.yaml:1:1",
          message: "has more than 40,000 parts - split it: each team has a file of its own",
        },
      ],
    });
  }
});

test("of very many mistakes the first hundred are said, and how many follow", () => {
  const result = load(teamFile(`rules:\n${"  - deny: {git.pth: a}\n".repeat(300)}`));
  const said = result.ok ? [] : result.problems;
  expect(said).toHaveLength(101);
  expect(said.at(-1)).toEqual({
    at: "teams/shop.yaml:106:12",
    message: "and 200 more from here on - mend the ones above first",
  });
});

test("a file above 256 KB is not read, one of exactly so much is", () => {
  const head = teamFile("# ");
  const exact = head + "x".repeat(LIMIT - head.length);
  expect(load(exact).ok).toBe(true);
  expect(load(`${exact}x`)).toEqual({
    ok: false,
    problems: [
      { at: "teams/shop.yaml:1:1", message: "is larger than 256 KB - split it: each team has a file of its own" },
    ],
  });
  // In bytes, not in letters.
  expect(load(head + "é".repeat(LIMIT / 2)).ok).toBe(false);
});

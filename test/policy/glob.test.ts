import fc from "fast-check";
import { expect, test } from "vitest";
import {
  containsPath,
  containsText,
  fold,
  matchesPath,
  matchesText,
  pathGlob,
  pathGlobProblem,
} from "#policy/match/glob.ts";

/** The meaning of a text pattern, spelled out and slow. */
function naiveText(pattern: string, text: string): boolean {
  if (pattern === "") return text === "";
  if (pattern[0] === "*")
    return naiveText(pattern.slice(1), text) || (text !== "" && naiveText(pattern, text.slice(1)));
  return text !== "" && pattern[0] === text[0] && naiveText(pattern.slice(1), text.slice(1));
}

/** The meaning of a path pattern, spelled out and slow. */
function naivePath(pattern: readonly string[], path: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return path.length === 0;
  if (first === "**" && rest.length === 0) return path.length > 0;
  if (first === "**") return naivePath(rest, path) || (path.length > 0 && naivePath(pattern, path.slice(1)));
  return path[0] !== undefined && naiveText(first, path[0]) && naivePath(rest, path.slice(1));
}

const letters = (alphabet: string, max: number) => fc.string({ unit: fc.constantFrom(...alphabet), maxLength: max });
const segment = fc.oneof(
  fc.constant("**"),
  letters("ab*", 4).filter((text) => !text.includes("**") && text !== ""),
);
const pattern = fc.array(segment, { minLength: 1, maxLength: 5 }).map((segments) => segments.join("/"));
const file = fc
  .array(
    letters("ab", 3).filter((text) => text !== ""),
    { minLength: 1, maxLength: 5 },
  )
  .map((segments) => segments.join("/"));

test("the text matcher says what the naive one says", () => {
  fc.assert(
    fc.property(letters("ab*", 7), letters("ab*", 9), (glob, text) => {
      expect(matchesText(glob, text)).toBe(naiveText(glob, text));
    }),
    { numRuns: 3_000 },
  );
});

test("the path matcher says what the naive one says", () => {
  fc.assert(
    fc.property(pattern, file, (glob, path) => {
      expect(matchesPath(pathGlob(glob), path)).toBe(naivePath(glob.split("/"), path.split("/")));
    }),
    { numRuns: 5_000 },
  );
});

test("what a contained path pattern matches, the containing one matches", () => {
  let contained = 0;
  fc.assert(
    fc.property(pattern, pattern, fc.array(file, { minLength: 10, maxLength: 10 }), (outer, inner, files) => {
      if (!containsPath(pathGlob(outer), pathGlob(inner))) return;
      contained++;
      for (const path of files) {
        if (matchesPath(pathGlob(inner), path)) expect(matchesPath(pathGlob(outer), path)).toBe(true);
      }
    }),
    { numRuns: 5_000 },
  );
  expect(contained).toBeGreaterThan(100);
});

test("what a contained text pattern matches, the containing one matches, and a no has a counterexample", () => {
  fc.assert(
    fc.property(letters("a*", 4), letters("a*", 4), letters("ab", 6), (outer, inner, text) => {
      if (containsText(outer, inner)) {
        if (matchesText(inner, text)) expect(matchesText(outer, text)).toBe(true);
      } else {
        // "b" is a letter neither pattern has.
        expect(matchesText(outer, inner.replaceAll("*", "b"))).toBe(false);
      }
    }),
    { numRuns: 3_000 },
  );
});

test.each([
  ["docs/**", "docs/a/b.md", true],
  ["docs/**", "docs", false],
  ["docs/*", "docs/a/b.md", false],
  ["**/CODEOWNERS", "CODEOWNERS", true],
  ["**/CODEOWNERS", "a/b/CODEOWNERS", true],
  ["**/CODEOWNERS", "a/CODEOWNERS/b", false],
  ["a/**/z", "a/z", true],
  ["a/**/z", "a/b/c/z", true],
  ["*.md", ".md", true],
  ["*.md", "a/b.md", false],
  ["**", ".env", true],
  ["src/*/index.*", "src/cart/index.js", true],
  ["docs/**/*", "docs/a/b.md", true],
  ["docs/**", "docs.md", false],
  ["do*s/**", "dots/a", true],
  ["docs/a.md", "docs/a.md", true],
  ["docs/a.md", "docs/a.md/b", false],
  // No policy holds it, and it must not be read as `b/**`.
  ["b**/*", "bc", false],
  ["b**/*", "bc/d/e", false],
])("%s on %s is %s", (glob, path, matches) => {
  expect(matchesPath(pathGlob(glob), path)).toBe(matches);
});

test.each([
  ["acme/*", "acme/site", true],
  ["acme/*", "acme/helm-*", true],
  ["acme/helm-*", "acme/*", false],
  ["acme/*", "*/site", false],
  ["**", "a/**/b", true],
  ["a/**", "**", false],
  ["a/**/b", "a/*/b", true],
  ["a/*/b", "a/**/b", false],
])("%s holds all of %s: %s", (outer, inner, holds) => {
  expect(containsPath(pathGlob(outer), pathGlob(inner))).toBe(holds);
});

test("a hostile pattern costs no more than its length times the text's", () => {
  // With a backtracking matcher this test does not end.
  expect(matchesText(`${"*a".repeat(200)}b`, "a".repeat(4_000))).toBe(false);
  expect(matchesPath(pathGlob(`${"**/a/".repeat(100)}b`), `${"a/".repeat(1_000)}c`)).toBe(false);
});

test("one name in two compositions and two cases is one path", () => {
  expect(fold("CAFE\u0301.md")).toBe(fold("caf\u00e9.MD"));
});

test.each([
  ["src/[ab].ts", 'has "[" - only * (inside one segment) and ** (any depth) are wildcards'],
  ["src/a**", 'has "**" inside a segment - write it as a segment of its own, like "docs/**"'],
  ["a/../b", 'has a "." or ".." segment - write the path without it'],
  ["src/**", null],
])("the pattern %s is complained about: %s", (glob, problem) => {
  expect(pathGlobProblem(glob)).toBe(problem);
});

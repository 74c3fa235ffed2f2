import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { MUTATIONS } from "#scripts/mutations/all.ts";
import { imports, root } from "./borders.ts";

const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** A test file's source with that of what it imports of `test`, since a contract's sentences stand in a file of their own. */
function sourceOf(file: string, known = new Set<string>()): string {
  known.add(file);
  const of = imports(file).flatMap((specifier) => {
    if (specifier.startsWith("#test/")) return [specifier.slice(1)];
    return specifier.startsWith("./") ? [path.posix.join(path.posix.dirname(file), specifier)] : [];
  });
  return [read(file), ...of.filter((each) => !known.has(each)).map((each) => sourceOf(each, known))].join("\n");
}

test.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))("%s", (_name, mutation) => {
  const { file, find, replace, red } = mutation;
  expect(
    read(file).split(find).length - 1,
    `${file} has ${JSON.stringify(find)} once; if it was rewritten, say so in scripts/mutations/`,
  ).toBe(1);
  expect(replace).not.toBe(find);
  expect(existsSync(path.join(root, red.file)), red.file).toBe(true);
  expect(sourceOf(red.file).includes(red.test), `${red.file}, or a contract of it, says "${red.test}"`).toBe(true);
});

test("no line is flipped twice in the same way, and there are enough of them", () => {
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
  expect(new Set(MUTATIONS.map(({ file, find, replace }) => `${file}\n${find}\n${replace}`)).size).toBe(
    MUTATIONS.length,
  );
  expect(MUTATIONS.length).toBeGreaterThanOrEqual(20);
});

import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { MUTATIONS } from "#scripts/mutations/all.ts";

const root = path.resolve(import.meta.dirname, "..");
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

/** Every test's source in one text; this file is not among them. */
const tests = readdirSync(path.join(root, "test"), { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && entry.name !== "mutations.test.ts")
  .map((entry) => readFileSync(path.join(entry.parentPath, entry.name), "utf8"))
  .join("\n");

test.each(MUTATIONS.map((mutation) => [mutation.name, mutation] as const))("%s", (_name, mutation) => {
  const { file, find, replace, red } = mutation;
  expect(
    read(file).split(find).length - 1,
    `${file} has ${JSON.stringify(find)} once; if it was rewritten, say so in scripts/mutations/`,
  ).toBe(1);
  expect(replace).not.toBe(find);
  expect(existsSync(path.join(root, red.file)), red.file).toBe(true);
  expect(tests.includes(red.test), `a test says "${red.test}"`).toBe(true);
});

test("no line is flipped twice in the same way, and there are enough of them", () => {
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
  expect(new Set(MUTATIONS.map(({ file, find, replace }) => `${file}\n${find}\n${replace}`)).size).toBe(
    MUTATIONS.length,
  );
  expect(MUTATIONS.length).toBeGreaterThanOrEqual(20);
});

import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { bundle, closure } from "#adapters/sandbox/local/bundle.ts";

const files: Record<string, string> = {
  "a/main.ts": `import path from "node:path";
import { greet as hello, WHO } from "./greet.ts";
import { twice } from "#b/twice.ts";
const { late } = await import("./late.ts");
out.push(hello(WHO), twice(path.posix.join("x", "y")), late());
`,
  "a/greet.ts": `export const WHO = "world";
export async function* unused() {}
export function greet(who) { return "hello " + who; }
`,
  "a/late.ts": `import { WHO } from "./greet.ts";
export function late() { return "late " + WHO; }
`,
  "b/twice.ts": `export class Twice {}
export const twice = (text) => text + text;
`,
};
const read = (file: string) => files[file] ?? "";

test("a bundle does what its modules do", async () => {
  const out: string[] = [];
  const sources = closure("a/main.ts", read);
  expect([...sources.keys()].sort()).toEqual(Object.keys(files).sort());
  runInNewContext(bundle("a/main.ts", sources), {
    out,
    require: (name: string) => process.getBuiltinModule(name),
    console,
    process,
  });
  await expect.poll(() => out).toEqual(["hello world", "x/yx/y", "late world"]);
});

test.each([
  ["a default export", "export default 1;\n"],
  ["a list of exports", "const a = 1;\nexport { a };\n"],
  ["another file passed on", 'export * from "./b.ts";\n'],
  ["a whole module under one name", 'import * as all from "node:path";\n'],
  ["a module for its effect alone", 'import "node:path";\n'],
  ["a place on disk", "const here = import.meta.dirname;\n"],
])("%s cannot be bundled, and is not left out in silence", (_, code) => {
  expect(() => bundle("main.ts", new Map([["main.ts", code]]))).toThrow("cannot be bundled");
});

test("a package cannot be bundled", () => {
  expect(() => closure("main.ts", () => 'import { z } from "zod";\n')).toThrow("imports zod");
});

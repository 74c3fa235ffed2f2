import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findNpm, npmCommand } from "#adapters/sandbox/local/npm.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "countersign-npm-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A package as npm's own looks from outside; its program. */
function plant(at: string, name = "npm", program = "bin/npm-cli.js"): string {
  const own = path.join(folder, at);
  mkdirSync(path.dirname(path.join(own, program)), { recursive: true });
  writeFileSync(path.join(own, "package.json"), JSON.stringify({ name }));
  writeFileSync(path.join(own, program), "");
  return path.join(own, program);
}

/** A folder of PATH whose `npm` leads to `program`. */
function bin(at: string, program: string): string {
  const dir = path.join(folder, at);
  mkdirSync(dir, { recursive: true });
  symlinkSync(program, path.join(dir, "npm"));
  return dir;
}

test("npm below somebody's home is found through the link on PATH, and its package is whole", () => {
  const program = plant("home/.nvm/versions/node/v20.1.0/lib/node_modules/npm");
  const PATH = bin("home/.nvm/versions/node/v20.1.0/bin", "../lib/node_modules/npm/bin/npm-cli.js");
  expect(findNpm({ PATH: `/nowhere:${PATH}` })).toEqual({
    folder: path.resolve(program, "../.."),
    holds: "package",
    program,
  });
});

test("Debian's npm needs what lies beside it", () => {
  const program = plant("usr/share/nodejs/npm");
  expect(findNpm({ PATH: bin("usr/bin", "../share/nodejs/npm/bin/npm-cli.js") })).toEqual({
    folder: path.join(folder, "usr/share/nodejs"),
    holds: "modules",
    program,
  });
});

test("what npm says of itself comes before PATH, and another package manager that says it is passed over", () => {
  const mine = plant("mine/node_modules/npm");
  const PATH = bin("bin", plant("other/node_modules/npm"));
  expect(findNpm({ npm_execpath: mine, PATH })?.program).toBe(mine);
  const another = plant("another/node_modules/pnpm", "pnpm", "bin/pnpm.cjs");
  expect(findNpm({ npm_execpath: another, PATH })?.program).toBe(plant("other/node_modules/npm"));
});

test("a version manager's shim called npm is not npm, and the next one on PATH is taken", () => {
  const shim = bin("shims", plant("shims/manager", "manager", "bin/shim"));
  const posing = bin("posing", plant("posing/node_modules/posing", "posing"));
  const real = plant("real/node_modules/npm");
  expect(findNpm({ PATH: [shim, posing, bin("real/bin", real)].join(":") })?.program).toBe(real);
});

test("where there is no npm, none is found", () => {
  expect(findNpm({ PATH: `${folder}:relative:` })).toBeNull();
  expect(findNpm({})).toBeNull();
});

test("npm is run by the Node it came with, or by its name where that is not known", () => {
  const program = plant("lib/node_modules/npm");
  expect(npmCommand({ npm_execpath: program, npm_node_execpath: "/host/node" })).toEqual(["/host/node", program]);
  expect(npmCommand({ npm_execpath: program })).toEqual(["npm"]);
  expect(npmCommand({ npm_node_execpath: "/host/node", PATH: "" })).toEqual(["npm"]);
});

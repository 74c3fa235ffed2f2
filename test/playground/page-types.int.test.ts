import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..", "..");

test("the page's plain modules fit their written types", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "page-types-"));
  const project = path.join(folder, "tsconfig.json");
  const compilerOptions = {
    allowJs: true,
    checkJs: true,
    types: [],
    lib: ["es2024", "esnext.array", "dom", "dom.iterable"],
  };
  writeFileSync(
    project,
    JSON.stringify({
      extends: path.join(root, "tsconfig.json"),
      compilerOptions,
      include: [path.join(root, "src/playground/page/*.js")],
    }),
  );
  const { promise, resolve } = Promise.withResolvers<string>();
  execFile(
    process.execPath,
    [path.join(root, "node_modules/typescript/bin/tsc"), "-p", project],
    { cwd: root },
    (_, stdout) => resolve(stdout),
  );
  const said = await promise;
  rmSync(folder, { recursive: true, force: true });
  expect(said).toBe("");
}, 60_000);

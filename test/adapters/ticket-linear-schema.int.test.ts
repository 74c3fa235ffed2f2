import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "../..");

test("the committed input types are those of the SDK that is installed", { timeout: 120_000 }, () => {
  const made = execFileSync(process.execPath, [path.join(root, "scripts/linear-schema.ts"), "--print"], {
    encoding: "utf8",
  });
  expect(made).toBe(readFileSync(path.join(root, "test/doubles/linear/inputs.schema.json"), "utf8"));
});

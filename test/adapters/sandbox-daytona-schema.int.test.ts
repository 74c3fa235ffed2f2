import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..", "..");

test("the committed schema is what Daytona's installed client gives", async () => {
  const options = { cwd: root, maxBuffer: 1e7 };
  const made = await promisify(execFile)(process.execPath, ["scripts/daytona-schema.ts", "--print"], options);
  const committed = readFileSync(path.join(root, "test/doubles/daytona/daytona.schema.json"), "utf8");
  expect(JSON.parse(committed)).toEqual(JSON.parse(made.stdout));
}, 60_000);

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..", "..");

test("the committed schema is what Slack's installed types give", async () => {
  const made = await promisify(execFile)(process.execPath, ["scripts/slack-schema.ts", "--print"], {
    cwd: root,
    maxBuffer: 1e7,
  });
  const committed = readFileSync(path.join(root, "src/playground/slack/schema/slack.schema.json"), "utf8");
  expect(JSON.parse(committed)).toEqual(JSON.parse(made.stdout));
}, 60_000);

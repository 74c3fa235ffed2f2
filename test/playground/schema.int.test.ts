import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const root = path.resolve(import.meta.dirname, "..", "..");

test.each([
  ["calls, blocks and views", "--print", "src/playground/slack/schema/slack.schema.json"],
  ["a manifest", "--print-manifest", "test/fixtures/slack/manifest.schema.json"],
])(
  "the committed schema of %s is what Slack's installed types give",
  async (_what, flag, file) => {
    const made = await promisify(execFile)(process.execPath, ["scripts/slack-schema.ts", flag], {
      cwd: root,
      maxBuffer: 1e7,
    });
    expect(JSON.parse(readFileSync(path.join(root, file), "utf8"))).toEqual(JSON.parse(made.stdout));
  },
  60_000,
);

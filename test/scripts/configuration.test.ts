import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { SETTINGS } from "#config.ts";
import { rewritten } from "#scripts/configuration.ts";

const root = path.resolve(import.meta.dirname, "../..");
const page = readFileSync(path.join(root, "docs", "configuration.md"), "utf8");

test("the settings in the documentation are those that are read: run `node scripts/run.mjs scripts/configuration.ts` when not", () => {
  expect(page).toBe(rewritten(page));
});

test("every setting has a sentence", () => {
  expect(Object.entries(SETTINGS).filter(([, sentence]) => !/^\w.*\.$/.test(sentence))).toEqual([]);
});

test("what stands where a setting is absent is said", () => {
  expect(page).toMatch(/^\| `PORT` \| .* \| `3000` \|$/m);
  expect(page).toMatch(/^\| `DATABASE_URL` \| .* \| {2}\|$/m);
});

test("no other page of the documentation names a variable of ours that is not read", () => {
  const known = Object.keys(SETTINGS);
  const pages = ["README.md", "docs/deploy.md", "docs/signing-in.md", "docs/github.md", "docs/daytona.md"];
  const named = pages.flatMap((file) =>
    [
      ...readFileSync(path.join(root, file), "utf8").matchAll(
        /`((?:COUNTERSIGN|SLACK|GITHUB|DAYTONA|LINEAR)_[A-Z_]+)`/g,
      ),
    ].map((match) => `${file}: ${match[1]}`),
  );
  expect(named.filter((each) => !known.includes(each.split(": ")[1] ?? ""))).toEqual([]);
});

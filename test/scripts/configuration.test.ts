import { readdirSync, readFileSync } from "node:fs";
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
  // An ADR is of its day and not among them; whatever follows COUNTERSIGN_SECRET_ is a name that policy gives.
  const isRead = (name: string) => Object.hasOwn(SETTINGS, name) || name.startsWith("COUNTERSIGN_SECRET_");
  const folder = readdirSync(path.join(root, "docs")).filter((file) => file.endsWith(".md"));
  const pages = ["README.md", "CONTRIBUTING.md", ...folder.map((file) => `docs/${file}`)];
  expect(pages).toContain("docs/slack.md");
  const named = pages.flatMap((file) =>
    [
      ...readFileSync(path.join(root, file), "utf8").matchAll(
        /(?<![A-Za-z_])((?:COUNTERSIGN|SLACK|GITHUB|DAYTONA|LINEAR|NEON|DATABASE|OPENAI|ANTHROPIC)_[A-Z_]+|npm_config_[a-z_]+)(?=[`=])/g,
      ),
    ].map((match) => `${file}: ${match[1]}`),
  );
  expect(named.length).toBeGreaterThan(pages.length);
  expect(named).toContain("docs/deploy.md: npm_config_registry");
  expect(named.filter((each) => !isRead(each.split(": ")[1] ?? ""))).toEqual([]);
});

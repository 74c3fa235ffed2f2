import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { policyCommand } from "#command/policy.ts";

const page = readFileSync(path.join(import.meta.dirname, "..", "..", "docs", "policies.md"), "utf8");
const [, tutorial = ""] = /## In ten minutes[^\n]*\n([\s\S]*?)\n## /.exec(page) ?? [];
const blocks = [...tutorial.matchAll(/```(\w+)\n([\s\S]*?)```/g)].map(([, kind = "", text = ""]) => ({ kind, text }));

/** What is saved, by its name under ../acme-policies. */
const files = blocks.flatMap(({ kind, text }) => {
  const name = kind === "yaml" ? /^# \.\.\/acme-policies\/(\S+)\n/.exec(text)?.[1] : undefined;
  return name === undefined ? [] : [{ name, text }];
});
/** Each command with what the page shows that it says. */
const commands = blocks.flatMap(({ kind, text }, index) => {
  const words = kind === "sh" ? /^npm run countersign -- policy (.+)\n$/.exec(text)?.[1] : undefined;
  const next = blocks[index + 1];
  return words === undefined ? [] : [{ words, says: next?.kind === "text" ? next.text : "" }];
});

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "cs-tutorial-"));
  for (const { name, text } of files) {
    mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    writeFileSync(path.join(folder, name), text);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function run(words: string): Promise<{ code: number; said: string }> {
  const said: string[] = [];
  const code = await policyCommand(words.replaceAll("../acme-policies", folder).split(" "), {
    folder,
    // As on a machine that has its registry and no model keys; the folder is no checkout yet.
    site: () => ({ presets: ["model-openai", "npm-read"], secrets: [], policyRepos: [], today: "2026-11-21" }),
    out: (text) => said.push(text),
    error: (text) => said.push(text),
    recorded: async () => [],
    kept: async () => new Map(),
    now: () => new Date("2026-11-21T12:00:00Z"),
  });
  return { code, said: `${said.join("\n")}\n` };
}

test("the tutorial has an organisation, two teams, their tests, and three commands", () => {
  expect(files.map(({ name }) => name)).toEqual([
    "org.yaml",
    "teams/web.yaml",
    "teams/data.yaml",
    "tests/teams.test.yaml",
  ]);
  expect(commands.map(({ words }) => words.split(" ")[0])).toEqual(["check", "test", "explain"]);
});

test.each(commands)("policy $words says what the page shows", async ({ words, says }) => {
  const { code, said } = await run(words);
  expect(said.replace(/sha256:(\w{8})\w+/, "sha256:$1…")).toBe(says);
  expect(code).toBe(0);
});

test("the mistake that one is told to make is answered as the page says", async () => {
  const file = path.join(folder, "teams", "data.yaml");
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace("egress:", "egres:"));
  const { code, said } = await run("check ../acme-policies");
  writeFileSync(file, text);
  expect(code).toBe(1);
  expect(said.trim().split("\n")).toEqual([expect.stringContaining('unknown key "egres" - did you mean "egress"?')]);
  expect(tutorial).toContain(said.trim());
});

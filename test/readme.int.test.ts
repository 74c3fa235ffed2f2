import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { SETTINGS } from "#config.ts";
import { command } from "#test/command.ts";

/** What a newcomer reads is true: the README, the pages of docs/ and the command line's own help. */
const root = path.resolve(import.meta.dirname, "..");
const read = (file: string) => readFileSync(path.join(root, file), "utf8");
const readme = read("README.md");
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
  .concat(readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" }).map((name) => `docs/${name}`))
  .filter((file) => file.endsWith(".md"));

/** Code of a page: blocks and inline. */
const codeIn = (text: string): string[] =>
  [...text.matchAll(/```\w*\n([\s\S]*?)```|`([^`\n]+)`/g)].flatMap(([, block, inline]) =>
    (block ?? inline ?? "").split("\n"),
  );

let help = "";
let commands: string[] = [];
beforeAll(async () => {
  const asked = command(["help"]);
  expect(await asked.ended).toBe(0);
  help = asked.words();
  commands = [
    ...new Set([...help.matchAll(/^ {2}countersign ([a-z]+(?: [a-z][a-z-]*)?)/gm)].map(([, words = ""]) => words)),
  ];
});

test("the help names commands that exist", async () => {
  expect(commands).toContain("receipt verify");
  const tried = commands
    .filter((each) => each !== "help")
    .map((words) => ({ words, run: command([...words.split(" "), "--no-such-option"]) }));
  for (const { words, run } of tried) {
    expect(await run.ended, words).toBe(2);
    expect(run.words(), words).not.toContain("there is no command");
  }
});

test("the README, or a page of docs, shows how each command of the help is called", () => {
  const shown = pages.flatMap((page) => codeIn(read(page))).join("\n");
  for (const words of commands) {
    expect(shown, words).toMatch(
      words === "serve" ? /^npm start$/m : new RegExp(`^npm run countersign -- ${words}( |$)`, "m"),
    );
  }
});

test("no page names a command, a script or a setting that does not exist", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const settings = [...Object.keys(SETTINGS), "CHROMIUM_PATH", "CI", "EGRESS_CORPUS"];
  for (const page of pages) {
    for (const line of codeIn(read(page))) {
      const called = /(?:^|npm run )countersign(?: --)? ([a-z]+(?: [a-z][a-z-]*)?)/.exec(line)?.[1];
      if (called !== undefined)
        expect(
          commands.some((words) => `${called} `.startsWith(`${words} `)),
          line,
        ).toBe(true);
      const script = /\bnpm (?:run )?(?!run\b)([a-z:]+)/.exec(line)?.[1];
      if (/^npm run \S/.test(line) && !page.startsWith("docs/")) expect(Object.keys(scripts), line).toContain(script);
      const named = /^([A-Z][A-Z0-9]*_[A-Z0-9_]+|PORT|HOST)(?:=|$)/.exec(line)?.[1];
      if (named !== undefined && page === "README.md") expect(settings, line).toContain(named);
    }
  }
});

test("the help names every setting with its sentence", () => {
  for (const [name, sentence] of Object.entries(SETTINGS)) {
    expect(help).toContain(name);
    expect(help.replaceAll(/\s+/g, " ")).toContain(sentence);
  }
});

test("every file and folder that the README points at exists", () => {
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)/g), ...readme.matchAll(/src="([^"]+)"/g)];
  const tree = [...readme.matchAll(/^([\w.-]+(?:\/[\w.-]*)+)(?= {2,})/gm)];
  expect(tree.length).toBeGreaterThan(10);
  for (const [, where = ""] of [...links, ...tree]) expect(existsSync(path.join(root, where)), where).toBe(true);
});

test("the tree of the README has every folder of src", () => {
  const folders = readdirSync(path.join(root, "src"), { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const missing = folders.filter(({ name }) => !new RegExp(`^src/${name}/ {2,}\\S`, "m").test(readme));
  expect(missing.map(({ name }) => name)).toEqual([]);
});

test("the request that the README shows is one that the local page offers", () => {
  const shown = /@agent (.+)$/m.exec(readme)?.[1];
  expect(read("src/playground/seed.ts")).toContain(`@agent ${shown}`);
});

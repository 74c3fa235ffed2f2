import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { picture, redrawn } from "#scripts/architecture.ts";
import { MAY_IMPORT, root } from "#test/borders.ts";

const page = readFileSync(path.join(root, "docs", "architecture.md"), "utf8");

test("the picture of the architecture is the import table: run `node scripts/run.mjs scripts/architecture.ts` when not", () => {
  expect(page).toBe(redrawn(page));
});

test("every folder of the table has its room in the page, and no room is of a folder that is not there", () => {
  const rooms = [...page.matchAll(/^\*\*`([^`]+)`\*\*/gm)].map((match) => match[1]);
  expect(rooms.toSorted()).toEqual(Object.keys(MAY_IMPORT).toSorted());
});

test("the room of the commands names each of them", () => {
  const names = readdirSync(path.join(root, "src", "command")).map((file) => file.split(/[-.]/)[0] ?? "");
  const commands = new Set(names.filter((name) => name !== "words"));
  const [, said = ""] = /^\*\*`src\/command`\*\*[^(]*\(([^)]*)\)/m.exec(page) ?? [];
  expect(said.split(", ").toSorted()).toEqual([...commands].map((name) => `\`${name}\``).toSorted());
});

test("an arrow is drawn for each folder that a row names, and a part of a folder is said on the arrow", () => {
  const drawn = picture({ "src/a": ["#b", "#c/part", "zod"], "src/b": ["*"], "src/c": ["node:"] });
  expect(drawn).toContain("  a --> b\n");
  expect(drawn).toContain('  a -- "part alone" --> c\n');
  expect(drawn).toContain('  a(["src/a"])\n  b["src/b"]\n');
  expect(drawn).toContain("| `src/a` | `#b`, `#c/part` | `zod` |");
  expect(drawn).toContain("| `src/c` | nothing | `node:*` |");
});

test("a page without the place for the picture is an error, not a page without a picture", () => {
  expect(() => redrawn("# Nothing here\n")).toThrow("needs one line");
});

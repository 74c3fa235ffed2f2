import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { LAYERS, MAY_IMPORT, root } from "#test/borders.ts";

/** Draws the picture of `docs/architecture.md` from the table that the tests hold every import to. Run it after a row has changed. */
const DOCUMENT = path.join(root, "docs", "architecture.md");

/** Between these lines of the page nobody writes by hand. */
const FROM = "<!-- drawn by scripts/architecture.ts from test/borders.ts -->";
const TO = "<!-- end of what is drawn -->";

type Table = Readonly<Record<string, readonly string[]>>;

const idOf = (folder: string): string => folder.replace("src/", "");

/** "#adapters/policy" is a part of the folder "adapters". */
function arrow(from: string, entry: string): string {
  const [to = "", ...part] = entry.slice(1).split("/");
  return part.length === 0 ? `  ${idOf(from)} --> ${to}` : `  ${idOf(from)} -- "${part.join("/")} alone" --> ${to}`;
}

/** Boxes are folders, arrows are the `#` entries of their rows; a stadium brings no package of its own choice. */
export function picture(table: Table): string {
  const folders = Object.keys(table);
  const free = (folder: string) => table[folder]?.includes("*") === true;
  return [
    "```mermaid",
    "flowchart TD",
    `  roots["the files at the top of src wire it"] -.-> house`,
    "  subgraph house [ ]",
    ...folders.map((folder) => `  ${idOf(folder)}${free(folder) ? `["${folder}"]` : `(["${folder}"])`}`),
    "  end",
    ...folders.flatMap((folder) =>
      (table[folder] ?? []).filter((entry) => entry.startsWith("#")).map((entry) => arrow(folder, entry)),
    ),
    "```",
    "",
    "| folder | of ours | from outside |",
    "| --- | --- | --- |",
    ...folders.map((folder) => row(folder, table[folder] ?? [])),
    ...Object.entries(LAYERS).flatMap(([folder, layers]) => [
      "",
      `Within \`${folder}\` a layer imports itself and those above it in this table:`,
      "",
      "| layer | holds |",
      "| --- | --- |",
      ...Object.entries(layers).map(([layer, holds]) => `| \`${path.posix.join(folder, layer)}\` | ${holds} |`),
    ]),
  ].join("\n");
}

function row(folder: string, entries: readonly string[]): string {
  const named = (list: readonly string[]) => list.map((entry) => `\`${entry}\``).join(", ") || "nothing";
  const outside = entries.includes("*")
    ? "any package"
    : named(entries.filter((entry) => !entry.startsWith("#")).map((entry) => (entry === "node:" ? "node:*" : entry)));
  return `| \`${folder}\` | ${named(entries.filter((entry) => entry.startsWith("#")))} | ${outside} |`;
}

/** The page with its picture drawn anew. Throws when the page has no place for it. */
export function redrawn(page: string): string {
  const [before, rest, ...more] = page.split(`${FROM}\n`);
  const after = rest?.split(`${TO}\n`)[1];
  if (after === undefined || more.length > 0) throw new Error(`${DOCUMENT} needs one line "${FROM}" and then "${TO}"`);
  return `${before}${FROM}\n${picture(MAY_IMPORT)}\n${TO}\n${after}`;
}

if (import.meta.main) writeFileSync(DOCUMENT, redrawn(readFileSync(DOCUMENT, "utf8")));

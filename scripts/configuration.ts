import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { Environment, SETTINGS } from "#config.ts";

/** Writes the table of `docs/configuration.md` from the settings that `src/config.ts` reads. Run it after one has changed. */
const DOCUMENT = path.join(import.meta.dirname, "..", "docs", "configuration.md");

/** Between these lines of the page nobody writes by hand. */
const FROM = "<!-- written by scripts/configuration.ts from src/config.ts -->";
const TO = "<!-- end of what is written -->";

/** What counts where a setting is absent and its sentence does not say; "": nothing. */
function absent(name: string): string {
  const schema = Object.entries(Environment.shape).find(([each]) => each === name)?.[1];
  const kept = schema instanceof z.ZodDefault ? String(schema.def.defaultValue) : "";
  return kept === "" ? "" : `\`${kept}\``;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** Every setting in the order in which it is read. */
export function settingsTable(): string {
  const rows = Object.entries(SETTINGS).map(
    ([name, sentence]) => `| \`${name}\` | ${cell(sentence)} | ${absent(name)} |`,
  );
  return ["| variable | what | when absent |", "| --- | --- | --- |", ...rows].join("\n");
}

/** The page with its table written anew. Throws when the page has no place for it. */
export function rewritten(page: string): string {
  const [before, rest, ...more] = page.split(`${FROM}\n`);
  const after = rest?.split(`${TO}\n`)[1];
  if (after === undefined || more.length > 0) throw new Error(`${DOCUMENT} needs one line "${FROM}" and then "${TO}"`);
  return `${before}${FROM}\n${settingsTable()}\n${TO}\n${after}`;
}

if (import.meta.main) writeFileSync(DOCUMENT, rewritten(readFileSync(DOCUMENT, "utf8")));

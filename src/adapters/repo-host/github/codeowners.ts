/** Where GitHub looks, in this order: docs.github.com, "About code owners". */
export const CODEOWNERS_FILES = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"] as const;

/** Whom a repository asks about its paths: logins, and teams as "org/team". */
export interface Owners {
  readonly people: readonly string[];
  readonly teams: readonly string[];
}

interface Rule {
  readonly matches: RegExp;
  readonly owners: readonly string[];
}

/**
 * The owners of these paths by a CODEOWNERS file: for each path the last rule that matches it, which may name nobody.
 * A line that GitHub would ignore (a negation, a character class) is ignored; an e-mail address names nobody we can ask.
 */
export function ownersOf(file: string, paths: readonly string[]): Owners {
  const rules = file.split(/\r?\n/).flatMap(ruleOf);
  const names = new Set<string>();
  for (const path of paths) {
    for (const owner of rules.findLast((rule) => rule.matches.test(path))?.owners ?? []) names.add(owner);
  }
  const all = [...names].sort();
  return { people: all.filter((name) => !name.includes("/")), teams: all.filter((name) => name.includes("/")) };
}

function ruleOf(line: string): Rule[] {
  // A pattern's own spaces and its leading "#" are escaped.
  const words = line.trim().match(/(?:\\.|[^\s\\])+/g) ?? [];
  const end = words.findIndex((word) => word.startsWith("#"));
  const [pattern, ...owners] = end < 0 ? words : words.slice(0, end);
  if (pattern === undefined || pattern.startsWith("!") || /[[\]]/.test(pattern)) return [];
  const named = owners.flatMap((owner) => /^@([\w-]+(?:\/[\w.-]+)?)$/.exec(owner)?.[1] ?? []);
  return [{ matches: matcher(pattern), owners: named }];
}

/** The part of gitignore's patterns that GitHub takes here. */
function matcher(pattern: string): RegExp {
  const folder = pattern.endsWith("/");
  const body = pattern.replace(/^\//, "").replace(/\/$/, "");
  const anchored = pattern.startsWith("/") || body.includes("/");
  const parts = body.split("/").map((part) => (part === "**" ? part : segment(part)));
  let source = "";
  for (const [i, part] of parts.entries()) {
    const last = i === parts.length - 1;
    if (part === "**") source += last ? ".+" : "(?:[^/]+/)*";
    else source += last ? part : `${part}/`;
  }
  // "docs/*" is the files of that folder; a name alone is also a folder with all that is in it.
  const below = folder ? "/.+" : body.endsWith("*") ? "" : "(?:/.+)?";
  return new RegExp(`^${anchored ? "" : "(?:.+/)?"}${source}${below}$`, "s");
}

function segment(part: string): string {
  return part.replace(/\\(.)|\*+|\?|[^\w*?\\]/g, (found: string, escaped: string | undefined) => {
    if (escaped !== undefined) return quoted(escaped);
    return found.startsWith("*") ? "[^/]*" : found === "?" ? "[^/]" : quoted(found);
  });
}

const quoted = (text: string): string => text.replace(/[^\w]/g, "\\$&");

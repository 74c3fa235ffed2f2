import { z } from "zod";
import { privateRangeProblem } from "./match/cidr.ts";
import { pathGlobProblem } from "./match/glob.ts";
import { hostProblem } from "./match/hosts.ts";
import { hint } from "./match/nearest.ts";
import { count, durationMs, isDay, sizeBound, sizeBytes } from "./match/units.ts";

/** A value as an author would recognise it. */
function said(input: unknown): string {
  if (typeof input === "string") return input.length > 60 ? "a longer text" : JSON.stringify(input);
  if (typeof input === "number") return `the number ${input}`;
  if (typeof input === "boolean") return String(input);
  if (input === null || input === undefined) return "nothing";
  return Array.isArray(input) ? "a list" : "a mapping";
}

export const expected = (what: string) => (issue: { input?: unknown }) => {
  const unlisted = what.startsWith("a list") && issue.input !== undefined && issue.input !== null;
  return `expected ${what}, got ${said(issue.input)}${unlisted ? ' - begin each with "- "' : ""}`;
};

/**
 * A mapping without unknown keys. The message of an unknown key is the list of known ones: `problems.ts` makes one
 * sentence for each key out of it, because only there the place of the key is known.
 */
export function strict<Shape extends z.ZodRawShape>(what: string, shape: Shape) {
  const keys = Object.keys(shape).join("\n");
  return z.strictObject(shape, {
    error: (issue) => (issue.code === "unrecognized_keys" ? keys : expected(what)(issue)),
  });
}

export function checked(what: string, problem: (text: string) => string | null) {
  // A number where text is due is most often text that YAML read as a number.
  const error = (issue: { input?: unknown }) => {
    const quotable = typeof issue.input === "number" && problem(String(issue.input)) === null;
    return quotable ? `${expected(what)(issue)} - put quotes around it` : expected(what)(issue);
  };
  return z.string({ error }).superRefine((text, context) => {
    const message = problem(text);
    if (message !== null) context.addIssue({ code: "custom", message });
  });
}

export const form = (what: string, good: (text: string) => boolean) =>
  checked(what, (text) => (good(text) ? null : `expected ${what}, got ${said(text)}`));

export const oneOrMany = <Item extends z.ZodType>(what: string, item: Item) =>
  z.union([item, z.array(item).min(1, { error: `expected ${what}, got an empty list` })], { error: expected(what) });

export const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words) =>
  z.enum(words, {
    error: (issue) =>
      typeof issue.input === "string" && words.length > 1
        ? `"${issue.input}" is not one of ${words.join(", ")}${hint(issue.input, words).replace(/ - known:.*/, "")}`
        : expected(words.length > 1 ? `one of ${words.join(", ")}` : `"${words[0]}"`)(issue),
  });

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be here
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/;
export const Text = form(
  "a plain text of at most 2,000 characters",
  (text) => text.length > 0 && text.length <= 2_000 && !CONTROL.test(text),
);
export const Name = form("a name like shop (small letters, digits and dashes)", (text) =>
  /^[a-z][a-z0-9-]{0,62}$/.test(text),
);
export const SecretName = form("a secret's name like cms-read or data/warehouse", (text) =>
  /^[a-z][a-z0-9-]{0,62}(?:\/[a-z0-9][a-z0-9-]{0,62}){0,4}$/.test(text),
);
const GROUP = /^group:[a-z][a-z0-9-]{0,62}$/;
/** Who is asked: a group, or the owners that the repository's CODEOWNERS names for the changed paths. */
export const Whom = form(
  "a group like group:leads, or codeowners",
  (text) => text === "codeowners" || GROUP.test(text),
);
/** A secret's name may have folders: prod/db. */
export const SecretGlob = checked("a secret like cms-read or prod/**", (text) => {
  const problem = /^[a-z0-9*][a-z0-9_*-]*(?:\/[a-z0-9*][a-z0-9_*-]*)*$/.test(text)
    ? pathGlobProblem(text)
    : "is not a secret's name - small letters, digits, dashes, folders";
  return problem === null ? null : `"${text}" ${problem}`;
});
export const SizeBound = form(
  'a bound like "> 20 files", "> 500 lines" or "> 2MB"',
  (text) => sizeBound(text) !== null,
);
export const Day = form("a day like 2027-01-31", (text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && isDay(text));
export const Group = form("a group like group:leads", (text) => GROUP.test(text));
export const Yes = z.boolean({ error: expected("true or false") });
export const Duration = form("a duration like 30s, 45m, 4h or 7d", (text) => (durationMs(text) ?? 0) > 0);
export const Size = form("a size like 20MB", (text) => sizeBytes(text) !== null);
export const Whole = (what: string, most: number) =>
  z
    .int({ error: expected(what) })
    .min(1, { error: expected(what) })
    .max(most, { error: expected(what) });
export const Money = z
  .number({ error: expected("an amount like 5 or 2.50") })
  .positive({ error: expected("an amount above 0") });
const COUNT = "a count like 500k, 5M or 200000";
export const Count = z
  .union([z.string({ error: expected(COUNT) }), z.number({ error: expected(COUNT) })], { error: expected(COUNT) })
  .refine((value) => count(value) !== null, { error: expected(COUNT) });

export const RepoGlob = checked("a repository like acme/site", (text) => {
  if (!/^[^/\s]+\/[^/\s]+$/.test(text)) return `expected a repository like acme/site or acme/*, got ${said(text)}`;
  const problem = text.includes("**") ? 'has "**" - a repository is owner/name, like acme/*' : pathGlobProblem(text);
  return problem === null ? null : `"${text}" ${problem}`;
});

const RELATIVE = 'is not relative - paths start at the top of the repository, without "/"';
export const FilePath = checked("a path like src/**", (text) => {
  const problem = text.startsWith("/")
    ? RELATIVE
    : /^$|\/\/|\/$/.test(text)
      ? 'has an empty segment - a folder is "docs/**"'
      : null;
  const message =
    problem ?? pathGlobProblem(text) ?? (CONTROL.test(text) ? "has a control character - remove it" : null);
  return message === null ? null : `"${text}" ${message}`;
});
export const UrlPath = checked("a URL path like /api/**", (text) => {
  const problem = text.startsWith("/") ? pathGlobProblem(text) : `does not start with "/" - write "/${text}"`;
  return problem === null ? null : `"${text}" ${problem}`;
});
export const Host = checked("a host like api.example.com", (text) => hostProblem(text));
export const Private = checked("a range like 10.20.0.0/16", (text) => {
  const problem = privateRangeProblem(text);
  return problem === null ? null : `"${text}" ${problem}`;
});

export const version = z.literal(1, { error: expected("1, the only version there is") });
export const kind = <Kind extends string>(word: Kind) =>
  z.literal(word, { error: expected(`"${word}", as the file's place says`) });

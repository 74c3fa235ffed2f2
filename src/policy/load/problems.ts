import type { z } from "zod";
import { hint } from "#policy/match/nearest.ts";
import type { PolicyProblem } from "#policy/policy.ts";
import type { Path, Source } from "./document.ts";

type Issue = z.core.$ZodIssue;

/** A word of the format that no wall can stand behind (docs/adr/0025): what is said of it, and what to write instead. */
const REFUSED: Readonly<Record<string, string>> = {
  cidr: '"cidr" is not read: an address proves no name that the gateway could hold it to - give the host a name in DNS, and write {host: NAME, private: [RANGE]}',
};

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, step) => (typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined),
    root,
  );
}

function unknownKey(key: string, known: readonly string[]): string {
  const refused = Object.hasOwn(REFUSED, key) ? REFUSED[key] : undefined;
  if (refused !== undefined) return refused;
  return `unknown key "${key}"${hint(key, known)}`;
}

/** Issues of a schema as sentences with places. */
export function problemsOf(source: Source, issues: readonly Issue[], base: Path = []): PolicyProblem[] {
  const misspelt = new Set(
    issues.filter(({ code }) => code === "unrecognized_keys").map(({ path }) => path.join("\n")),
  );
  return issues.flatMap((issue): PolicyProblem[] => {
    // What a mapping lacks is most often the key that was misspelt in it.
    if (issue.code === "custom" && misspelt.has(issue.path.join("\n"))) return [];
    const path: Path = [...base, ...(issue.path as (string | number)[])];
    const value = valueAt(source.value, path);
    if (issue.code === "unrecognized_keys") {
      const known = issue.message.split("\n");
      return issue.keys.map((key, index) => ({
        at: source.keyAt([...path, key]),
        // Looking for the nearest word takes its time, and so many are never read.
        message: index < SAID_OF_A_FILE ? unknownKey(key, known) : `unknown key "${key}"`,
      }));
    }
    if (issue.code === "invalid_key") {
      return [{ at: source.keyAt(path), message: issue.issues[0]?.message ?? issue.message }];
    }
    if (issue.code === "invalid_union") {
      // One of something or a list of it: the words for the one that was written.
      const nested = typeof value === "object" && value !== null;
      const branch = (nested ? issue.errors.at(-1) : issue.errors[0]) ?? [];
      const exact = nested
        ? branch.some((inner) => inner.path.length > 0 || inner.code === "custom")
        : value !== undefined;
      if (exact && branch.length > 0) return problemsOf(source, branch, path);
    }
    const key = path.at(-1);
    if (value === undefined && typeof key === "string") {
      return [{ at: source.at(path), message: `"${key}" is missing - ${issue.message.replace(/, got nothing$/, "")}` }];
    }
    return [{ at: source.at(path), message: issue.message }];
  });
}

/** So many mistakes of one file are said at once; a hostile one has as many as it has lines. */
const SAID_OF_A_FILE = 100;

interface Placed {
  readonly problem: PolicyProblem;
  readonly file: string;
  readonly line: number;
  readonly col: number;
}

function placed(problem: PolicyProblem): Placed {
  const [file = "", line = "0", col = "0"] = problem.at.split(":");
  return { problem, file, line: Number(line), col: Number(col) };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a terminal
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/g;

/** What an author wrote is repeated to terminals and chats: a control character as its number. */
const plain = (message: string): string =>
  message.replace(CONTROL, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** By file, line and column; control characters as their numbers; repeats dropped, and of a file that has very many only the first, with how many follow. */
export function inOrder(problems: readonly PolicyProblem[]): PolicyProblem[] {
  const sorted = problems.map(placed).sort((a, b) => {
    if (a.file !== b.file) return a.file < b.file ? -1 : 1;
    return a.line - b.line || a.col - b.col || (a.problem.message < b.problem.message ? -1 : 1);
  });
  const distinct = sorted.filter(({ problem }, i) => {
    const before = sorted[i - 1]?.problem;
    return before?.at !== problem.at || before.message !== problem.message;
  });
  return [...Map.groupBy(distinct, ({ file }) => file).values()].flatMap((ofFile) => {
    const said = ofFile
      .slice(0, SAID_OF_A_FILE)
      .map(({ problem: { at, message } }) => ({ at, message: plain(message) }));
    const next = ofFile[SAID_OF_A_FILE];
    if (next === undefined) return said;
    const more = (ofFile.length - said.length).toLocaleString("en");
    return [...said, { at: next.problem.at, message: `and ${more} more from here on - mend the ones above first` }];
  });
}

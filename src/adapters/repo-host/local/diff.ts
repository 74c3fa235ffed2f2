import { lastLine } from "#adapters/git.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import type { Ground } from "./ground.ts";
import { gitDirOf } from "./ground.ts";

export interface DiffLine {
  readonly kind: "same" | "added" | "deleted" | "note";
  readonly old: number | null;
  readonly now: number | null;
  readonly text: string;
}

export interface Hunk {
  /** "@@ -1,4 +1,6 @@ where". */
  readonly heading: string;
  readonly lines: readonly DiffLine[];
}

export interface FileDiff {
  readonly path: string;
  /** The path before, when it was renamed or copied. */
  readonly from: string | null;
  readonly status: "added" | "modified" | "deleted" | "renamed";
  /** `null` for what is not text. */
  readonly additions: number | null;
  readonly deletions: number | null;
  /** What is odd about it, in words: "binary file", "submodule", "mode 100644 → 100755". */
  readonly notes: readonly string[];
  readonly hunks: readonly Hunk[];
  /** The patch ended before this file did. */
  readonly cut: boolean;
}

export interface Commit {
  readonly oid: string;
  readonly subject: string;
  readonly author: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface Change {
  /** The commit both sides come from; `null` for histories that have none in common. */
  readonly mergeBase: string | null;
  /** Newest first, at most 100. */
  readonly commits: readonly Commit[];
  readonly files: readonly FileDiff[];
}

const PATCH_BYTES = 2 * 1024 * 1024;
// No attribute, driver or filter of anybody decides what a person gets to see.
const PLAIN = ["--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", "--end-of-options"];

/** What `head` changes since it left `base`. Three git processes, whatever the size. */
export async function readChange(ground: Ground, repo: string, base: string, head: string): Promise<Change> {
  const gitDir = gitDirOf(ground, repo);
  const found = await ground.git(["merge-base", base, head], { gitDir });
  const mergeBase = found.code === 0 ? found.stdout.toString("utf8").trim() : null;
  const from = mergeBase ?? base;
  const [names, patch, commits] = await Promise.all([
    ground.git(["diff", "--raw", "--numstat", "-z", "--no-abbrev", ...PLAIN, from, head], { gitDir }),
    ground.git(["diff", "--patch", "--unified=3", "--src-prefix=a/", "--dst-prefix=b/", ...PLAIN, from, head], {
      gitDir,
      maxBytes: PATCH_BYTES,
    }),
    readCommits(ground, repo, [`${from}..${head}`], 100),
  ]);
  if (names.code !== 0) throw new RepoHostError("unavailable", `${repo}: ${lastLine(names.stderr)}`);
  const text = new TextDecoder().decode(patch.stdout);
  return { mergeBase, commits, files: withHunks(parseNames(names.stdout.toString("utf8")), text, patch.truncated) };
}

/** Newest first. `revisions` are ours: commit ids, or refs by their full name. */
export async function readCommits(
  ground: Ground,
  repo: string,
  revisions: readonly string[],
  limit: number,
): Promise<readonly Commit[]> {
  const format = "--format=%H%x1f%cI%x1f%an%x1f%s";
  const log = await ground.git(["log", "-z", `--max-count=${limit}`, format, "--end-of-options", ...revisions, "--"], {
    gitDir: gitDirOf(ground, repo),
  });
  if (log.code !== 0) return [];
  return log.stdout
    .toString("utf8")
    .split("\0")
    .filter(Boolean)
    .map((entry) => {
      const [oid = "", at = "", author = "", subject = ""] = entry.split("\x1f");
      return { oid, at, author, subject };
    });
}

interface Named extends Omit<FileDiff, "hunks" | "cut"> {
  /** How many parts of the patch tell of it: a change of type is a deletion and an addition. */
  readonly parts: number;
}

/** `git diff --raw --numstat -z`: first a line per file with modes and status, then its numbers in the same order. */
function parseNames(text: string): readonly Named[] {
  const fields = text.split("\0");
  const raw: { path: string; from: string | null; letter: string; modes: readonly [string, string] }[] = [];
  let i = 0;
  while (fields[i]?.startsWith(":")) {
    const [before = "", after = "", , , status = ""] = (fields[i] ?? "").slice(1).split(" ");
    const letter = status[0] ?? "M";
    const two = letter === "R" || letter === "C";
    const path = fields[i + (two ? 2 : 1)] ?? "";
    raw.push({ path, from: two ? (fields[i + 1] ?? "") : null, letter, modes: [before, after] });
    i += two ? 3 : 2;
  }
  return raw.map(({ path, from, letter, modes }) => {
    const [added = "-", deleted = "-", own = ""] = (fields[i] ?? "").split("\t");
    i += own === "" ? 3 : 1;
    const binary = added === "-";
    return {
      path,
      from,
      status: letter === "A" ? "added" : letter === "D" ? "deleted" : letter === "R" ? "renamed" : "modified",
      additions: binary ? null : Number(added),
      deletions: binary ? null : Number(deleted),
      notes: notesOf(modes, binary),
      parts: letter === "T" ? 2 : 1,
    };
  });
}

function notesOf([before, after]: readonly [string, string], binary: boolean): readonly string[] {
  const notes: string[] = [];
  if (binary) notes.push("binary file");
  if (before === "160000" || after === "160000") notes.push("submodule");
  if (before === "120000" || after === "120000") notes.push("symbolic link");
  const both = before !== "000000" && after !== "000000";
  if (both && before !== after) notes.push(`mode ${before} → ${after}`);
  if (!both && (before === "100755" || after === "100755")) notes.push("executable");
  return notes;
}

function withHunks(files: readonly Named[], patch: string, truncated: boolean): readonly FileDiff[] {
  const sections = parsePatch(patch);
  let next = 0;
  return files.map(({ parts, ...file }) => {
    const own = sections.slice(next, next + parts);
    next += parts;
    const cut = truncated && (own.length < parts || next >= sections.length);
    return { ...file, hunks: own.flat(), cut };
  });
}

/** The hunks of each file of a patch. Lines of content begin with a sign, so that nothing in a file looks like a header. */
export function parsePatch(patch: string): readonly (readonly Hunk[])[] {
  const sections: { heading: string; lines: DiffLine[] }[][] = [];
  let hunk: { heading: string; lines: DiffLine[] } | null = null;
  let [old, now] = [0, 0];
  const lines = patch.split("\n");
  if (lines.at(-1) === "") lines.pop();
  for (const line of lines) {
    if (line.startsWith("diff --git ")) {
      sections.push([]);
      hunk = null;
      continue;
    }
    const header = /^@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@/.exec(line);
    if (header !== null) {
      [old, now] = [Number(header[1]), Number(header[2])];
      hunk = { heading: line, lines: [] };
      sections.at(-1)?.push(hunk);
    } else if (hunk !== null) {
      const text = line.slice(1);
      if (line.startsWith("+")) hunk.lines.push({ kind: "added", old: null, now: now++, text });
      else if (line.startsWith("-")) hunk.lines.push({ kind: "deleted", old: old++, now: null, text });
      else if (line.startsWith("\\")) hunk.lines.push({ kind: "note", old: null, now: null, text: text.trim() });
      else hunk.lines.push({ kind: "same", old: old++, now: now++, text });
    }
  }
  return sections;
}

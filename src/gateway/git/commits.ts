import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Git } from "./git.ts";
import { patchScanner, type SecretHit, secretIn } from "./secret-scan.ts";

/** One path as one commit leaves it. `mode` "000000": gone. */
export interface TouchedPath {
  readonly commit: string;
  readonly mode: string;
  readonly path: string;
  /** The path's bytes are no UTF-8: no rule can speak of it. */
  readonly odd: boolean;
}

export interface RepositoryView {
  readonly git: Git;
  readonly gitDir: string;
  /** The quarantine of a push under way; empty otherwise. */
  readonly env: Readonly<Record<string, string>>;
}

/** Commits after `base` up to `head`, oldest first. `null`: more than `most`. */
export async function commitsAfter(
  view: RepositoryView,
  base: string,
  head: string,
  most: number,
): Promise<string[] | null> {
  const args = ["rev-list", "--reverse", `--max-count=${most + 1}`, "--end-of-options", head, `^${base}`];
  const result = await view.git(args, { gitDir: view.gitDir, env: view.env });
  if (result.code !== 0) throw new Error(`git rev-list: ${result.stderr}`);
  const commits = result.stdout.toString("utf8").split("\n").filter(Boolean);
  return commits.length > most ? null : commits;
}

export async function isAncestor(view: RepositoryView, older: string, newer: string): Promise<boolean> {
  const result = await view.git(["merge-base", "--is-ancestor", older, newer], { gitDir: view.gitDir, env: view.env });
  if (result.code !== 0 && result.code !== 1) throw new Error(`git merge-base: ${result.stderr}`);
  return result.code === 0;
}

/**
 * A commit up to `head` that was neither made in this run nor given to it: the mirror has it, from another branch, and
 * git lets a push build on all that the mirror has. What the run's refs reach, and its own branch as the forge has it,
 * is its own. `null`: none.
 */
export async function borrowedCommit(view: RepositoryView, head: string, branch: string): Promise<string | null> {
  const alternates = await readFile(path.join(view.gitDir, "objects", "info", "alternates"), "utf8");
  const mirror = path.dirname(alternates.trim());
  const published = await view.git(["rev-parse", "--verify", "--quiet", `refs/heads/${branch}`], { gitDir: mirror });
  const own = published.code === 0 ? [published.stdout.toString("utf8").trim()] : [];
  const args = ["rev-list", "--not", "--branches", "--tags", ...own, "--not", "--end-of-options", head];
  const fresh = await view.git(args, { gitDir: view.gitDir, env: view.env });
  if (fresh.code !== 0 || fresh.truncated) throw new Error(`git rev-list: ${fresh.stderr}`);
  if (fresh.stdout.length === 0) return null;
  const there = await view.git(["cat-file", "--batch-check=%(objectname)"], {
    gitDir: mirror,
    input: fresh.stdout.toString("utf8"),
  });
  if (there.code !== 0) throw new Error(`git cat-file: ${there.stderr}`);
  return /^[0-9a-f]{40}$/m.exec(there.stdout.toString("utf8"))?.[0] ?? null;
}

const TREE_DIFF = ["diff-tree", "--stdin", "-r", "--root", "--no-renames", "-m", "--no-ext-diff", "--no-textconv"];

/** Every path that any of `commits` touches, seen from each parent. A rename is a deletion and an addition. */
export async function touchedPaths(view: RepositoryView, commits: readonly string[]): Promise<TouchedPath[]> {
  const call = { gitDir: view.gitDir, env: view.env, input: `${commits.join("\n")}\n` };
  const result = await view.git([...TREE_DIFF, "--raw", "-z", "--no-abbrev"], call);
  if (result.code !== 0 || result.truncated) throw new Error(`git diff-tree: ${result.stderr || "too much output"}`);
  const touched: TouchedPath[] = [];
  let commit = "";
  let mode: string | null = null;
  for (const field of split(result.stdout)) {
    if (mode !== null) {
      touched.push({ commit, mode, ...decodePath(field) });
      mode = null;
      continue;
    }
    const text = field.toString("latin1").trim();
    const raw = /^:\d{6} (\d{6}) /.exec(text);
    if (raw) mode = raw[1] ?? "";
    else if (/^[0-9a-f]{40}/.test(text)) commit = text.slice(0, 40);
  }
  return touched;
}

/** A file between two commits that has more than `maxBytes`, unpacked: a pack of kilobytes may hold gigabytes. `null`: none. */
export async function largeFile(
  view: RepositoryView,
  o: { base: string; head: string; maxBytes: number },
): Promise<{ path: string; bytes: number } | null> {
  const call = { gitDir: view.gitDir, env: view.env };
  const listed = await view.git(["rev-list", "--objects", "--end-of-options", o.head, `^${o.base}`], call);
  if (listed.code !== 0 || listed.truncated) throw new Error(`git rev-list: ${listed.stderr || "too much output"}`);
  const sized = await view.git(["cat-file", "--batch-check=%(objecttype) %(objectsize) %(rest)", "--buffer"], {
    ...call,
    input: listed.stdout.toString("utf8"),
  });
  if (sized.code !== 0 || sized.truncated) throw new Error(`git cat-file: ${sized.stderr || "too much output"}`);
  for (const line of sized.stdout.toString("utf8").split("\n")) {
    const [, bytes = "", path = ""] = /^blob (\d+) (.*)$/.exec(line) ?? [];
    if (Number(bytes) > o.maxBytes) return { path, bytes: Number(bytes) };
  }
  return null;
}

/** Credentials in the commits themselves: messages, people, and headers that no porcelain shows. */
async function secretsSaid(view: RepositoryView, commits: readonly string[]): Promise<SecretHit[]> {
  const said = await view.git(["cat-file", "--batch", "--buffer"], {
    gitDir: view.gitDir,
    env: view.env,
    input: `${commits.join("\n")}\n`,
  });
  if (said.code !== 0 || said.truncated) throw new Error(`git cat-file: ${said.stderr || "too much output"}`);
  const hits: SecretHit[] = [];
  const bytes = said.stdout;
  for (let at = 0; at < bytes.length; ) {
    const start = bytes.indexOf("\n", at) + 1;
    const [oid = "", , size = "0"] = bytes
      .subarray(at, start - 1)
      .toString("latin1")
      .split(" ");
    at = start + Number(size) + 1;
    const rule = secretIn(bytes.subarray(start, at).toString("latin1"));
    if (rule) hits.push({ path: `(the message of commit ${oid.slice(0, 12)})`, line: 0, rule });
  }
  return hits;
}

/** Credentials in lines that any of `commits` adds, and in what they say. `null`: more text than we are willing to read. */
export async function secretsIn(
  view: RepositoryView,
  commits: readonly string[],
  maxBytes: number,
): Promise<readonly SecretHit[] | null> {
  const scanner = patchScanner();
  let size = 0;
  const patches = view.git(
    [...TREE_DIFF, "-p", "--unified=0", "--text", "--no-color", "--src-prefix=a/", "--dst-prefix=b/"],
    {
      gitDir: view.gitDir,
      env: view.env,
      input: `${commits.join("\n")}\n`,
      onData(chunk) {
        size += chunk.length;
        scanner.push(chunk);
        return size <= maxBytes;
      },
    },
  );
  const [result, said] = await Promise.all([patches, secretsSaid(view, commits)]);
  if (result.truncated) return null;
  if (result.code !== 0) throw new Error(`git diff-tree: ${result.stderr}`);
  return [...said, ...scanner.end()];
}

function split(bytes: Buffer): Buffer[] {
  const fields: Buffer[] = [];
  let at = 0;
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, at)) {
    fields.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return fields;
}

function decodePath(bytes: Buffer): { path: string; odd: boolean } {
  try {
    return { path: new TextDecoder("utf-8", { fatal: true }).decode(bytes), odd: false };
  } catch {
    return { path: bytes.toString("latin1"), odd: true };
  }
}

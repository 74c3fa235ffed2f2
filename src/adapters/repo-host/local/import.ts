import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { gitText, lastLine, withoutCredentials } from "#adapters/git.ts";
import { isBranch } from "#adapters/repo-host/names.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import type { Ground } from "./ground.ts";
import { gitDirOf, repositoryFile, repositoryRecord } from "./ground.ts";
import { createRecord } from "./records.ts";
import { install, mustBeFree } from "./repositories.ts";

export interface Imported {
  readonly name: string;
  readonly defaultBranch: string;
  /** The commit the default branch is at here. */
  readonly oid: string;
  /** The source lacks the beginning of its history, and so do we. */
  readonly shallow: boolean;
  /** The source has changes that are in no commit, and so not here. `null`: could not be learnt. */
  readonly dirty: boolean | null;
  /** Sentences for the person who named the source: what is not here, and what was left as it is. */
  readonly notes: readonly string[];
}

const FETCH_MS = 10 * 60_000;
// Branches of earlier runs that somebody fetched into the source are not the source's own.
const NOT_OURS = "^refs/heads/agent/*";

/**
 * Copies branches and tags of a repository on disk or behind a URL. The source is only read, through git's own
 * protocol: no object is shared with it, nothing in it is run or written. Again for the same name and source: branches
 * that can be fast-forwarded are, the others stay and a note says so.
 */
export async function importRepository(ground: Ground, name: string, source: string): Promise<Imported> {
  const from = await locate(ground, source);
  const head = await headOf(ground, from);
  mustBeFree(name, head.branch);
  const existing = await repositoryRecord(ground, name);
  const label = withoutCredentials(from.address);
  if (existing !== null && existing.source !== label)
    throw new RepoHostError("invalid", `${name} is already here${existing.source ? `, from ${existing.source}` : ""}`);

  const notes: string[] = [...head.notes];
  if (existing === null) {
    await install(ground, name, head.branch, async (gitDir) => {
      await fetchInto(ground, gitDir, from.address, [
        "+refs/heads/*:refs/heads/*",
        "+refs/tags/*:refs/tags/*",
        NOT_OURS,
      ]);
      await gitText(ground.git, ["update-ref", `refs/heads/${head.branch}`, head.oid], { gitDir });
    });
    await createRecord(repositoryFile(ground, name), {
      name,
      defaultBranch: head.branch,
      description: `Imported from ${label}`,
      source: label,
    });
  } else {
    notes.push(...(await refresh(ground, name, from.address)));
  }

  const gitDir = gitDirOf(ground, name);
  const defaultBranch = existing?.defaultBranch ?? head.branch;
  const oid = await gitText(ground.git, ["rev-parse", "--verify", `refs/heads/${defaultBranch}^{commit}`], { gitDir });
  const shallow = (await gitText(ground.git, ["rev-parse", "--is-shallow-repository"], { gitDir })) === "true";
  const dirty = from.onDisk ? await isDirty(ground, from.address) : false;
  if (dirty === true) notes.push("Uncommitted changes in the source are not included.");
  if (dirty === null) notes.push("Uncommitted changes in the source, if there are any, are not included.");
  if (shallow) notes.push("The source is a shallow clone: its older history is not here.");
  const modules = await ground.git(["cat-file", "-e", `${oid}:.gitmodules`], { gitDir });
  if (modules.code === 0) notes.push("Submodules are not followed.");
  return { name, defaultBranch, oid, shallow, dirty, notes };
}

interface From {
  /** A URL, or an absolute path. */
  readonly address: string;
  readonly onDisk: boolean;
}

async function locate(ground: Ground, source: string): Promise<From> {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(source) && !source.startsWith("file://"))
    return { address: source, onDisk: false };
  if (/^[A-Za-z0-9_.][\w.-]*@[\w.-]+:(?!\/\/)/.test(source)) return { address: source, onDisk: false };
  const given = path.resolve(source.replace(/^file:\/\//, ""));
  const found = await stat(given).catch(() => null);
  if (found === null || !found.isDirectory())
    throw new RepoHostError("not_found", `${given} is not a folder on this machine`);
  // A folder inside a work tree means the repository around it.
  const top = await ground.git(["-C", given, "rev-parse", "--show-toplevel"]);
  const address = top.code === 0 ? top.stdout.toString("utf8").trimEnd() : "";
  return { address: address || given, onDisk: true };
}

/**
 * The source's owner may be someone else. The person named it, and being read by `upload-pack` runs nothing of it, so
 * that git may read it; where `git status` would run its filters the ownership check stays.
 */
async function readingAnyOwner(ground: Ground): Promise<Record<string, string>> {
  const file = path.join(ground.dir, "import.gitconfig");
  await writeFile(file, "[safe]\n\tdirectory = *\n");
  return { GIT_CONFIG_GLOBAL: file };
}

/** The branch the source's HEAD is on. A detached HEAD gets a branch, and a note. */
async function headOf(ground: Ground, from: From): Promise<{ branch: string; oid: string; notes: string[] }> {
  const env = await readingAnyOwner(ground);
  const listed = await ground.git(["ls-remote", "--symref", "--", from.address], { env, timeoutMs: FETCH_MS });
  if (listed.code !== 0)
    throw new RepoHostError(
      "not_found",
      `${withoutCredentials(from.address)} cannot be read: ${lastLine(listed.stderr)}`,
    );
  let symbolic: string | null = null;
  let detached: string | null = null;
  const heads = new Map<string, string>();
  for (const line of listed.stdout.toString("utf8").split("\n")) {
    const [what = "", ref = ""] = line.split("\t");
    if (what.startsWith("ref: refs/heads/") && ref === "HEAD") symbolic = what.slice("ref: refs/heads/".length);
    else if (ref === "HEAD") detached = what;
    else if (ref.startsWith("refs/heads/")) heads.set(ref.slice("refs/heads/".length), what);
  }
  const named = symbolic === null ? undefined : heads.get(symbolic);
  if (symbolic !== null && named !== undefined && isBranch(symbolic))
    return { branch: symbolic, oid: named, notes: [] };
  if (detached !== null) {
    const same = [...heads].find(([branch, oid]) => oid === detached && isBranch(branch))?.[0];
    const branch = same ?? (heads.has("main") ? `detached-${detached.slice(0, 7)}` : "main");
    return { branch, oid: detached, notes: [`The source is on no branch; its commit is served as ${branch}.`] };
  }
  const branch = ["main", "master", ...heads.keys()].find((candidate) => heads.has(candidate) && isBranch(candidate));
  const oid = branch === undefined ? undefined : heads.get(branch);
  if (branch === undefined || oid === undefined)
    throw new RepoHostError("invalid", `${withoutCredentials(from.address)} has no commit yet`);
  return { branch, oid, notes: [`The source's current branch has no commit yet; ${branch} is served.`] };
}

async function fetchInto(ground: Ground, gitDir: string, address: string, refspecs: readonly string[]): Promise<void> {
  const flags = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--update-shallow"];
  const fetched = await ground.git(["fetch", ...flags, "--", address, ...refspecs], {
    gitDir,
    env: await readingAnyOwner(ground),
    timeoutMs: FETCH_MS,
  });
  if (fetched.code !== 0)
    throw new RepoHostError("unavailable", `${withoutCredentials(address)}: ${lastLine(fetched.stderr)}`);
}

/** Brings what the source has gained; what people merged here is never undone. */
async function refresh(ground: Ground, name: string, address: string): Promise<readonly string[]> {
  const gitDir = gitDirOf(ground, name);
  await fetchInto(ground, gitDir, address, ["+refs/heads/*:refs/import/*", "refs/tags/*:refs/tags/*", NOT_OURS]);
  const listed = await gitText(ground.git, ["for-each-ref", "--format=%(objectname) %(refname)", "refs/import/"], {
    gitDir,
  });
  const notes: string[] = [];
  for (const line of listed.split("\n").filter(Boolean)) {
    const [oid = "", ref = ""] = line.split(" ");
    const branch = ref.slice("refs/import/".length);
    const target = `refs/heads/${branch}`;
    const here = await ground.git(["rev-parse", "--verify", "--quiet", target], { gitDir });
    const at = here.code === 0 ? here.stdout.toString("utf8").trim() : null;
    if (at === oid) continue;
    const behind = at === null || (await ground.git(["merge-base", "--is-ancestor", at, oid], { gitDir })).code === 0;
    if (behind) await ground.git(["update-ref", target, oid, at ?? ""], { gitDir });
    else if ((await ground.git(["merge-base", "--is-ancestor", oid, at ?? ""], { gitDir })).code !== 0)
      notes.push(`${branch} went another way here than in the source; it stays as it is here.`);
  }
  return notes;
}

/** `null` when git will not look, for instance into a folder of another owner. Takes no lock in the source. */
async function isDirty(ground: Ground, folder: string): Promise<boolean | null> {
  const bare = await ground.git(["-C", folder, "rev-parse", "--is-bare-repository"]);
  if (bare.code === 0 && bare.stdout.toString("utf8").trim() === "true") return false;
  const flags = ["--porcelain", "-z", "--untracked-files=normal", "--ignore-submodules=all"];
  const status = await ground.git(["-C", folder, "status", ...flags], { maxBytes: 64 * 1024 });
  return status.code === 0 ? status.stdout.length > 0 : null;
}

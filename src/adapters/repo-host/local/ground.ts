import { createHash } from "node:crypto";
import path from "node:path";
import type { Git } from "#adapters/git.ts";
import { isRepositoryName } from "#adapters/repo-host/names.ts";
import type { Clock } from "#ports/clock.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { names, RepositoryRecord, readRecord } from "./records.ts";

/** What every part of the local host stands on: a folder, git and the time. */
export interface Ground {
  readonly dir: string;
  /** Where the host's pages are, without a slash at the end. */
  readonly baseUrl: string;
  readonly git: Git;
  readonly clock: Clock;
  /** Empty: the HOME of every git we run. */
  readonly home: string;
}

const short = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 32);

export const gitDirOf = (ground: Ground, repo: string): string => path.join(ground.dir, "git", `${repo}.git`);
const recordsOf = (ground: Ground, repo: string): string => path.join(ground.dir, "records", repo);
export const repositoryFile = (ground: Ground, repo: string): string =>
  path.join(recordsOf(ground, repo), "repository.json");
export const pullsFolder = (ground: Ground, repo: string): string => path.join(recordsOf(ground, repo), "pulls");
export const pullFile = (ground: Ground, repo: string, number: number, what: string): string =>
  path.join(pullsFolder(ground, repo), String(number), `${what}.json`);
export const branchFile = (ground: Ground, repo: string, branch: string): string =>
  path.join(recordsOf(ground, repo), "branches", `${short(branch)}.json`);
export const checksFolder = (ground: Ground, repo: string, oid: string): string =>
  path.join(recordsOf(ground, repo), "checks", oid);
export const checkFile = (ground: Ground, repo: string, oid: string, name: string): string =>
  path.join(checksFolder(ground, repo, oid), `${short(name)}.json`);

/** `null` for a name that is none, and for one that is not here. */
export async function repositoryRecord(ground: Ground, repo: string): Promise<RepositoryRecord | null> {
  return isRepositoryName(repo) ? readRecord(repositoryFile(ground, repo), RepositoryRecord) : null;
}

export async function mustHaveRepository(ground: Ground, repo: string): Promise<RepositoryRecord> {
  const found = await repositoryRecord(ground, repo);
  if (found === null) throw new RepoHostError("not_found", `there is no repository ${JSON.stringify(repo)}`);
  return found;
}

/** All repositories, by name. */
export async function repositoryRecords(ground: Ground): Promise<readonly RepositoryRecord[]> {
  const root = path.join(ground.dir, "records");
  const all: RepositoryRecord[] = [];
  for (const owner of await names(root)) {
    for (const name of await names(path.join(root, owner))) {
      const record = await repositoryRecord(ground, `${owner}/${name}`);
      if (record !== null) all.push(record);
    }
  }
  return all;
}

/** The commit a branch is at, or `null`. */
export async function branchOid(ground: Ground, repo: string, branch: string): Promise<string | null> {
  const ref = `refs/heads/${branch}`;
  const found = await ground.git(["rev-parse", "--verify", "--quiet", "--end-of-options", `${ref}^{commit}`], {
    gitDir: gitDirOf(ground, repo),
  });
  return found.code === 0 ? found.stdout.toString("utf8").trim() : null;
}

/** Whether `oid` is in the history of `of`; `false` when either is not a commit here. */
export async function isAncestor(ground: Ground, repo: string, oid: string, of: string): Promise<boolean> {
  const answer = await ground.git(["merge-base", "--is-ancestor", oid, of], { gitDir: gitDirOf(ground, repo) });
  return answer.code === 0;
}

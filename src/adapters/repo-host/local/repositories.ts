import { randomUUID } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import path from "node:path";
import { gitText, lastLine } from "#adapters/git.ts";
import { isBranch, isRepositoryName } from "#adapters/repo-host/names.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import type { Ground } from "./ground.ts";
import { gitDirOf, repositoryFile, repositoryRecord } from "./ground.ts";
import { createRecord, syncFolder } from "./records.ts";

/** A repository as data. The same seed gives the same commit ids everywhere. */
export interface RepositorySeed {
  readonly defaultBranch: string;
  readonly description: string;
  /** Oldest first; never empty. */
  readonly commits: readonly SeedCommit[];
}

export interface SeedCommit {
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  /** ISO 8601. */
  readonly at: string;
  /** Path to content; `null` deletes. */
  readonly files: Readonly<Record<string, string | null>>;
}

/** Makes the repository; `false` when there is one of that name. */
export async function createRepository(ground: Ground, name: string, seed: RepositorySeed): Promise<boolean> {
  mustBeFree(name, seed.defaultBranch);
  if ((await repositoryRecord(ground, name)) !== null) return false;
  await install(ground, name, seed.defaultBranch, async (gitDir) => {
    const made = await ground.git(["fast-import", "--quiet", "--done"], { gitDir, input: fastImport(seed) });
    if (made.code !== 0) throw new RepoHostError("invalid", `the seed of ${name}: ${lastLine(made.stderr)}`);
  });
  const { defaultBranch, description } = seed;
  return createRecord(repositoryFile(ground, name), { name, defaultBranch, description, source: null });
}

export function mustBeFree(name: string, branch: string): void {
  if (!isRepositoryName(name)) throw new RepoHostError("invalid", `${JSON.stringify(name)} is not owner/name`);
  if (!isBranch(branch)) throw new RepoHostError("invalid", `${JSON.stringify(branch)} is not a branch name`);
}

/**
 * A bare repository, filled beside its place and moved there whole. What already stands there has no record, so it is
 * what a crash left behind.
 */
export async function install(
  ground: Ground,
  name: string,
  defaultBranch: string | null,
  fill: (gitDir: string) => Promise<void>,
): Promise<void> {
  const place = gitDirOf(ground, name);
  const draft = path.join(ground.dir, "git", `.draft-${randomUUID()}.git`);
  await mkdir(path.dirname(place), { recursive: true });
  try {
    const branch = defaultBranch ?? "main";
    await gitText(ground.git, ["init", "--quiet", "--bare", "--template=", `--initial-branch=${branch}`, draft]);
    for (const [key, value] of [
      ["core.hooksPath", "/dev/null"],
      ["core.logAllRefUpdates", "true"],
      ["core.fsync", "committed,loose-object,reference"],
      ["gc.auto", "0"],
      ["receive.autogc", "false"],
    ] as const) {
      await gitText(ground.git, ["config", key, value], { gitDir: draft });
    }
    await fill(draft);
    await rm(place, { recursive: true, force: true });
    await rename(draft, place);
    await syncFolder(path.dirname(place));
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** The seed as a `git fast-import` stream. */
function fastImport(seed: RepositorySeed): string {
  const data = (text: string): string => `data ${Buffer.byteLength(text)}\n${text}\n`;
  const out: string[] = [];
  for (const { message, author, at, files } of seed.commits) {
    const who = `${author.name} <${author.email}> ${Math.floor(Date.parse(at) / 1000)} +0000`;
    out.push(`commit refs/heads/${seed.defaultBranch}\nauthor ${who}\ncommitter ${who}\n${data(`${message}\n`)}`);
    for (const [file, content] of Object.entries(files)) {
      out.push(content === null ? `D ${file}\n` : `M 100644 inline ${file}\n${data(content)}`);
    }
  }
  return `${out.join("")}done\n`;
}

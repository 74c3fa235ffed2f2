import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export interface GitRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A forge's repository and a place for clones, on disk. */
export interface Forge {
  readonly name: string;
  /** The bare repository: what a clone URL names. */
  readonly path: string;
  readonly main: string;
  readonly folder: string;
  git(args: readonly string[], cwd?: string): Promise<GitRun>;
  /** Every ref of the forge's repository with its commit. */
  refs(): Promise<string>;
  close(): Promise<void>;
}

export function runGit(args: readonly string[], cwd: string, home: string): Promise<GitRun> {
  const identity = {
    GIT_AUTHOR_NAME: "A",
    GIT_AUTHOR_EMAIL: "a@x.test",
    GIT_COMMITTER_NAME: "A",
    GIT_COMMITTER_EMAIL: "a@x.test",
  };
  const env = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    HOME: home,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    LC_ALL: "C.UTF-8",
    ...identity,
  };
  return new Promise((resolve) => {
    execFile("git", [...args], { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error ? (typeof error.code === "number" ? error.code : -1) : 0, stdout, stderr });
    });
  });
}

/** "acme/site" with a README, `docs/a` and two commits on main. */
export async function makeForge(name = "acme/site"): Promise<Forge> {
  const folder = await mkdtemp(path.join(tmpdir(), "cs-forge-"));
  const bare = path.join(folder, "forge.git");
  const work = path.join(folder, "seed");
  const git = async (args: readonly string[], cwd = folder) => await runGit(args, cwd, folder);
  const must = async (args: readonly string[], cwd = folder) => {
    const result = await git(args, cwd);
    if (result.code !== 0) throw new Error(`git ${args.join(" ")}: ${result.stderr}`);
    return result.stdout.trim();
  };
  await must(["init", "--quiet", "--bare", "--initial-branch=main", bare]);
  await must(["init", "--quiet", "--initial-branch=main", work]);
  await mkdir(path.join(work, "docs"));
  await writeFile(path.join(work, "README.md"), "# Site\n");
  await writeFile(path.join(work, "docs", "a"), "on: push\n");
  await must(["add", "."], work);
  await must(["commit", "--quiet", "-m", "first"], work);
  await writeFile(path.join(work, "README.md"), "# Site\n\nHello.\n");
  await must(["commit", "--quiet", "-am", "second"], work);
  await must(["tag", "v1"], work);
  await must(["push", "--quiet", bare, "main", "v1"], work);
  const main = await must(["rev-parse", "main"], work);
  return {
    name,
    path: bare,
    main,
    folder,
    git,
    refs: () => must(["for-each-ref"], bare),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { cleanGit, lastLine } from "#adapters/git.ts";
import { mustBePush } from "#adapters/repo-host/names.ts";
import type { Clock } from "#ports/clock.ts";
import type { HostedRepository, PullRequestChange, RepoHost } from "#ports/repo-host.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { finishMerges } from "./decide.ts";
import type { Ground } from "./ground.ts";
import { branchOid, gitDirOf, mustHaveRepository, repositoryRecord, repositoryRecords } from "./ground.ts";
import type { Imported } from "./import.ts";
import { importRepository } from "./import.ts";
import { editPull, markReady, mustHavePull, openPull, pullOfBranch, readPull, writeChecks } from "./pulls.ts";
import type { RepositoryRecord } from "./records.ts";
import type { RepositorySeed } from "./repositories.ts";
import { createRepository } from "./repositories.ts";
import { teller } from "./tell.ts";

/** The port, and what only a stand-in on this machine can offer. Merging is not here: it is on the pages. */
export interface LocalRepoHost extends RepoHost {
  /** Makes a repository out of data; `false` when there is one of that name. */
  createRepository(name: string, seed: RepositorySeed): Promise<boolean>;
  /** Serves a repository from elsewhere under `name`; see `import.ts`. The source is never written to. */
  importRepository(name: string, source: string): Promise<Imported>;
  /** Tells what was decided before a crash, then goes on telling. Call once everything that listens is there. */
  start(): Promise<void>;
  /** Tells what is untold now. Resolves after one round; what was not taken is tried again by itself. */
  tell(): Promise<void>;
  stop(): Promise<void>;
  /** For the host's own pages. */
  readonly ground: Ground;
}

/**
 * A git host in a folder, standing in for a forge: bare repositories, and pull requests as JSON records that survive
 * a crash at any point. Several processes may open the same folder. Resolves when merges that a crash interrupted are
 * finished or taken back.
 */
export async function localRepoHost(o: {
  dir: string;
  /** Where `localHostPages` is mounted, for instance "http://127.0.0.1:3000/code". */
  baseUrl: string;
  /** Rejecting means "not taken": it is called again, with the same delivery id, until it resolves. */
  onChange: (change: PullRequestChange) => Promise<void>;
  clock: Clock;
  /** Where a change that was not taken is said. */
  onFailure: (error: unknown, change: PullRequestChange | null, nextMs: number) => void;
  /** Wait before the next try. Default: 0.5 s, doubling to a minute. */
  retryMs?: (failures: number) => number;
  /** PATH to look for git in. */
  path?: string;
}): Promise<LocalRepoHost> {
  const dir = path.resolve(o.dir);
  const home = path.join(dir, "home");
  await mkdir(home, { recursive: true });
  const git = cleanGit({ home, ...(o.path === undefined ? {} : { path: o.path }) });
  const ground: Ground = { dir, home, baseUrl: o.baseUrl.replace(/\/+$/, ""), git, clock: o.clock };
  const telling = teller(ground, {
    onChange: o.onChange,
    onFailure: o.onFailure,
    retryMs: o.retryMs ?? ((failures) => Math.min(60_000, 500 * 2 ** failures)),
  });
  for (const { name } of await repositoryRecords(ground)) await finishMerges(ground, name);

  const hosted = ({ name, defaultBranch }: RepositoryRecord): HostedRepository => ({
    name,
    defaultBranch,
    cloneUrl: gitDirOf(ground, name),
    webUrl: `${ground.baseUrl}/${name}`,
  });

  return {
    name: "local",
    ground,
    async repository(name) {
      const record = await repositoryRecord(ground, name);
      return record === null ? null : hosted(record);
    },
    async readCredential() {
      return null;
    },
    push: (to) => push(ground, to),
    async findPullRequest(repo, branch) {
      await mustHaveRepository(ground, repo);
      return (await pullOfBranch(ground, repo, branch))?.pull ?? null;
    },
    openPullRequest: (of) => openPull(ground, of),
    editPullRequest: (repo, number, text) => editPull(ground, repo, number, text),
    async pullRequest(repo, number) {
      await mustHaveRepository(ground, repo);
      return (await readPull(ground, repo, number))?.pull ?? null;
    },
    reportChecks: (repo, oid, checks) => writeChecks(ground, repo, oid, checks),
    async words(repo, number) {
      // Its people decide, and nothing of its own checks: what became of a pull request is all there is to hear.
      await mustHavePull(ground, repo, number);
      return [];
    },
    async requestReview(repo, number) {
      // People here are those of the local page; none of them is named in a repository.
      await mustHavePull(ground, repo, number);
      return [];
    },
    markReady: (repo, number) => markReady(ground, repo, number),
    async repositories() {
      return (await repositoryRecords(ground)).map(hosted);
    },
    createRepository: (name, seed) => createRepository(ground, name, seed),
    importRepository: (name, source) => importRepository(ground, name, source),
    start: () => telling.round(),
    tell: () => telling.round(),
    stop: () => telling.stop(),
  };
}

/** Pushes with a lease, so that of two pushes which expect the same commit git itself refuses one. */
async function push(
  ground: Ground,
  to: { repo: string; branch: string; oid: string; expected: string | null; gitDir: string },
): Promise<void> {
  const { defaultBranch } = await mustHaveRepository(ground, to.repo);
  mustBePush(to);
  if (to.branch === defaultBranch)
    throw new RepoHostError("denied", `${to.branch} is the default branch; only a person moves it`);
  const before = await branchOid(ground, to.repo, to.branch);
  if (before === to.oid) return;
  const stale = (at: string | null) =>
    new RepoHostError(
      "stale",
      `${to.branch} of ${to.repo} is at ${at ?? "no commit"}, not at ${to.expected ?? "none"}`,
    );
  if (before !== to.expected) throw stale(before);
  const ref = `refs/heads/${to.branch}`;
  const lease = `--force-with-lease=${ref}:${to.expected ?? ""}`;
  const target = gitDirOf(ground, to.repo);
  const pushed = await ground.git(["push", "--quiet", "--no-verify", lease, "--", target, `${to.oid}:${ref}`], {
    gitDir: path.resolve(to.gitDir),
  });
  if (pushed.code === 0) return;
  const after = await branchOid(ground, to.repo, to.branch);
  if (after === to.oid) return;
  if (after !== to.expected) throw stale(after);
  const known = await ground.git(["cat-file", "-e", `${to.oid}^{commit}`], { gitDir: path.resolve(to.gitDir) });
  if (known.code !== 0) throw new RepoHostError("invalid", `${to.oid} is not a commit of the repository to push from`);
  throw new RepoHostError("unavailable", `push to ${to.repo} failed: ${lastLine(pushed.stderr)}`);
}

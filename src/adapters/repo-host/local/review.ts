import type { CheckReport } from "#ports/repo-host.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import type { MergeTrial } from "./decide.ts";
import { tryMerge } from "./decide.ts";
import type { Change } from "./diff.ts";
import { readChange } from "./diff.ts";
import type { Ground } from "./ground.ts";
import { branchOid, gitDirOf, repositoryRecord } from "./ground.ts";
import type { KeptPull } from "./pulls.ts";
import { readChecks, readPull } from "./pulls.ts";

/** Everything a person sees of a pull request. */
export interface Review extends KeptPull {
  /** `null` when a commit of it is not there any more. */
  readonly change: Change | null;
  readonly checks: readonly CheckReport[];
  /** Where git reads the repository from. */
  /** `null`: not to be shown. */
  readonly cloneUrl: string | null;
  /** What pressing Merge would do; `null` when it is decided, or the base branch is gone. */
  readonly trial: MergeTrial | null;
}

export async function readReview(ground: Ground, repo: string, number: number): Promise<Review | null> {
  if ((await repositoryRecord(ground, repo)) === null) return null;
  const kept = await readPull(ground, repo, number);
  if (kept === null) return null;
  const { pull, decision } = kept;
  // A decided pull request keeps showing what was decided on, whatever its base does afterwards.
  const baseOid = decision === null ? await branchOid(ground, repo, pull.base) : decision.baseOid;
  const [change, checks, trial] = await Promise.all([
    baseOid === null ? null : readChange(ground, repo, baseOid, pull.headOid).catch(whenGone),
    readChecks(ground, repo, pull.headOid),
    decision !== null || baseOid === null ? null : tryMerge(ground, repo, baseOid, pull.headOid),
  ]);
  return { ...kept, change, checks, trial, cloneUrl: gitDirOf(ground, repo) };
}

/** Commits can be lost, when people force and prune; the page says so instead of breaking. */
function whenGone(error: unknown): null {
  if (error instanceof RepoHostError) return null;
  throw error;
}

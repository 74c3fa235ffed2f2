import type { CheckReport, PullRequest, PullRequestText } from "#ports/repo-host.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import type { Ground } from "./ground.ts";
import { branchFile, branchOid, checkFile, checksFolder, mustHaveRepository, pullFile, pullsFolder } from "./ground.ts";
import {
  BranchRecord,
  CheckRecord,
  claimFolder,
  createRecord,
  DecisionRecord,
  MarkRecord,
  names,
  OpenedRecord,
  readRecord,
  replaceRecord,
  TextRecord,
} from "./records.ts";

/** A pull request with everything that is kept about it. */
export interface KeptPull {
  readonly pull: PullRequest;
  readonly text: PullRequestText;
  readonly opened: OpenedRecord;
  /** Of a merge: only once it has landed. */
  readonly decision: DecisionRecord | null;
}

/** `null` when there is no such number, or when it was claimed by an opening that never finished. */
export async function readPull(ground: Ground, repo: string, number: number): Promise<KeptPull | null> {
  const [opened, text] = await Promise.all([
    readRecord(pullFile(ground, repo, number, "opened"), OpenedRecord),
    readRecord(pullFile(ground, repo, number, "text"), TextRecord),
  ]);
  if (opened === null || text === null) return null;
  const claim = await readRecord(branchFile(ground, repo, opened.branch), BranchRecord);
  if (claim?.number !== number) return null;
  const decided = await readRecord(pullFile(ground, repo, number, "decision"), DecisionRecord);
  const landed = decided?.kind === "closed" || (await isMarked(ground, repo, number, "landed"));
  const decision = landed ? decided : null;
  const headOid = decision?.headOid ?? (await branchOid(ground, repo, opened.branch)) ?? opened.headOid;
  const pull: PullRequest = {
    repo,
    number,
    url: `${ground.baseUrl}/${repo}/pull/${number}`,
    state: decision?.kind ?? "open",
    draft: opened.draft && decision?.kind !== "merged" && !(await isMarked(ground, repo, number, "ready")),
    branch: opened.branch,
    base: opened.base,
    headOid,
  };
  return { pull, text, opened, decision };
}

/** Every pull request, newest first. */
export async function readPulls(ground: Ground, repo: string): Promise<readonly KeptPull[]> {
  const numbers = (await names(pullsFolder(ground, repo))).map(Number).sort((a, b) => b - a);
  const pulls: KeptPull[] = [];
  for (const number of numbers) {
    const kept = await readPull(ground, repo, number);
    if (kept !== null) pulls.push(kept);
  }
  return pulls;
}

/** Numbers of pull requests that a person has decided on, landed or not. */
export async function decidedNumbers(ground: Ground, repo: string): Promise<readonly number[]> {
  const decided: number[] = [];
  for (const number of await names(pullsFolder(ground, repo))) {
    const decision = await readRecord(pullFile(ground, repo, Number(number), "decision"), DecisionRecord);
    if (decision !== null) decided.push(Number(number));
  }
  return decided;
}

export async function pullOfBranch(ground: Ground, repo: string, branch: string): Promise<KeptPull | null> {
  const claim = await readRecord(branchFile(ground, repo, branch), BranchRecord);
  return claim === null ? null : readPull(ground, repo, claim.number);
}

/**
 * The number is claimed by making its folder, the branch by making its record: both are single steps that only one
 * caller can win, in this process or another. A crash in between leaves a number unused and nothing else.
 */
export async function openPull(
  ground: Ground,
  of: { repo: string; branch: string; base: string; draft: boolean } & PullRequestText,
): Promise<PullRequest> {
  const { repo, branch, base, draft, title, body } = of;
  await mustHaveRepository(ground, repo);
  const taken = (number: number) => new RepoHostError("invalid", `${branch} has pull request ${repo}#${number}`);
  const before = await readRecord(branchFile(ground, repo, branch), BranchRecord);
  if (before !== null) throw taken(before.number);
  const [headOid, baseOid] = await Promise.all([branchOid(ground, repo, branch), branchOid(ground, repo, base)]);
  if (headOid === null || branch === base || baseOid === null)
    throw new RepoHostError("invalid", `there is nothing between ${base} and ${branch} in ${repo}`);

  const used = (await names(pullsFolder(ground, repo))).map(Number);
  let number = Math.max(0, ...used) + 1;
  while (!(await claimFolder(`${pullsFolder(ground, repo)}/${number}`))) number += 1;
  const at = ground.clock.now().toISOString();
  await Promise.all([
    replaceRecord(pullFile(ground, repo, number, "opened"), { number, branch, base, draft, headOid, at }),
    replaceRecord(pullFile(ground, repo, number, "text"), { title, body }),
  ]);
  if (!(await createRecord(branchFile(ground, repo, branch), { branch, number }))) {
    const winner = await readRecord(branchFile(ground, repo, branch), BranchRecord);
    throw taken(winner?.number ?? number);
  }
  const kept = await readPull(ground, repo, number);
  if (kept === null) throw new Error(`${repo}#${number} was opened and is not there`);
  return kept.pull;
}

export async function editPull(ground: Ground, repo: string, number: number, text: PullRequestText): Promise<void> {
  await mustHavePull(ground, repo, number);
  await replaceRecord(pullFile(ground, repo, number, "text"), { title: text.title, body: text.body });
}

/** Out of draft, for good. */
export async function markReady(ground: Ground, repo: string, number: number): Promise<void> {
  const { pull } = await mustHavePull(ground, repo, number);
  if (pull.draft && pull.state === "open") await mark(ground, repo, number, "ready");
}

/** Throws "not_found". */
export async function mustHavePull(ground: Ground, repo: string, number: number): Promise<KeptPull> {
  const kept = await readPull(ground, repo, number);
  if (kept === null) throw new RepoHostError("not_found", `${repo} has no pull request ${number}`);
  return kept;
}

export async function writeChecks(
  ground: Ground,
  repo: string,
  oid: string,
  checks: readonly CheckReport[],
): Promise<void> {
  await mustHaveRepository(ground, repo);
  const at = ground.clock.now().toISOString();
  for (const [order, { name, conclusion, summary }] of checks.entries()) {
    await replaceRecord(checkFile(ground, repo, oid, name), { order, at, name, conclusion, summary });
  }
}

/** Reports on a commit, in the order they were made. */
export async function readChecks(ground: Ground, repo: string, oid: string): Promise<readonly CheckReport[]> {
  const folder = checksFolder(ground, repo, oid);
  const found: CheckRecord[] = [];
  for (const name of await names(folder)) {
    const record = await readRecord(`${folder}/${name}`, CheckRecord);
    if (record !== null) found.push(record);
  }
  return found
    .sort((a, b) => a.order - b.order || a.name.localeCompare(b.name))
    .map(({ name, conclusion, summary }) => ({ name, conclusion, summary }));
}

/** A step that is behind us: "ready" (no draft any more), "landed" (the base has the merge), "told" (`onChange` has resolved). */
type Mark = "ready" | "landed" | "told";

export async function isMarked(ground: Ground, repo: string, number: number, mark: Mark): Promise<boolean> {
  return (await readRecord(pullFile(ground, repo, number, mark), MarkRecord)) !== null;
}

export async function mark(ground: Ground, repo: string, number: number, what: Mark): Promise<void> {
  await createRecord(pullFile(ground, repo, number, what), { at: ground.clock.now().toISOString() });
}

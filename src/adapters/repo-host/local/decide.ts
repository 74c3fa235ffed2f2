import { randomUUID } from "node:crypto";
import { gitText, lastLine } from "#adapters/git.ts";
import type { Ground } from "./ground.ts";
import { branchOid, gitDirOf, isAncestor, pullFile } from "./ground.ts";
import { decidedNumbers, isMarked, mark, readPull } from "./pulls.ts";
import type { DecisionRecord, Person } from "./records.ts";
import { createRecord, DecisionRecord as DecisionSchema, readRecord, removeRecord } from "./records.ts";

/** What became of a person's press on Merge or Close. Only the first two changed anything. */
export type Decided =
  | { readonly kind: "merged"; readonly oid: string }
  | { readonly kind: "closed" }
  | { readonly kind: "not_found" }
  | { readonly kind: "already"; readonly state: "merged" | "closed" | "open" }
  /** The branch moved since the person read it. */
  | { readonly kind: "head_moved" }
  | { readonly kind: "base_gone" }
  | { readonly kind: "base_moved" }
  | { readonly kind: "conflict"; readonly files: readonly string[] }
  /** git could not merge at all, for instance two histories without a common commit. */
  | { readonly kind: "unmergeable"; readonly reason: string };

/** A press: who, on what, and the commit they had before their eyes. */
export interface Press {
  readonly repo: string;
  readonly number: number;
  readonly by: Person;
  readonly headOid: string;
}

// A base that moves between our look and our write is looked at again, a few times.
const TRIES = 3;

/**
 * A real merge commit, made without a work tree. The decision is written before the base moves, so that a crash
 * leaves either nothing or a merge that `finishMerges` can finish. This is a person's act on the pages of the
 * stand-in: nothing else may call it.
 */
export async function mergePull(ground: Ground, press: Press): Promise<Decided> {
  const { repo, number, by, headOid } = press;
  for (let tries = 0; tries < TRIES; tries += 1) {
    const kept = await readPull(ground, repo, number);
    if (kept === null) return { kind: "not_found" };
    if (kept.pull.state !== "open") return { kind: "already", state: kept.pull.state };
    if (kept.pull.headOid !== headOid) return { kind: "head_moved" };
    const baseOid = await branchOid(ground, repo, kept.pull.base);
    if (baseOid === null) return { kind: "base_gone" };

    const title = `Merge pull request #${number} from ${kept.pull.branch}\n\n${kept.text.title}\n`;
    const made = await mergeCommit(ground, repo, { baseOid, headOid, by, message: title });
    if (!("oid" in made)) return made;
    const decision: DecisionRecord = {
      kind: "merged",
      deliveryId: `local:${repo}#${number}:${randomUUID()}`,
      by,
      at: ground.clock.now().toISOString(),
      headOid,
      baseOid,
      mergeOid: made.oid,
    };
    if (!(await createRecord(pullFile(ground, repo, number, "decision"), decision))) {
      const after = await readPull(ground, repo, number);
      return { kind: "already", state: after?.pull.state ?? "open" };
    }
    if (await land(ground, repo, number, kept.pull.base, decision)) return { kind: "merged", oid: made.oid };
  }
  return { kind: "base_moved" };
}

export async function closePull(ground: Ground, press: Press): Promise<Decided> {
  const { repo, number, by } = press;
  const kept = await readPull(ground, repo, number);
  if (kept === null) return { kind: "not_found" };
  if (kept.pull.state !== "open") return { kind: "already", state: kept.pull.state };
  const decision: DecisionRecord = {
    kind: "closed",
    deliveryId: `local:${repo}#${number}:${randomUUID()}`,
    by,
    at: ground.clock.now().toISOString(),
    headOid: kept.pull.headOid,
    baseOid: await branchOid(ground, repo, kept.pull.base),
    mergeOid: null,
  };
  if (await createRecord(pullFile(ground, repo, number, "decision"), decision)) return { kind: "closed" };
  const after = await readPull(ground, repo, number);
  return { kind: "already", state: after?.pull.state ?? "open" };
}

/** After a crash: merges that were decided and not seen to land are landed, or taken back so that a person can press again. */
export async function finishMerges(ground: Ground, repo: string): Promise<void> {
  for (const number of await decidedNumbers(ground, repo)) {
    const kept = await readPull(ground, repo, number);
    if (kept?.pull.state !== "open") continue;
    const decision = await readRecord(pullFile(ground, repo, number, "decision"), DecisionSchema);
    if (decision !== null) await land(ground, repo, number, kept.pull.base, decision);
  }
}

/** Moves the base from where the person saw it to the merge. `false`, and the decision taken back, when it is elsewhere. */
async function land(
  ground: Ground,
  repo: string,
  number: number,
  base: string,
  { baseOid, mergeOid }: DecisionRecord,
): Promise<boolean> {
  if (baseOid === null || mergeOid === null) return false;
  if (await isMarked(ground, repo, number, "landed")) return true;
  const moved =
    baseOid === mergeOid
      ? { code: 0 }
      : await ground.git(["update-ref", "-m", `merge of #${number}`, `refs/heads/${base}`, mergeOid, baseOid], {
          gitDir: gitDirOf(ground, repo),
        });
  const now = await branchOid(ground, repo, base);
  if (moved.code === 0 || (now !== null && (await isAncestor(ground, repo, mergeOid, now)))) {
    await mark(ground, repo, number, "landed");
    return true;
  }
  await removeRecord(pullFile(ground, repo, number, "decision"));
  return false;
}

/** What a merge would give, without making it: the page says so before anybody presses. */
export type MergeTrial =
  | { readonly kind: "clean"; readonly tree: string }
  /** The base has these commits already. */
  | { readonly kind: "contained" }
  | Extract<Decided, { kind: "conflict" | "unmergeable" }>;

export async function tryMerge(ground: Ground, repo: string, baseOid: string, headOid: string): Promise<MergeTrial> {
  if (await isAncestor(ground, repo, headOid, baseOid)) return { kind: "contained" };
  const merged = await ground.git(["merge-tree", "--write-tree", "--name-only", "-z", baseOid, headOid], {
    gitDir: gitDirOf(ground, repo),
  });
  const parts = merged.stdout.toString("utf8").split("\0");
  // In a conflict: the tree, the names of the files, an empty part, then words for people.
  if (merged.code === 1) return { kind: "conflict", files: parts.slice(1, Math.max(1, parts.indexOf("", 1))) };
  if (merged.code !== 0) return { kind: "unmergeable", reason: lastLine(merged.stderr) };
  return { kind: "clean", tree: (parts[0] ?? "").trim() };
}

async function mergeCommit(
  ground: Ground,
  repo: string,
  of: { baseOid: string; headOid: string; by: Person; message: string },
): Promise<{ oid: string } | Extract<Decided, { kind: "conflict" | "unmergeable" }>> {
  const trial = await tryMerge(ground, repo, of.baseOid, of.headOid);
  // Somebody pushed the same commits to the base by hand: merged already, all that is missing is the record.
  if (trial.kind === "contained") return { oid: of.baseOid };
  if (trial.kind !== "clean") return trial;
  const { tree } = trial;
  const date = `${Math.floor(ground.clock.now().getTime() / 1000)} +0000`;
  const oid = await gitText(ground.git, ["commit-tree", tree, "-p", of.baseOid, "-p", of.headOid, "-F", "-"], {
    gitDir: gitDirOf(ground, repo),
    input: of.message,
    env: {
      GIT_AUTHOR_NAME: signature(of.by.name) || signature(of.by.id) || "someone",
      GIT_AUTHOR_EMAIL: `${signature(of.by.id) || "someone"}@localhost`,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: "Local git host",
      GIT_COMMITTER_EMAIL: "host@localhost",
      GIT_COMMITTER_DATE: date,
    },
  });
  return { oid };
}

/** A name as git can keep it in one line; "" when all of it is what git cuts off a name, and it takes none that is only that. */
const signature = (text: string): string => {
  const line = text.replace(/[\p{Cc}<>\n]/gu, "").trim();
  return /^[\s.,:;"'\\]*$/.test(line) ? "" : line;
};

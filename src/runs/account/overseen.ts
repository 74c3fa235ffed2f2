import type { Account } from "#ports/directory.ts";
import { membersOf } from "#runs/approval/ask.ts";
import type { Core } from "#runs/core.ts";
import { type Answered, type QuickRule, quickRules } from "#runs/quick-yes.ts";
import { isIn } from "#runs/seat.ts";

/** How far back answers are looked at: a habit of last year's is no news. */
const LOOKED_BACK_MS = 90 * 24 * 3_600_000;

/**
 * Rules whose questions are answered unread, for whoever can change that: who is in policy's `owners` or `auditors` now, or
 * the operator (`null`). Nothing for anybody else, nor while nobody can say who is in them. `answers`: of everybody, since a
 * time.
 */
export async function overseen(
  core: Core,
  viewer: Account | null,
  answers: (since: Date) => Promise<readonly Answered[]>,
): Promise<readonly QuickRule[]> {
  if (viewer !== null && !(await oversees(core, viewer))) return [];
  return quickRules(await answers(new Date(core.clock.now().getTime() - LOOKED_BACK_MS)));
}

/** One of the two groups that is silent takes nothing from the other. */
async function oversees(core: Core, viewer: Account): Promise<boolean> {
  const current = core.policy();
  if (viewer.kind !== "member" || !current.ok) return false;
  const { policy } = current;
  for (const from of [policy.owners?.from, policy.auditors]) {
    if (from === undefined || from === null) continue;
    try {
      if (isIn(viewer, await membersOf(core, policy, viewer.workspace, from))) return true;
    } catch (cause) {
      const error = cause instanceof Error ? cause.message : String(cause);
      core.log("who oversees the policy could not be asked", { of: from, error });
    }
  }
  return false;
}

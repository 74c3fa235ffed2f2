import type { Answered } from "#runs/quick-yes.ts";
import { and, asc, eq, gte } from "./drizzle.ts";
import { approvals, approvalVotes } from "./schema/approvals.ts";
import { type Db, reading } from "./store.ts";

/**
 * What people answered since a time, oldest first. Out of the questions' own rows, which are written with the events that say
 * the same: to look for those would be to read every event of that time.
 */
export async function recordedAnswers(db: Db, orgId: string, since: Date): Promise<readonly Answered[]> {
  const found = await reading(db)
    .select({
      asks: approvals.asks,
      openedAt: approvals.openedAt,
      provider: approvalVotes.provider,
      workspace: approvalVotes.workspace,
      id: approvalVotes.externalId,
      choice: approvalVotes.choice,
      at: approvalVotes.at,
    })
    .from(approvalVotes)
    .innerJoin(approvals, eq(approvals.id, approvalVotes.approvalId))
    .where(and(eq(approvalVotes.orgId, orgId), gte(approvalVotes.at, since)))
    .orderBy(asc(approvalVotes.at), asc(approvalVotes.approvalId));
  return found.map(({ provider, workspace, id, ...answer }) => ({ ...answer, account: { provider, workspace, id } }));
}

import type { ExternalId } from "#ports/directory.ts";
import type { Approval, Vote } from "#runs/approval.ts";
import type { ApprovalStore } from "#runs/stores.ts";
import { and, asc, eq, inArray, sql } from "./drizzle.ts";
import { holdRun, isId, storable } from "./fence.ts";
import { approvals, approvalVotes } from "./schema/approvals.ts";
import { asDb, type Db, reading } from "./store.ts";

export function approvalStore(db: Db, orgId: string): ApprovalStore {
  return {
    async open(tx, approval) {
      const to = asDb(tx);
      // The run's lock makes the count below ours alone.
      await holdRun(to, { id: approval.runId, epoch: null });
      const asked = to
        .select({ n: sql`coalesce(max(${approvals.askNo}), 0) + 1` })
        .from(approvals)
        .where(
          and(
            eq(approvals.runId, approval.runId),
            eq(approvals.gate, approval.gate),
            eq(approvals.digest, approval.digest),
          ),
        );
      const { id, runId, gate, digest, subject, asks, expiresAt } = approval;
      const [row] = await to
        .insert(approvals)
        .values({ orgId, id, runId, gate, digest, subject, asks, expiresAt, askNo: sql`(${asked})` })
        .onConflictDoNothing()
        .returning();
      if (!row) throw new Error(`Run ${runId} already waits for an answer to this ${gate} question.`);
      return toApproval(row);
    },
    async get(id) {
      if (!isId(id)) return null;
      const [row] = await reading(db).select().from(approvals).where(mine(orgId, id));
      return row ? toApproval(row) : null;
    },
    async lock(tx, id) {
      if (!isId(id)) return null;
      const from = asDb(tx);
      const [found] = await from.select({ runId: approvals.runId }).from(approvals).where(mine(orgId, id));
      if (!found) return null;
      await holdRun(from, { id: found.runId, epoch: null });
      const [row] = await from.select().from(approvals).where(eq(approvals.id, id)).for("update");
      return row ? toApproval(row) : null;
    },
    async ofRun(runId) {
      const rows = await reading(db)
        .select()
        .from(approvals)
        .where(eq(approvals.runId, runId))
        .orderBy(asc(approvals.openedAt), asc(approvals.id));
      return rows.map(toApproval);
    },
    async ofRuns(runIds) {
      if (runIds.length === 0) return new Map();
      const rows = await reading(db)
        .select()
        .from(approvals)
        .where(inArray(approvals.runId, [...runIds]))
        .orderBy(asc(approvals.openedAt), asc(approvals.id));
      return Map.groupBy(rows.map(toApproval), ({ runId }) => runId);
    },
    async pendingOf(tx, runId) {
      const rows = await asDb(tx)
        .select()
        .from(approvals)
        .where(and(eq(approvals.runId, runId), eq(approvals.status, "pending")))
        .orderBy(asc(approvals.openedAt), asc(approvals.id));
      return rows.map(toApproval);
    },
    async pending(limit) {
      const rows = await reading(db)
        .select()
        .from(approvals)
        .where(and(eq(approvals.orgId, orgId), eq(approvals.status, "pending")))
        .orderBy(asc(approvals.openedAt), asc(approvals.id))
        .limit(limit);
      return rows.map(toApproval);
    },
    async vote(tx, vote) {
      const cast = await asDb(tx)
        .insert(approvalVotes)
        .values({
          orgId,
          approvalId: vote.approvalId,
          personId: vote.person.id,
          personName: storable(vote.person.name),
          provider: vote.account.provider,
          workspace: vote.account.workspace,
          externalId: vote.account.id,
          choice: vote.choice,
          reason: vote.reason === null ? null : storable(vote.reason),
        })
        .onConflictDoNothing()
        .returning({ at: approvalVotes.at });
      return cast.length > 0;
    },
    async votes(tx, approvalId) {
      const rows = await asDb(tx)
        .select()
        .from(approvalVotes)
        .where(eq(approvalVotes.approvalId, approvalId))
        .orderBy(asc(approvalVotes.at), asc(approvalVotes.personId));
      return rows.map(toVote);
    },
    async amend(tx, id, asks) {
      const [row] = await asDb(tx)
        .update(approvals)
        .set({ asks })
        .where(and(eq(approvals.status, "pending"), mine(orgId, id)))
        .returning();
      return row ? toApproval(row) : null;
    },
    async close(tx, id, status) {
      const [row] = await asDb(tx)
        .update(approvals)
        .set({ status, closedAt: sql`clock_timestamp()` })
        .where(and(mine(orgId, id), eq(approvals.status, "pending")))
        .returning();
      return row ? toApproval(row) : null;
    },
  };
}

const mine = (orgId: string, id: string) => and(eq(approvals.orgId, orgId), eq(approvals.id, id));

function toApproval(row: typeof approvals.$inferSelect): Approval {
  const { orgId: _, ...approval } = row;
  return approval;
}

function toVote(row: typeof approvalVotes.$inferSelect): Vote & { account: ExternalId } {
  return {
    approvalId: row.approvalId,
    person: { id: row.personId, name: row.personName },
    account: { provider: row.provider, workspace: row.workspace, id: row.externalId },
    choice: row.choice,
    reason: row.reason,
    at: row.at,
  };
}

import { DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { Approval } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { factsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import { type Run, workspaceOf } from "#runs/run.ts";
import { membersOf } from "./ask.ts";
import { escalatesAt } from "./remind.ts";

const LOOK_AGAIN_MS = 60_000;

/**
 * Of the open questions of a run: puts to their next group what nobody has decided in time. Each once, whoever looks and
 * after any crash: the question itself says that it was done. Returns when to look again; `null`: for nothing more. A group
 * that cannot be read lets nobody answer; that is said, and tried again.
 */
export async function escalate(core: Core, run: Run, open: readonly Approval[]): Promise<Date | null> {
  const now = core.clock.now();
  const groups = new Map<string, readonly ExternalId[]>();
  const unread = new Set<string>();
  for (const approval of open) {
    for (const ask of approval.asks) {
      const at = escalatesAt(approval, ask);
      if (ask.escalate === null || at === null || at > now || groups.has(ask.escalate.to)) continue;
      const members = await readable(core, run, ask.escalate.to);
      if (members === null) unread.add(ask.escalate.to);
      else groups.set(ask.escalate.to, members);
    }
  }
  if (groups.size > 0) {
    await core.store.tx(async (tx) => {
      await core.stores.runs.lock(tx, run.id);
      for (const { id } of open) {
        const asked = await core.stores.approvals.lock(tx, id);
        if (asked?.status !== "pending") continue;
        const late = asked.asks.filter((ask) => {
          const at = escalatesAt(asked, ask);
          return at !== null && at <= now && ask.escalate !== null && groups.has(ask.escalate.to);
        });
        if (late.length === 0) continue;
        const asks = asked.asks.map((ask) =>
          late.includes(ask)
            ? { ...ask, escalated: { at: now.toISOString(), members: groups.get(ask.escalate?.to ?? "") ?? [] } }
            : ask,
        );
        await core.stores.approvals.amend(tx, id, asks);
        const events = late.map(({ from, escalate: way }) => ({
          kind: "approval.escalated" as const,
          approval: id,
          from,
          to: way?.to ?? "",
        }));
        await record(core, tx, run.id, null, events);
        await tell(core, tx, run, "escalated", id);
        await tell(core, tx, run, "approval", id);
        await tell(core, tx, run, "status");
      }
    });
    core.nudge();
  }
  for (const group of unread) await say(core, run, group);
  const later = open.flatMap((approval) =>
    approval.asks.flatMap((ask) => {
      const at = escalatesAt(approval, ask);
      return at === null || at <= now ? [] : [at.getTime()];
    }),
  );
  if (unread.size > 0) later.push(now.getTime() + LOOK_AGAIN_MS);
  return later.length === 0 ? null : new Date(Math.min(...later));
}

/** Who is in the group now; `null`: it cannot be known. */
async function readable(core: Core, run: Run, group: string): Promise<readonly ExternalId[] | null> {
  const current = core.policy();
  try {
    return current.ok ? await membersOf(core, current.policy, workspaceOf(run), group) : null;
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    core.log("a question could not be escalated", { run: run.number, group, error: error.message });
    return null;
  }
}

/** Once for each group. */
async function say(core: Core, run: Run, group: string): Promise<void> {
  const text = `Nobody has decided in time, and who is in ${group} cannot be read, so they cannot answer yet. It is tried again every minute.`;
  if ((await factsOf(core, run.id)).notices.some((notice) => notice.text === text)) return;
  await core.store.tx(async (tx) => {
    await record(core, tx, run.id, null, [{ kind: "notice", text }]);
    await tell(core, tx, run, "status");
  });
  core.nudge();
}

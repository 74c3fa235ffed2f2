import { isUsedUp } from "#runs/budget-added.ts";
import type { Core } from "#runs/core.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { escalate } from "./escalate.ts";
import { earliest, giveUpMs, reminders } from "./remind.ts";

/**
 * A parked run whose time has come: its people are reminded, its pending approvals expire (which is neither yes nor no),
 * and after the `give_up` of what it waits for it is handed off. Expiry never approves.
 */
export async function expire(core: Core, run: Run): Promise<void> {
  const now = core.clock.now();
  const all = await core.stores.approvals.ofRun(run.id);
  const late = all.filter((approval) => approval.status === "pending" && approval.expiresAt <= now);
  const pending = all.filter((approval) => approval.status === "pending" && approval.expiresAt > now);
  const { due, next: remindOrExpire } = await reminders(core, run, pending);
  const next = earliest(remindOrExpire, await escalate(core, run, pending));
  if (pending.length > 0 && late.length === 0 && due.length === 0 && run.wakeAt?.getTime() === next?.getTime()) return;
  const lastAsked = Math.max(run.createdAt.getTime(), ...all.map((approval) => approval.openedAt.getTime()));
  // What it waits for is what nobody answered, of the questions that were open together with the last one.
  const unanswered = all.filter(
    ({ gate, status, closedAt }) =>
      gate !== "host" &&
      (status === "pending" || (status === "expired" && closedAt !== null && closedAt.getTime() >= lastAsked)),
  );
  const waitMs = giveUpMs(
    core,
    unanswered.flatMap(({ asks }) => asks),
  );
  if (late.length === 0 && pending.length === 0 && now.getTime() - lastAsked >= waitMs) {
    const last = all.at(-1);
    const spent = last?.gate === "budget" ? isUsedUp(last) : null;
    return handOff(core, run, {
      fault: spent === null ? "policy" : "budget",
      tried: "to get an approval",
      failed:
        spent === null
          ? "Nobody who may approve answered in time."
          : `${spent}, and nobody who may give more answered in time. The run page has the work so far.`,
      next: "Ask again in the channel, or ask the approvers why they did not answer.",
    });
  }
  await core.store.tx(async (tx) => {
    const locked = await core.stores.runs.lock(tx, run.id);
    // Decided a moment ago, and gone on: nothing here is waited for any more.
    if (locked?.state !== run.state) return;
    const open = await core.stores.approvals.pendingOf(tx, run.id);
    for (const approval of due) {
      if (open.some(({ id }) => id === approval.id)) await tell(core, tx, run, "reminder", approval.id);
    }
    for (const approval of late) {
      const closed = await core.stores.approvals.close(tx, approval.id, "expired");
      if (!closed) continue;
      await record(core, tx, run.id, run.epoch, [
        { kind: "approval.closed", approval: approval.id, status: "expired" },
      ]);
      await tell(core, tx, run, "approval", approval.id);
    }
    await core.stores.runs.patch(tx, run, { wakeAt: next ?? new Date(lastAsked + waitMs) });
    if (late.length > 0) await tell(core, tx, run, "status");
  });
  core.nudge();
}

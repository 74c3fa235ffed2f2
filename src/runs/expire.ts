import type { Core } from "./core.ts";
import { handOff } from "./hand-off.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";
import { tell } from "./tell.ts";

/**
 * A parked run whose time has come: its pending approvals expire (which is neither yes nor no), and after the policy's
 * `give_up` it is handed off. Expiry never approves.
 */
export async function expire(core: Core, run: Run): Promise<void> {
  const now = core.clock.now();
  const all = await core.stores.approvals.ofRun(run.id);
  const late = all.filter((approval) => approval.status === "pending" && approval.expiresAt <= now);
  const pending = all.filter((approval) => approval.status === "pending" && approval.expiresAt > now);
  if (pending.length > 0 && late.length === 0) return;
  const current = core.policy();
  const giveUpMs = current.ok ? current.policy.approvals.giveUpMs : 7 * 24 * 3_600_000;
  const lastAsked = Math.max(run.createdAt.getTime(), ...all.map((approval) => approval.openedAt.getTime()));
  if (late.length === 0 && pending.length === 0 && now.getTime() - lastAsked >= giveUpMs) {
    return handOff(core, run, {
      fault: "policy",
      tried: "to get an approval",
      failed: "Nobody who may approve answered in time.",
      next: "Ask again in the channel, or ask the approvers why they did not answer.",
    });
  }
  await core.store.tx(async (tx) => {
    await core.stores.runs.lock(tx, run.id);
    for (const approval of late) {
      const closed = await core.stores.approvals.close(tx, approval.id, "expired");
      if (!closed) continue;
      await record(core, tx, run.id, run.epoch, [
        { kind: "approval.closed", approval: approval.id, status: "expired" },
      ]);
      await tell(core, tx, run, "approval", approval.id);
    }
    const next =
      pending.length > 0 ? Math.min(...pending.map((approval) => approval.expiresAt.getTime())) : lastAsked + giveUpMs;
    await core.stores.runs.patch(tx, run, { wakeAt: new Date(next) });
    await tell(core, tx, run, "status");
  });
  core.nudge();
}

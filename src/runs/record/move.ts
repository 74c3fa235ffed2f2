import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import type { EventBody } from "#runs/event.ts";
import { keptUntil } from "#runs/kept.ts";
import { Fenced, type Person, type Run, type RunPatch } from "#runs/run.ts";
import { canMove, isFinal, isParked, queueOf, type RunState } from "#runs/state.ts";
import { record } from "./record.ts";
import { tell } from "./tell.ts";

/**
 * Moves a run: compare-and-set, its event, the messages that show it and the wake that carries it on, in one
 * transaction. Throws `Fenced` when someone else has moved or taken it, and on a move the table does not have.
 */
export async function move(
  core: Core,
  tx: Tx,
  run: Run,
  to: RunState,
  o: {
    by?: Person | null;
    why?: string | null;
    patch?: RunPatch;
    events?: readonly EventBody[];
    epoch?: number | null;
  } = {},
): Promise<Run> {
  if (!canMove(run.state, to)) throw new Error(`a run cannot move from ${run.state} to ${to}`);
  const ending = isFinal(to) ? { wakeAt: keptUntil(to, core.clock.now()) } : {};
  const moved = await core.stores.runs.move(tx, run, to, { ...o.patch, ...ending });
  if (!moved) throw new Fenced(`run ${run.id} is no longer ${run.state} at epoch ${run.epoch}`);
  await record(core, tx, run.id, o.epoch === undefined ? run.epoch : o.epoch, [
    ...(o.events ?? []),
    { kind: "run.moved", from: run.state, to, by: o.by ?? null, why: o.why ?? null },
  ]);
  await tell(core, tx, moved, "status");
  if (isFinal(to) || to === "publishing") {
    // What can no longer be used can no longer be answered; its card says so. Of a run that publishes these are the hosts.
    for (const approval of await core.stores.approvals.pendingOf(tx, run.id)) {
      if (!isFinal(to) && approval.gate !== "host") continue;
      await core.stores.approvals.close(tx, approval.id, "void");
      await record(core, tx, run.id, null, [{ kind: "approval.closed", approval: approval.id, status: "void" }]);
      await tell(core, tx, moved, "approval", approval.id);
    }
  }
  if (isFinal(to)) {
    await core.stores.events.seal(tx, run.id);
    if (to !== "merged" && to !== "closed") await tell(core, tx, moved, "outcome");
    await core.engine.wake(tx, run.id, "control");
  } else if (!isParked(to)) {
    await core.engine.wake(tx, run.id, queueOf(to));
  }
  return moved;
}

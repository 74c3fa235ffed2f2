import type { Core } from "#runs/core.ts";
import { stoppedBecause } from "#runs/record/left.ts";
import { move } from "#runs/record/move.ts";
import type { Run, RunId } from "#runs/run.ts";
import { isFinal } from "#runs/state.ts";
import { release } from "./sandbox.ts";

/**
 * The control queue: ends a run that someone asked to stop, and frees what an ended run held. Idempotent; works when
 * the run's owner is hung or dead, because a stop has fenced it and the sandbox goes with everything in it.
 */
export async function control(core: Core, runId: RunId): Promise<void> {
  const run = await core.stores.runs.get(runId);
  if (!run) return;
  if (isFinal(run.state)) return cleanUp(core, run);
  const { cancelRequestedBy: by } = run;
  if (by === null) return;
  await release(core, run, null);
  await core.store.tx(async (tx) => {
    const locked = await core.stores.runs.lock(tx, run.id);
    if (!locked || isFinal(locked.state)) return;
    await move(core, tx, locked, "cancelled", { why: stoppedBecause(by), epoch: null, patch: { wakeAt: null } });
  });
  core.nudge();
}

/** Comes with the end, and again when `wakeAt` says that what was kept may go: see `kept.ts`. */
async function cleanUp(core: Core, run: Run): Promise<void> {
  await release(core, run, null);
  if (run.wakeAt !== null && run.wakeAt > core.clock.now()) return;
  await core.gateway.forget(run.id);
  if (run.wakeAt !== null) await core.store.tx((tx) => core.stores.runs.patch(tx, run, { wakeAt: null }));
}

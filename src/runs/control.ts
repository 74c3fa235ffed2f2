import type { Core } from "./core.ts";
import { move } from "./move.ts";
import type { Run, RunId } from "./run.ts";
import { release } from "./sandbox.ts";
import { isFinal, type RunState } from "./state.ts";

/** After these the relay's copy of the work is of no use to anyone; after the others a person may still want it. */
const FORGETTABLE: readonly RunState[] = ["denied", "answered", "merged", "closed"];

/**
 * The control queue: ends a run that someone asked to stop, and frees what an ended run held. Idempotent; works when
 * the run's owner is hung or dead, because a stop has fenced it and the sandbox goes with everything in it.
 */
export async function control(core: Core, runId: RunId): Promise<void> {
  const run = await core.stores.runs.get(runId);
  if (!run) return;
  if (isFinal(run.state)) return cleanUp(core, run);
  if (run.cancelRequestedBy === null) return;
  await release(core, run, null);
  await core.store.tx(async (tx) => {
    const locked = await core.stores.runs.lock(tx, run.id);
    if (!locked || isFinal(locked.state)) return;
    await move(core, tx, locked, "cancelled", { why: "stopped by a person", epoch: null, patch: { wakeAt: null } });
  });
  core.nudge();
}

async function cleanUp(core: Core, run: Run): Promise<void> {
  await release(core, run, null);
  if (FORGETTABLE.includes(run.state)) await core.gateway.forget(run.id);
}

import { GatewayError } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import { Fenced, type Run } from "#runs/run.ts";
import type { Slot } from "#runs/slot.ts";
import type { RunState } from "#runs/state.ts";
import { granted } from "./granted.ts";
import { grantOf } from "./sandbox.ts";

/** The states in which a run may have a sandbox, with or without a worker that looks after it. */
const LIVE: readonly RunState[] = ["preparing", "working", "checking"];
const MOST = 10_000;

/**
 * Gives every live sandbox what its run may touch now, so that a policy that was made stricter holds for what is under
 * way, also while an agent waits for a person. The gateway cuts what the new grant refuses.
 */
export async function regrant(core: Core): Promise<void> {
  for (const run of await core.stores.runs.inStates(core.orgId, LIVE, MOST)) await regrantRun(core, run);
}

/** The same for one run, also as soon as people have allowed it more. */
export async function regrantRun(core: Core, run: Run): Promise<void> {
  const done: string[] = [];
  for (const { key, slot, state } of await core.stores.sandboxes.ofRun(run.id)) {
    if (state === "gone") continue;
    if (await granting(core, run, key, slot as Slot)) done.push(key);
  }
  // A sandbox that went meanwhile must not have its token back.
  const rows = done.length === 0 ? [] : await core.stores.sandboxes.ofRun(run.id);
  for (const { key, state } of rows) if (state === "gone" && done.includes(key)) await core.gateway.revoke(key);
}

/** `false`: a worker has taken the run since we read it, and has granted what holds now itself. */
async function granting(core: Core, run: Run, key: string, slot: Slot): Promise<boolean> {
  try {
    await core.gateway.grant(grantOf(core, run, key, slot, await granted(core, run, key, slot)));
    return true;
  } catch (error) {
    if (error instanceof Fenced || (error instanceof GatewayError && error.code === "stale")) return false;
    throw error;
  }
}

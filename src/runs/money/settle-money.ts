import { GatewayError } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";
import type { RunId } from "#runs/run.ts";
import { HOLDS_A_PLACE, isFinal } from "#runs/state.ts";
import { AUDIT_CURSOR } from "./caught-up.ts";

const AT_ONCE = 1_000;

/**
 * Gives back what runs that are not at work any more have not spent of what they were allotted: once they have no sandbox
 * that could spend, and all that the gateway had metered by then is in the record. Until then it is held, or two runs would
 * be promised the same money. By nobody but those who look at the money and by the sweep, so that no crash loses it.
 */
export async function settleMoney(core: Core): Promise<void> {
  const ids = await core.stores.shares.unsettled(AT_ONCE);
  if (ids.length === 0) return;
  try {
    const over: RunId[] = [];
    for (const id of ids) if (await spendsNoMore(core, id)) over.push(id);
    if (over.length === 0) return;
    // Read after the last sandbox was revoked: the journal has no line of theirs beyond it.
    const end = await core.gateway.audited();
    if ((await core.stores.cursors.get(AUDIT_CURSOR)) < end) return;
    for (const id of over) await settle(core, id);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    core.log("what runs have not spent stays held", { runs: ids.length, error: error.message });
  }
}

/** An ended run may have left a sandbox that cannot be destroyed now: its token is dead all the same. */
async function spendsNoMore(core: Core, id: RunId): Promise<boolean> {
  const run = await core.stores.runs.get(id);
  if (run === null || HOLDS_A_PLACE.includes(run.state)) return false;
  const live = (await core.stores.sandboxes.ofRun(id)).filter(({ state }) => state !== "gone");
  if (live.length > 0 && !isFinal(run.state)) return false;
  for (const { key } of live) await core.gateway.revoke(key);
  return true;
}

/** Unless it has gone on meanwhile. */
const settle = (core: Core, id: RunId): Promise<void> =>
  core.store.tx(async (tx) => {
    const run = await core.stores.runs.lock(tx, id);
    if (run !== null && !HOLDS_A_PLACE.includes(run.state)) await core.stores.shares.settle(tx, id);
  });

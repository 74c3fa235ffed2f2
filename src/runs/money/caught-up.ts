import { hold } from "#runs/approval/hold.ts";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";

/** How far the gateway's audit is in the record: the cursor's name in the store. */
export const AUDIT_CURSOR = "gateway:audit";

const LOOK_MS = 25;
/** A worker that reads the audit is never this far behind; a reader that is away begins again within seconds. */
const MOST_MS = 20_000;

/**
 * Resolves when everything that the gateway had decided before this call is in the record; `false` when the audit's
 * readers are behind for so long that it cannot be waited for. Throws when the gateway is away.
 */
export async function caughtUp(core: Core, signal: AbortSignal): Promise<boolean> {
  const end = await core.gateway.audited();
  const until = Date.now() + MOST_MS;
  while ((await core.stores.cursors.get(AUDIT_CURSOR)) < end) {
    signal.throwIfAborted();
    if (Date.now() > until) {
      core.log("the audit of the gateway is not in the record", { end });
      return false;
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  return true;
}

/** The same for what cannot go on without it, in a few words: `false` when the run is held, and says so. */
export async function caughtUpOrHold(
  core: Core,
  run: Run,
  signal: AbortSignal,
  waits = "it is not signed without",
): Promise<boolean> {
  if (await caughtUp(core, signal)) return true;
  const why = `What the gateway decided for this run is not all in the record yet, and ${waits}.`;
  await hold(core, run, `${why} It is tried again every minute.`);
  return false;
}

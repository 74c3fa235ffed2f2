import type { Core } from "./core.ts";

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

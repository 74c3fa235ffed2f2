import { GatewayError } from "#ports/gateway.ts";
import type { Core } from "#runs/core.ts";

/** Larger than this nobody applies by hand; a patch that is cut would not apply at all. */
const PATCH_BYTES = 5_000_000;

export type Unpublished =
  | { readonly patch: string }
  /** "none": nothing was committed. "gone": it was kept for a while, see `kept.ts`. "away": the gateway is; try again. */
  | { readonly patch: null; readonly why: "none" | "gone" | "too_large" | "away" };

/** What a run committed and did not publish, as a unified diff, while the gateway keeps it. */
export async function unpublished(core: Pick<Core, "stores" | "gateway">, runId: string): Promise<Unpublished> {
  const run = await core.stores.runs.get(runId);
  if (run === null || run.baseOid === null || run.headOid === null) return { patch: null, why: "none" };
  try {
    const { patch, truncated } = await core.gateway.changes(run.id, run.baseOid, run.headOid, PATCH_BYTES);
    return truncated ? { patch: null, why: "too_large" } : { patch };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    if (error.code === "not_found") return { patch: null, why: "gone" };
    if (error.code === "unavailable") return { patch: null, why: "away" };
    throw error;
  }
}

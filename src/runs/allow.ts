import { decide, pinnedAndCurrent } from "#policy/decide.ts";
import type { Decision, PolicyObject } from "#policy/decision.ts";
import type { Core } from "./core.ts";
import type { EventBody } from "./event.ts";
import type { Run } from "./run.ts";

/**
 * The one place that asks policy about a run: pinned AND current, so that narrowing bites at once and widening waits
 * for the next run. A policy that cannot be read denies.
 */
export async function allow(core: Core, run: Run, objects: readonly PolicyObject[]): Promise<Decision> {
  const current = core.policy();
  const pinned = await core.stores.policies.get(run.policyDigest);
  if (!current.ok || !pinned) {
    return { outcome: "deny", reason: "policy_unavailable", rules: [], trace: [], digest: run.policyDigest };
  }
  const request = { team: run.team, objects };
  return pinnedAndCurrent(decide(pinned, request), decide(current.policy, request));
}

/** A decision as the record keeps it. */
export function decided(about: string, subject: string, decision: Decision): EventBody {
  return {
    kind: "policy.decided",
    about,
    subject,
    outcome: decision.outcome,
    reason: decision.outcome === "deny" ? decision.reason : null,
    rules: decision.rules.map(({ at, text, why }) => ({ at, text, why })),
    digest: decision.digest,
  };
}

import { decide, pinnedAndCurrent } from "#policy/decide/decide.ts";
import { type TrialVerdict, tryTrial } from "#policy/decide/trial.ts";
import type { Decision, PolicyObject, PolicyRequest } from "#policy/decision.ts";
import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import type { EventBody } from "#runs/event.ts";
import type { Run } from "#runs/run.ts";

/** A decision with what was put to policy. `trial`: what a rule that is only tried would have changed. */
export type Answer = Decision & { readonly request?: PolicyRequest; readonly trial?: TrialVerdict };

/**
 * The one place that asks policy about a run: pinned AND current, so that narrowing bites at once and widening waits
 * for the next run. A policy that cannot be read denies.
 */
export async function allow(
  core: Pick<Core, "policy" | "stores" | "clock">,
  run: Pick<Run, "team" | "policyDigest">,
  objects: readonly PolicyObject[],
): Promise<Answer> {
  const current = core.policy();
  const pinned = await core.stores.policies.get(run.policyDigest);
  if (!current.ok || !pinned) {
    return { outcome: "deny", reason: "policy_unavailable", rules: [], trace: [], digest: run.policyDigest };
  }
  const request = { team: run.team, objects };
  const decision = pinnedAndCurrent(decide(pinned, request), decide(current.policy, request));
  const trial = triedNow(core, request);
  return { ...decision, request, ...(trial === null ? {} : { trial }) };
}

/** What the rules on trial in the policy in force would have said today; `null`: the same. */
export function triedNow(core: Pick<Core, "policy" | "clock">, request: PolicyRequest): TrialVerdict | null {
  const current = core.policy();
  return current.ok ? tryTrial(current.policy, request, core.clock.now().toISOString().slice(0, 10)) : null;
}

/** A decision as the record keeps it. */
export function decided(about: string, subject: string, decision: Answer): Decided {
  const { request, trial } = decision;
  return {
    kind: "policy.decided",
    about,
    subject,
    outcome: decision.outcome,
    reason: decision.outcome === "deny" ? decision.reason : null,
    rules: decision.rules.map(({ at, text, why }) => ({ at, text, why })),
    digest: decision.digest,
    ...(request === undefined ? {} : { request: { team: request.team, objects: [...request.objects] } }),
    ...(trial === undefined ? {} : { trial: triedAs(trial) }),
  };
}

export type Decided = Extract<EventBody, { kind: "policy.decided" }>;

/**
 * The decision, for the record, when it is not there yet: an act is looked at again after a crash, while it waits for people
 * and once they have answered. What another policy says about it is another decision. `act`: names it for ever.
 */
export async function unrecorded(
  core: Pick<Core, "stores">,
  tx: Tx,
  act: string,
  told: Decided,
): Promise<readonly Decided[]> {
  const fresh = await core.stores.inbox.insertDone(tx, "decided", `${act} ${told.outcome} ${told.digest}`);
  return fresh ? [told] : [];
}

/** A trial's word as the record keeps it. */
export const triedAs = ({ outcome, until, rules }: TrialVerdict) => ({
  outcome,
  until,
  rules: rules.map(({ at, text, why }) => ({ at, text, why })),
});

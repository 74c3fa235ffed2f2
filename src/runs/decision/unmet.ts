import { type SandboxOffer, sandboxLack } from "#policy/decide/sandbox.ts";
import type { RuleRef } from "#policy/decision.ts";
import { teamOf } from "#policy/policy.ts";
import type { Scope } from "#policy/scope.ts";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";
import type { Decided } from "./allow.ts";

/**
 * A line of policy that is no rule, and that ends a run: a sandbox that is not to be had, a recipe that is gone, a month
 * that is used up.
 */
export interface Unmet {
  readonly about: "sandbox" | "recipe" | "budget";
  /** The limit or the recipe, by name. */
  readonly subject: string;
  readonly reason: "no_sandbox" | "no_recipe" | "over_limit";
  readonly ref: RuleRef;
}

/** With what a person reads when it ends the run: a sentence that begins small and has no full stop. */
export type UnmetSaid = Unmet & { readonly why: string };

/** As the record keeps it: a decision of the policy in force. Nothing was put to it that another policy could be asked. */
export function decidedByLine(
  core: Pick<Core, "policy">,
  run: Pick<Run, "policyDigest">,
  { about, subject, reason, ref }: Unmet,
): Decided {
  const current = core.policy();
  const rules = [{ at: ref.at, text: ref.text, why: ref.why }];
  const digest = current.ok ? current.policy.digest : run.policyDigest;
  return { kind: "policy.decided", about, subject, outcome: "deny", reason, rules, digest };
}

/** What of the sandbox that policy needs this installation does not have, with the line that wants it; `null`: it has all. */
export async function sandboxUnmet(core: Core, run: Run, needs: Scope["sandbox"]): Promise<UnmetSaid | null> {
  const { isolation, limits } = (await core.sandboxes.preflight()).capabilities;
  const image = core.agents.get(run.agent)?.profile.image ?? run.agent;
  const offer: SandboxOffer = { provider: core.sandboxes.name, image, isolation, limits };
  const lack = sandboxLack(needs, offer);
  if (lack === null) return null;
  const current = core.policy();
  const policies = [current.ok ? current.policy : null, await core.stores.policies.get(run.policyDigest)];
  const teams = policies.flatMap((policy) => (policy === null ? [] : (teamOf(policy, run.team) ?? [])));
  // The needs may be those of both policies: the line, and its words, are those of the one which wants this.
  const of = teams.find(({ sandbox }) => sandboxLack(sandbox, offer) !== null) ?? teams[0];
  const { limit, why } = (of && sandboxLack(of.sandbox, offer)) ?? lack;
  const ref = of?.limitRefs?.[limit] ?? { at: of?.at ?? "", text: limit, why: null };
  return { about: "sandbox", subject: limit, reason: "no_sandbox", why, ref };
}

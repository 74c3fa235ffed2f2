import type { Policy } from "#policy/policy.ts";
import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";

/**
 * Keeps a policy under its digest, with its files where they are those of the policy in force: what a rule said stays
 * readable after any change. Comments are people's words too, so the files are redacted as everything that is kept.
 */
export async function keepPolicy(
  core: Pick<Core, "policy" | "stores" | "redact">,
  tx: Tx,
  policy: Policy,
): Promise<void> {
  const current = core.policy();
  const sources = current.ok && current.policy.digest === policy.digest ? current.sources : undefined;
  if (sources === undefined) return core.stores.policies.keep(tx, policy);
  let plain = REDACTED.get(sources);
  if (plain === undefined) {
    plain = Object.fromEntries([...sources].map(([name, text]) => [name, core.redact(text)]));
    REDACTED.set(sources, plain);
  }
  await core.stores.policies.keep(tx, policy, plain);
}

/** Once per policy in force, not once per request. */
const REDACTED = new WeakMap<ReadonlyMap<string, string>, Readonly<Record<string, string>>>();

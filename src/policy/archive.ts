import { digest } from "./digest.ts";
import { deepFreeze, type Policy } from "./policy.ts";

/** The digest of a compiled policy: all it says and where it says it. The same files at another commit are the same policy. */
export function policyDigest(policy: Omit<Policy, "digest">): string {
  return digest({ ...policy, commit: undefined, digest: undefined });
}

/** A policy that was stored as JSON, ready to decide again. Throws when it is not what its digest was taken of. */
export function restorePolicy(stored: Policy): Policy {
  if (policyDigest(stored) !== stored.digest) throw new Error(`the stored policy is not ${stored.digest}`);
  return deepFreeze(stored);
}

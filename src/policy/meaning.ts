import { canonical, digest } from "./digest.ts";
import { deepFreeze, type Policy } from "./policy.ts";

/** Lists whose order means nothing. The order of setup commands and checks does. */
const UNORDERED = new Set([
  "always",
  "rules",
  "egress",
  "presets",
  "globs",
  "except",
  "in",
  "methods",
  "paths",
  "ports",
  "private",
  "models",
]);

/** Where something stands and how it was put, not what it says. */
const INCIDENTAL = new Set(["at", "text", "commit", "digest"]);

/** What a policy means: without positions and commit, unordered lists sorted, so that a comment or a move changes nothing. */
export function meaning(value: unknown, name = ""): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => meaning(item));
    return UNORDERED.has(name) ? items.toSorted((a, b) => (canonical(a) < canonical(b) ? -1 : 1)) : items;
  }
  if (typeof value !== "object" || value === null) return value;
  // Only texts are left out: a team may be called "at".
  const kept = Object.entries(value).filter(([key, item]) => typeof item !== "string" || !INCIDENTAL.has(key));
  return Object.fromEntries(kept.map(([key, item]) => [key, meaning(item, key)]));
}

/** A stored policy, frozen again. Throws when its text is not what its digest was taken of. */
export function restorePolicy(stored: Policy): Policy {
  if (digest(meaning(stored)) !== stored.digest) throw new Error(`the stored policy is not ${stored.digest}`);
  return deepFreeze(stored);
}

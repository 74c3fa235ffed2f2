import type { Ask, RuleRef } from "./decision.ts";
import { fold, foldedGlob, matchesPath } from "./glob.ts";

/** A path rule that the relay and the publisher apply to every commit. Globs: `*` one segment part, `**` any depth. */
export interface PathRule {
  readonly effect: "allow" | "ask" | "deny";
  readonly globs: readonly string[];
  readonly except: readonly string[];
  /** "group:product" for `ask`; `null` otherwise. */
  readonly from: string | null;
  readonly rule: RuleRef;
  /** The whole question of an `ask`, so that a pinned scope can still put it. */
  readonly ask?: Ask;
}

export interface PathVerdict {
  readonly effect: "allow" | "ask" | "deny";
  /** "rule", "no_rule" (nothing allows it), "bad_path" (absolute, empty or dot segments, control characters). */
  readonly reason: "rule" | "no_rule" | "bad_path";
  /** The first of `matched`; `null` when no rule spoke. */
  readonly rule: RuleRef | null;
  /** Whose yes an `ask` needs; `null` otherwise. With several asks, see `matched`. */
  readonly from: string | null;
  /** Every rule with the winning effect. Several asks must each be met. */
  readonly matched: readonly PathRule[];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be here
const BAD_PATH = /^$|^\/|[\u0000-\u001f\u007f]|(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * What the rules say about one path: deny > ask > allow > deny. Upper and lower case are one path. An empty list denies:
 * a team without an `allow` for a repository has the built-in one in its list (`pathRules`).
 */
export function decidePath(rules: readonly PathRule[], path: string): PathVerdict {
  if (BAD_PATH.test(path)) return { effect: "deny", reason: "bad_path", rule: null, from: null, matched: [] };
  const folded = fold(path);
  const matching = rules.filter((rule) => {
    const named = (glob: string) => matchesPath(foldedGlob(glob), folded);
    return rule.globs.some(named) && !rule.except.some(named);
  });
  for (const effect of ["deny", "ask", "allow"] as const) {
    const matched = matching.filter((rule) => rule.effect === effect);
    const [first] = matched;
    if (first !== undefined) return { effect, reason: "rule", rule: first.rule, from: first.from, matched };
  }
  return { effect: "deny", reason: "no_rule", rule: null, from: null, matched: [] };
}

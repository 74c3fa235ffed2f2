import type { Ask, RuleRef } from "./decision.ts";
import { fold, foldedGlob, matchesCut, type PathGlob } from "./glob.ts";

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

interface CutRule {
  readonly rule: PathRule;
  readonly globs: readonly PathGlob[];
  readonly except: readonly PathGlob[];
}

type Cut = Readonly<Record<PathRule["effect"], readonly CutRule[]>>;

const CUT = new WeakMap<readonly PathRule[], Cut>();

/** The patterns of a list of rules, cut once: a push asks about each of its files. */
function cut(rules: readonly PathRule[]): Cut {
  let made = CUT.get(rules);
  if (made === undefined) {
    const of = (effect: PathRule["effect"]) =>
      rules
        .filter((rule) => rule.effect === effect)
        .map((rule) => ({ rule, globs: rule.globs.map(foldedGlob), except: rule.except.map(foldedGlob) }));
    made = { deny: of("deny"), ask: of("ask"), allow: of("allow") };
    CUT.set(rules, made);
  }
  return made;
}

const EFFECTS = ["deny", "ask", "allow"] as const;

/**
 * What the rules say about one path: deny > ask > allow > deny. Upper and lower case are one path. An empty list denies:
 * a team without an `allow` for a repository has the built-in one in its list (`pathRules`).
 */
export function decidePath(rules: readonly PathRule[], path: string): PathVerdict {
  if (BAD_PATH.test(path)) return { effect: "deny", reason: "bad_path", rule: null, from: null, matched: [] };
  const segments = fold(path).split("/");
  const named = (glob: PathGlob) => matchesCut(glob, segments);
  const of = cut(rules);
  for (const effect of EFFECTS) {
    const matched = of[effect].filter(({ globs, except }) => globs.some(named) && !except.some(named));
    const [first] = matched;
    if (first === undefined) continue;
    const { rule, from } = first.rule;
    return { effect, reason: "rule", rule, from, matched: matched.map((one) => one.rule) };
  }
  return { effect: "deny", reason: "no_rule", rule: null, from: null, matched: [] };
}

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
  /** Where it stands among the rules. */
  readonly nth: number;
  readonly globs: readonly PathGlob[];
  readonly except: readonly PathGlob[];
}

/** Rules of one effect, found by the first segment of the path; those that begin with a wildcard are always tried. */
interface Index {
  readonly named: ReadonlyMap<string, readonly CutRule[]>;
  readonly wild: readonly CutRule[];
}
type Indexed = Readonly<Record<PathRule["effect"], Index>>;

const INDEX = new WeakMap<readonly PathRule[], Indexed>();

function indexOf(rules: readonly CutRule[]): Index {
  const named = new Map<string, CutRule[]>();
  const wild: CutRule[] = [];
  for (const cut of rules) {
    const firsts = cut.globs.map(([first = ""]) => first);
    if (firsts.some((first) => first.includes("*"))) wild.push(cut);
    else for (const first of new Set(firsts)) named.set(first, [...(named.get(first) ?? []), cut]);
  }
  return { named, wild };
}

/** The patterns of a list of rules, cut and indexed once: a push asks about each of its files. */
function indexed(rules: readonly PathRule[]): Indexed {
  let made = INDEX.get(rules);
  if (made === undefined) {
    const cut = rules.map((rule, nth) => ({
      rule,
      nth,
      globs: rule.globs.map(foldedGlob),
      except: rule.except.map(foldedGlob),
    }));
    const of = (effect: PathRule["effect"]) => indexOf(cut.filter(({ rule }) => rule.effect === effect));
    made = { deny: of("deny"), ask: of("ask"), allow: of("allow") };
    INDEX.set(rules, made);
  }
  return made;
}

/** The rules that name the path, in the order in which they stand. */
function naming({ named, wild }: Index, segments: readonly string[]): readonly CutRule[] {
  const names = (glob: PathGlob) => matchesCut(glob, segments);
  const says = ({ globs, except }: CutRule) => globs.some(names) && !except.some(names);
  const one = named.get(segments[0] ?? "")?.filter(says) ?? [];
  const other = wild.length === 0 ? wild : wild.filter(says);
  if (one.length === 0) return other;
  return other.length === 0 ? one : [...one, ...other].sort((a, b) => a.nth - b.nth);
}

const EFFECTS = ["deny", "ask", "allow"] as const;

/**
 * What the rules say about one path: deny > ask > allow > deny. Upper and lower case are one path. An empty list denies:
 * a team without an `allow` for a repository has the built-in one in its list (`pathRules`).
 */
export function decidePath(rules: readonly PathRule[], path: string): PathVerdict {
  if (BAD_PATH.test(path)) return { effect: "deny", reason: "bad_path", rule: null, from: null, matched: [] };
  const segments = fold(path).split("/");
  const of = indexed(rules);
  for (const effect of EFFECTS) {
    const matched = naming(of[effect], segments);
    const [first] = matched;
    if (first === undefined) continue;
    const { rule, from } = first.rule;
    return { effect, reason: "rule", rule, from, matched: matched.map((one) => one.rule) };
  }
  return { effect: "deny", reason: "no_rule", rule: null, from: null, matched: [] };
}

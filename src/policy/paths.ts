import type { Ask, RuleRef } from "./decision.ts";
import { fold, foldedGlob, type PathGlob, pathMatcher } from "./match/glob.ts";

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

const EFFECTS = ["deny", "ask", "allow"] as const;

interface CutRule {
  readonly rule: PathRule;
  /** Where it stands: those that deny before those that ask before those that allow, each as they were written. */
  readonly nth: number;
  readonly globs: readonly PathGlob[];
  readonly except: readonly PathGlob[];
}

/** Rules found by the first segment of the path; those that begin with a wildcard are always tried. All as they stand. */
interface Index {
  readonly named: ReadonlyMap<string, readonly CutRule[]>;
  readonly wild: readonly CutRule[];
}

const INDEX = new WeakMap<readonly PathRule[], Index>();

function indexOf(rules: readonly CutRule[]): Index {
  const named = new Map<string, CutRule[]>();
  const wild: CutRule[] = [];
  for (const cut of rules) {
    const firsts = cut.globs.map(({ segments: [first = ""] }) => first);
    if (firsts.some((first) => first.includes("*"))) wild.push(cut);
    else for (const first of new Set(firsts)) named.set(first, [...(named.get(first) ?? []), cut]);
  }
  return { named, wild };
}

/** The patterns of a list of rules, cut and indexed once: a push asks about each of its files. */
function indexed(rules: readonly PathRule[]): Index {
  let made = INDEX.get(rules);
  if (made === undefined) {
    const standing = EFFECTS.flatMap((effect) => rules.filter((rule) => rule.effect === effect));
    made = indexOf(
      standing.map((rule, nth) => ({
        rule,
        nth,
        globs: rule.globs.map(foldedGlob),
        except: rule.except.map(foldedGlob),
      })),
    );
    INDEX.set(rules, made);
  }
  return made;
}

const NONE: readonly CutRule[] = [];

/** Of rules as they stand, those that name the path and have the first effect of which any does. */
function naming(rules: readonly CutRule[], names: (glob: PathGlob) => boolean): readonly CutRule[] {
  const found: CutRule[] = [];
  for (const cut of rules) {
    if (found[0] !== undefined && found[0].rule.effect !== cut.rule.effect) break;
    if (cut.globs.some(names) && !cut.except.some(names)) found.push(cut);
  }
  return found;
}

/** The rules that decide about the path, as they stand. */
function deciding({ named, wild }: Index, path: string): readonly CutRule[] {
  const slash = path.indexOf("/");
  const here = named.get(slash < 0 ? path : path.slice(0, slash)) ?? NONE;
  if (here.length + wild.length === 0) return NONE;
  const names = pathMatcher(path);
  const one = naming(here, names);
  const other = naming(wild, names);
  const a = one[0];
  const b = other[0];
  if (a === undefined || b === undefined) return a === undefined ? other : one;
  if (a.rule.effect === b.rule.effect) return [...one, ...other].sort((x, y) => x.nth - y.nth);
  return a.nth < b.nth ? one : other;
}

/**
 * What the rules say about one path: deny > ask > allow > deny. Upper and lower case are one path. An empty list denies:
 * a team without an `allow` for a repository has the built-in one in its list (`pathRules`).
 */
export function decidePath(rules: readonly PathRule[], path: string): PathVerdict {
  if (BAD_PATH.test(path)) return { effect: "deny", reason: "bad_path", rule: null, from: null, matched: [] };
  const decisive = deciding(indexed(rules), fold(path));
  const first = decisive[0];
  if (first === undefined) return { effect: "deny", reason: "no_rule", rule: null, from: null, matched: [] };
  const { effect, rule, from } = first.rule;
  // Pushed and not mapped: what `map` makes is of another kind once it is compiled, and its readers are compiled anew.
  const matched: PathRule[] = [];
  for (const { rule: one } of decisive) matched.push(one);
  return { effect, reason: "rule", rule, from, matched };
}

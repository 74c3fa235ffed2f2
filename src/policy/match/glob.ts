/**
 * Two matchers, both without regular expressions, so that no pattern can be slow: time is at most the product of the lengths.
 *
 * Text (commands, models, tools): `*` is any run of characters, also none.
 * Paths (files, repositories, URL paths): `*` stays inside one segment, `**` as a whole segment is any number of
 * segments, and a trailing `**` is at least one: `docs/**` is what lies in `docs`, not `docs` itself.
 */

/** Whether `text` is matched whole. */
export function matchesText(pattern: string, text: string): boolean {
  if (pattern === text || pattern === "*") return true;
  let p = 0;
  let t = 0;
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === "*") {
      star = p++;
      resume = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (p < pattern.length && pattern[p] === "*") p++;
  return p === pattern.length;
}

/** Whether any pattern matches; what `Scope.models` and `Grant.models` mean. An empty list matches nothing. */
export function matchesAnyText(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matchesText(pattern, text));
}

const ANY = "**";

/** A path pattern cut into segments, and for the two usual forms of it what makes the cut needless. */
export interface PathGlob {
  readonly segments: readonly string[];
  /** "docs/" of `docs/**`: it names what begins so. `null` for any other form. */
  readonly beneath: string | null;
  /** "docs/a.md" of a pattern without wildcards: it names itself. `null` for any other form. */
  readonly exact: string | null;
}

const CUT = new Map<string, PathGlob>();
const FOLDED = new Map<string, PathGlob>();
const CUT_AT_MOST = 10_000;

function kept(made: Map<string, PathGlob>, pattern: string, make: (pattern: string) => PathGlob): PathGlob {
  let found = made.get(pattern);
  if (found === undefined) {
    if (made.size >= CUT_AT_MOST) made.clear();
    found = make(pattern);
    made.set(pattern, found);
  }
  return found;
}

/** A pattern, cut. Kept: the same few patterns are asked for with every decision. */
export function cutGlob(pattern: string): PathGlob {
  return kept(CUT, pattern, pathGlob);
}

/** A pattern of a repository or file, cut and folded. */
export function foldedGlob(pattern: string): PathGlob {
  return kept(FOLDED, pattern, (text) => pathGlob(fold(text)));
}

/** Cuts a pattern; a trailing `**` becomes `**`, `*`, and in a run of wildcards the `**` comes first, once. */
export function pathGlob(pattern: string): PathGlob {
  const cut = pattern.split("/");
  if (cut.at(-1) === ANY) cut.push("*");
  const segments: string[] = [];
  for (let i = 0; i < cut.length; ) {
    let end = i;
    while (end < cut.length && (cut[end] === ANY || cut[end] === "*")) end++;
    const run = cut.slice(i, end);
    if (run.includes(ANY)) segments.push(ANY);
    segments.push(...run.filter((segment) => segment === "*"));
    if (end < cut.length) segments.push(cut[end] as string);
    i = end + 1;
  }
  const literal = (some: readonly string[]) => some.every((segment) => !segment.includes("*"));
  const folder = segments.slice(0, -2);
  const wholly = segments.at(-2) === ANY && segments.at(-1) === "*" && literal(folder);
  return {
    segments,
    beneath: wholly ? folder.map((segment) => `${segment}/`).join("") : null,
    exact: literal(segments) ? segments.join("/") : null,
  };
}

/** The greedy match of `matchesText`, one level up: a segment where that has a character. */
function matchesSegments(
  glob: readonly string[],
  segments: readonly string[],
  same: (pattern: string, segment: string) => boolean,
): boolean {
  let g = 0;
  let s = 0;
  let star = -1;
  let resume = 0;
  while (s < segments.length) {
    if (g < glob.length && glob[g] === ANY) {
      star = g++;
      resume = s;
    } else if (g < glob.length && same(glob[g] as string, segments[s] as string)) {
      g++;
      s++;
    } else if (star >= 0) {
      g = star + 1;
      s = ++resume;
    } else return false;
  }
  while (g < glob.length && glob[g] === ANY) g++;
  return g === glob.length;
}

export function matchesPath(glob: PathGlob, path: string): boolean {
  return pathMatcher(path)(glob);
}

/** The same for one path and many patterns: it is cut once, and only when one of an unusual form is among them. */
export function pathMatcher(path: string): (glob: PathGlob) => boolean {
  let segments: readonly string[] | null = null;
  return (glob) => {
    if (glob.beneath !== null) return path.startsWith(glob.beneath);
    if (glob.exact !== null) return path === glob.exact;
    segments ??= path.split("/");
    return matchesSegments(glob.segments, segments, matchesText);
  };
}

/** Stands for "anything" in the inner pattern: only a wildcard of the outer one can take it. No pattern may hold it. */
const ANYTHING = "\u0000";

/**
 * Whether every text the inner pattern matches is matched by the outer one. With an alphabet that has a letter neither
 * pattern names, replacing the inner `*` by that letter decides it.
 */
export function containsText(outer: string, inner: string): boolean {
  return matchesText(outer, inner.replaceAll("*", ANYTHING));
}

/** The same for paths. A "no" may be wrong for odd spellings of the same set; a "yes" never is. */
export function containsPath(outer: PathGlob, inner: PathGlob): boolean {
  return matchesSegments(
    outer.segments,
    inner.segments,
    (pattern, segment) => segment !== ANY && containsText(pattern, segment),
  );
}

/** What nearly every path looks like: it is folded already. */
const PLAIN = /^[\u0020-\u0040\u005b-\u007e]*$/;

/** Case and composition do not make another file: the usual disks of people's machines say so. */
export function fold(text: string): string {
  return PLAIN.test(text) ? text : text.normalize("NFC").toLowerCase();
}

/** Whether a rule limited to some repositories (none: not limited) speaks of this one. */
export function speaksOf(limitedTo: readonly string[], repo: string): boolean {
  if (limitedTo.length === 0) return true;
  const names = pathMatcher(fold(repo));
  return limitedTo.some((glob) => names(foldedGlob(glob)));
}

/** What is wrong with a path pattern, as the end of a sentence, or null. */
export function pathGlobProblem(pattern: string): string | null {
  const odd = /[?[\]{}!\\]/.exec(pattern)?.[0];
  if (odd !== undefined) return `has "${odd}" - only * (inside one segment) and ** (any depth) are wildcards`;
  const segments = pattern.split("/");
  if (segments.some((segment) => segment !== ANY && segment.includes(ANY))) {
    return 'has "**" inside a segment - write it as a segment of its own, like "docs/**"';
  }
  if (segments.some((segment) => segment === "." || segment === ".."))
    return 'has a "." or ".." segment - write the path without it';
  return null;
}

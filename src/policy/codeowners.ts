/** Where GitHub looks, in this order; the first that is there is the only one that counts. */
export const CODEOWNERS_FILES = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"] as const;

/** A larger file is ignored by GitHub. */
export const CODEOWNERS_BYTES = 3_000_000;

/** One line: who owns what it names. No owners: nobody does, whatever an earlier line says. */
interface OwnersLine {
  readonly segments: readonly string[];
  /** "@bo", "@acme/leads", "bo@acme.dev"; as written. */
  readonly owners: readonly string[];
}

export type CodeOwners =
  | { readonly ok: true; ownersOf(path: string): readonly string[] }
  /** `at`: "CODEOWNERS:3". GitHub leaves out a line that it cannot read; we do not guess who was meant. */
  | { readonly ok: false; readonly problems: readonly { readonly at: string; readonly message: string }[] };

const USER = /^@[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?$/;
const TEAM = /^@[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?\/[A-Za-z0-9_.-]+$/;
const EMAIL = /^[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+$/;

export type Owner = { readonly github_user: string } | { readonly github_team: string } | { readonly email: string };

/** Who "@bo", "@acme/leads" or "bo@acme.dev" names; `null` when it is none of these. */
export function ownerOf(text: string): Owner | null {
  if (USER.test(text)) return { github_user: text.slice(1) };
  if (TEAM.test(text)) return { github_team: text.slice(1) };
  return EMAIL.test(text) ? { email: text.toLowerCase() } : null;
}

/**
 * Reads a CODEOWNERS file as GitHub does: the pattern of a line is gitignore's without negation and ranges, upper and
 * lower case differ, and the last line that names a path decides.
 * https://docs.github.com/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
 */
export function readCodeOwners(text: string, file: string): CodeOwners {
  const lines: OwnersLine[] = [];
  const problems: { at: string; message: string }[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    const [pattern, ...owners] = wordsOf(line);
    if (pattern === undefined) continue;
    const complain = (message: string) => problems.push({ at: `${file}:${index + 1}`, message });
    const wrong = patternProblem(pattern);
    if (wrong !== null) complain(`the pattern "${pattern}" ${wrong}`);
    for (const owner of owners) {
      if (ownerOf(owner) === null) complain(`"${owner}" is no owner - write @user, @org/team or an email address`);
    }
    lines.push({ segments: segmentsOf(pattern), owners });
  }
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    ownersOf(path) {
      const cut = path.split("/");
      return lines.findLast(({ segments }) => namesPath(segments, cut))?.owners ?? [];
    },
  };
}

/** Words of a line up to its comment; a space that belongs to a path is written `\ `. */
function wordsOf(line: string): string[] {
  const comment = /(?:^|\s)#/.exec(line);
  const said = comment === null ? line : line.slice(0, comment.index);
  return said.match(/(?:\\.|\S)+/g) ?? [];
}

function patternProblem(pattern: string): string | null {
  if (pattern.startsWith("!"))
    return "negates, and a CODEOWNERS file cannot: name the exception below it, without owners";
  if (pattern.startsWith("[")) return "is a section of another forge: GitHub has none";
  if (/[[\]]/.test(pattern)) return "has a range in brackets, which CODEOWNERS does not know";
  if (pattern.startsWith("\\#")) return "begins with an escaped #, which GitHub does not read as a path";
  if (/\\(?! )/.test(pattern)) return "has a backslash that escapes no space";
  if (pattern.includes("***")) return "has three stars: ** is any depth";
  return pattern === "/" ? "names nothing: / alone matches no file" : null;
}

const ANY = "**";

/**
 * A pattern as segments from the top of the repository, `**` being any number of them. Without a slash before its end it
 * is found at any depth. What names a folder names all in it; a last `*` only what lies in that folder itself.
 */
function segmentsOf(pattern: string): readonly string[] {
  const cut = pattern.replace(/\\(.)/g, "$1").split("/");
  const folder = cut.at(-1) === "";
  if (folder) cut.pop();
  const anchored = cut[0] === "" || cut.length > 1;
  const named = cut[0] === "" ? cut.slice(1) : cut;
  const whole = anchored ? named : [ANY, ...named];
  const last = whole.at(-1);
  // "**" below a folder is at least one segment.
  if (last === ANY || folder) return [...whole.filter((_, i) => i < whole.length - (last === ANY ? 1 : 0)), ANY, "*"];
  return last === "*" ? whole : [...whole, ANY];
}

/** Whether the items are matched whole; `any` stands for any number of them. Time is at most the product of the lengths. */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  any: string,
  same: (part: string, item: string) => boolean,
): boolean {
  let reached = new Set([0]);
  for (const part of pattern) {
    const next = new Set<number>();
    for (const at of reached) {
      if (part === any) for (let end = at; end <= items.length; end++) next.add(end);
      else if (at < items.length && same(part, items[at] as string)) next.add(at + 1);
    }
    if (next.size === 0) return false;
    reached = next;
  }
  return reached.has(items.length);
}

const namesPath = (segments: readonly string[], path: readonly string[]): boolean =>
  matches(segments, path, ANY, (segment, name) =>
    matches([...segment], [...name], "*", (char, at) => char === "?" || char === at),
  );

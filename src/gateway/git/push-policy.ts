import type { RuleRef } from "#policy/decision.ts";
import { decidePath, type PathRule } from "#policy/paths.ts";
import type { Grant } from "#ports/gateway.ts";
import {
  borrowedCommit,
  commitsAfter,
  isAncestor,
  largeFile,
  type RepositoryView,
  secretsIn,
  type TouchedPath,
  touchedPaths,
} from "./commits.ts";
import { type RefCommand, ZERO_OID } from "./pkt-line.ts";

/** What became of one ref of a push. Exactly one audit line each. */
export interface RefVerdict {
  readonly command: RefCommand;
  readonly outcome: "allow" | "deny";
  /** "ref", "ref_delete", "non_ff", "base", "path", "symlink", "submodule", "secret", "limit", "with_refused". */
  readonly reason: string;
  readonly rule: string | null;
  /** For the agent's terminal, one line or several; `null` when allowed. */
  readonly detail: string | null;
  /** What the rules about paths were asked; absent when they did not decide, and of more than a record should hold. */
  readonly judged?: Judged;
}

interface Judged {
  readonly paths: readonly string[];
  /** Whether a person must approve some of them before they are published. */
  readonly asks: boolean;
}

const MOST_COMMITS = 2_000;
const SHOWN = 10;
/** Of one push, in its line of the record. */
const MOST_PATHS = 1_000;
const MOST_PATH_BYTES = 64_000;
const SYMLINK = "120000";
const SUBMODULE = "160000";

type Fault = { reason: string; rule: string | null; detail: string };

/**
 * Holds a push in git's quarantine to the grant: one ref, our own, forward from the base commit, and every commit
 * after it to the path rules and the secret scan, not only the last: a commit that adds and one that removes still
 * publishes what was in between. All refs or none.
 */
export async function verifyPush(
  view: RepositoryView,
  git: NonNullable<Grant["git"]>,
  commands: readonly RefCommand[],
): Promise<readonly RefVerdict[]> {
  const faults = new Map<RefCommand, Fault>();
  const asked = new Map<RefCommand, { readonly judged?: Judged }>();
  for (const command of commands) {
    const refused = refFault(git, command) ?? twiceFault(commands, command);
    const known = refused !== null || faults.size > 0;
    const { fault, judged } = known ? { fault: refused, judged: null } : await contentOf(view, git, command);
    if (fault) faults.set(command, fault);
    if (judged) asked.set(command, { judged });
  }
  return commands.map((command) => {
    const fault = faults.get(command);
    if (fault) return { command, outcome: "deny", ...fault, ...asked.get(command) };
    if (faults.size > 0) {
      const detail = `${command.ref} was pushed together with a ref that is refused.`;
      return { command, outcome: "deny", reason: "with_refused", rule: null, detail };
    }
    return { command, outcome: "allow", reason: "rule", rule: null, detail: null, ...asked.get(command) };
  });
}

function refFault(git: NonNullable<Grant["git"]>, command: RefCommand): Fault | null {
  const own = git.branch === null ? null : `refs/heads/${git.branch}`;
  if (command.ref !== own) {
    const only = own === null ? "this run may not push" : `only ${git.branch} may be pushed from this run`;
    return { reason: "ref", rule: null, detail: `${printable(command.ref)}: ${only}.` };
  }
  if (command.new === ZERO_OID)
    return { reason: "ref_delete", rule: null, detail: `${command.ref}: may not be deleted.` };
  return null;
}

/** git would move it once and not say to which of the two. */
function twiceFault(commands: readonly RefCommand[], command: RefCommand): Fault | null {
  if (commands.filter((each) => each.ref === command.ref).length === 1) return null;
  return { reason: "ref", rule: null, detail: `${command.ref}: was pushed twice at once.` };
}

/** What is wrong with what is pushed, and what the rules about paths were asked when they have the last word. */
async function contentOf(
  view: RepositoryView,
  git: NonNullable<Grant["git"]>,
  command: RefCommand,
): Promise<{ readonly fault: Fault | null; readonly judged: Judged | null }> {
  const commits = await commitsOf(view, git, command);
  if ("fault" in commits) return { ...commits, judged: null };
  if (commits.oids.length === 0) return { fault: null, judged: null };
  const [touched, said] = await Promise.all([
    touchedPaths(view, commits.oids),
    secretFault(view, git, command, commits.oids),
  ]);
  const fault = pathFault(git.paths, touched) ?? said;
  const decided = fault === null || fault.reason === "path";
  return { fault, judged: decided ? judgedPaths(git.paths, touched) : null };
}

/** The commits after the base, when they are the run's own and no file of theirs is too large. */
async function commitsOf(
  view: RepositoryView,
  git: NonNullable<Grant["git"]>,
  command: RefCommand,
): Promise<{ readonly fault: Fault } | { readonly oids: readonly string[] }> {
  const fault = (reason: string, detail: string) => ({ fault: { reason, rule: null, detail } });
  // A run's first push moves its branch from the base: that is one question, not two.
  const olds = [...new Set([git.base, command.old])].filter((oid) => oid !== ZERO_OID);
  const [oids, ...ancestors] = await Promise.all([
    commitsAfter(view, git.base, command.new, MOST_COMMITS),
    ...olds.map((old) => isAncestor(view, old, command.new)),
  ]);
  const follows = new Map(olds.map((old, index) => [old, ancestors[index]]));
  if (command.old !== ZERO_OID && !follows.get(command.old)) {
    return fault("non_ff", `${command.ref}: only forward. Commit on top instead of rewriting.`);
  }
  if (!follows.get(git.base)) return fault("base", `${command.ref}: does not start from ${git.base.slice(0, 12)}.`);
  if (oids === null) return fault("limit", `${command.ref}: more than ${MOST_COMMITS} commits.`);
  if (oids.length === 0) return { oids };
  const [borrowed, large] = await Promise.all([
    borrowedCommit(view, command.new, command.ref.replace("refs/heads/", "")),
    largeFile(view, { base: git.base, head: command.new, maxBytes: git.maxBytes }),
  ]);
  if (borrowed !== null) {
    return fault(
      "base",
      `${command.ref}: ${borrowed.slice(0, 12)} is not of this run. Commit on top of its own branch.`,
    );
  }
  if (large !== null) {
    return fault("limit", `${printable(large.path)}: ${large.bytes} bytes, ${git.maxBytes} may be pushed.`);
  }
  return { oids };
}

async function secretFault(
  view: RepositoryView,
  git: NonNullable<Grant["git"]>,
  command: RefCommand,
  commits: readonly string[],
): Promise<Fault | null> {
  const secrets = await secretsIn(view, commits, Math.max(git.maxBytes * 4, 16_000_000));
  if (secrets === null)
    return { reason: "limit", rule: null, detail: `${command.ref}: more new text than can be scanned.` };
  if (secrets.length === 0) return null;
  const lines = secrets
    .slice(0, SHOWN)
    .map((hit) => `${printable(hit.path)}:${hit.line}: looks like a credential (${hit.rule}).`);
  const advice = "Remove it from every commit of the branch, not only the last.";
  return { reason: "secret", rule: null, detail: [...lines, ...more(secrets.length), advice].join("\n") };
}

/** `null`: more than a line of the record should hold, or a name that is no text. */
function judgedPaths(rules: readonly PathRule[], touched: readonly TouchedPath[]): Judged | null {
  const paths = [...new Set(touched.map(({ path }) => path))].sort();
  const bytes = paths.reduce((sum, path) => sum + Buffer.byteLength(path), 0);
  if (paths.length > MOST_PATHS || bytes > MOST_PATH_BYTES || touched.some(({ odd }) => odd)) return null;
  return { paths, asks: paths.some((path) => decidePath(rules, path).effect === "ask") };
}

function pathFault(rules: readonly PathRule[], touched: readonly TouchedPath[]): Fault | null {
  const lines = new Map<string, { line: string; reason: string; rule: RuleRef | null }>();
  for (const each of touched) {
    const fault = onePathFault(rules, each);
    if (fault && !lines.has(each.path)) lines.set(each.path, fault);
  }
  const [first, ...rest] = lines.values();
  if (!first) return null;
  const shown = [first, ...rest].slice(0, SHOWN).map((each) => each.line);
  return { reason: first.reason, rule: first.rule?.at ?? null, detail: [...shown, ...more(lines.size)].join("\n") };
}

function onePathFault(
  rules: readonly PathRule[],
  touched: TouchedPath,
): { line: string; reason: string; rule: RuleRef | null } | null {
  const name = printable(touched.path);
  const at = `(commit ${touched.commit.slice(0, 12)})`;
  if (touched.odd) return { line: `${name}: the name is not UTF-8 ${at}.`, reason: "path", rule: null };
  if (touched.mode === SYMLINK)
    return { line: `${name}: symbolic links are not accepted ${at}.`, reason: "symlink", rule: null };
  if (touched.mode === SUBMODULE || touched.path.split("/").at(-1)?.toLowerCase() === ".gitmodules") {
    return { line: `${name}: submodules are not accepted ${at}.`, reason: "submodule", rule: null };
  }
  const verdict = decidePath(rules, touched.path);
  if (verdict.effect !== "deny") return null;
  const { rule } = verdict;
  const said = rule
    ? `"${rule.text}" at ${rule.at}${rule.why ? `, ${rule.why}` : ""}`
    : "no rule of this run's policy allows it";
  return { line: `${name}: ${said} ${at}.`, reason: "path", rule };
}

const more = (count: number): string[] => (count > SHOWN ? [`… and ${count - SHOWN} more.`] : []);

/** Names come from the sandbox and go to a terminal and a log. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what is replaced
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "?").slice(0, 300);
}

import { actionProblem, draftProblem } from "#policy/decide/actions.ts";
import { askOf } from "#policy/decide/ask.ts";
import { hint } from "#policy/match/nearest.ts";
import {
  type AskDefaults,
  type Effect,
  type GroupRef,
  type PolicyProblem,
  type Rule,
  SUBJECTS,
  type Subject,
} from "#policy/policy.ts";
import type { QuestionShape, RuleShape } from "#policy/shapes/rule.ts";
import type { SiteConfig } from "#policy/site.ts";
import { type Tool, toolProblem } from "#policy/tools.ts";
import type { Path, Source } from "./document.ts";

/** What compiling one file's rules needs to know, and where it complains. */
export interface Reading {
  readonly source: Source;
  readonly groups: Readonly<Record<string, GroupRef>>;
  readonly approvals: AskDefaults;
  readonly site: SiteConfig;
  readonly problems: PolicyProblem[];
}

export function list<Item>(value: Item | readonly Item[] | undefined): readonly Item[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as readonly Item[]) : [value as Item];
}

/** Position of the n-th of a value that may be written alone or as a list. */
export function nth(source: Source, path: Path, index: number): string {
  return source.at([...path, index]);
}

export function checkGroup(reading: Reading, reference: string, path: Path): void {
  const name = reference.slice("group:".length);
  if (Object.hasOwn(reading.groups, name)) return;
  const known = Object.keys(reading.groups).map((group) => `group:${group}`);
  reading.problems.push({
    at: reading.source.at(path),
    message: `unknown group "${reference}"${hint(reference, known)}`,
  });
}

/** Complaints about a question beyond its shape: groups that are not there, and what nobody here could answer. */
export function checkQuestion(reading: Reading, question: QuestionShape, path: Path): void {
  const { source, problems } = reading;
  if (question.from !== undefined && question.from !== "codeowners") {
    checkGroup(reading, question.from, [...path, "from"]);
  }
  if (question.escalate !== undefined) checkGroup(reading, question.escalate.to, [...path, "escalate", "to"]);
  if (question.assurance === "step_up") {
    problems.push({
      at: source.at([...path, "assurance"]),
      message:
        "no answer proves more than a chat account here: buttons in chat are the only ones there are, and signing in to a page takes the same account - remove it, and let more people say yes (quorum)",
    });
  }
}

/** The rule as one sentence. */
function textOf(rule: Omit<Rule, "ref">): string {
  const parts = [rule.effect, rule.subject, rule.globs.join(", ")];
  if (rule.methods.length > 0) parts.push(rule.methods.join(", "));
  if (rule.paths.length > 0) parts.push(rule.paths.join(", "));
  if (rule.draft !== null) parts.push(rule.draft ? "(draft)" : "(not a draft)");
  if (rule.except.length > 0) parts.push(`except ${rule.except.join(", ")}`);
  if (rule.in.length > 0) parts.push(`in ${rule.in.join(", ")}`);
  if (rule.ask !== null) parts.push(`from ${rule.ask.from}`);
  return parts.join(" ");
}

const LIMITED_TO_A_REPOSITORY: readonly Subject[] = ["git.path", "git.branch", "git.size"];

/** Complaints that need more than the shape: what a subject can say, and what nothing would enforce. */
function checkRule(reading: Reading, rule: Omit<Rule, "ref">, path: Path): void {
  const { source, problems } = reading;
  const { effect, subject } = rule;
  const objects = [...path, effect, subject];
  const complain = (at: string, message: string) => problems.push({ at, message });
  if (rule.in.length > 0 && !LIMITED_TO_A_REPOSITORY.includes(subject)) {
    const limited = LIMITED_TO_A_REPOSITORY.toSorted()
      .join(", ")
      .replace(/, ([^,]*)$/, " and $1");
    complain(source.keyAt([...path, "in"]), `"in" limits ${limited} - a ${subject} has no repository`);
  }
  if (rule.draft !== null) {
    const problem =
      subject === "action"
        ? draftProblem(effect, rule.draft, rule.globs)
        : '"draft" belongs to an action - remove it here';
    if (problem !== null) complain(source.keyAt([...path, effect, "draft"]), problem);
  }
  for (const key of ["methods", "paths"] as const) {
    if (rule[key].length > 0 && subject !== "egress.host") {
      complain(source.keyAt([...path, effect, key]), `"${key}" belongs to egress.host - remove it here`);
    }
  }
  if (rule.ask?.from === "codeowners" && subject !== "git.path") {
    complain(source.at([...path, "from"]), `code owners own paths, and a ${subject} has none - name a group`);
  }
  if (subject === "action" || subject === "tool") {
    const check = (patterns: readonly string[], at: Path, problemOf: (pattern: string) => string | null) =>
      patterns.forEach((pattern, index) => {
        const problem = problemOf(pattern);
        if (problem !== null) complain(nth(source, at, index), problem);
      });
    const one = (as: Effect) => (subject === "tool" ? toolProblem : (pattern: string) => actionProblem(as, pattern));
    check(rule.globs, objects, one(effect));
    check(rule.except, [...path, "except"], one("deny"));
  }
  if (subject === "git.branch" && effect === "allow") {
    complain(
      source.at(objects),
      "git.branch cannot be allowed - a run pushes to its own branch only, the one in defaults.branch",
    );
  }
  if (subject === "git.size" && effect === "allow") {
    complain(
      source.at(objects),
      "git.size cannot be allowed - it says from which size on a person is asked or nothing goes",
    );
  }
  if (subject === "egress.host" && effect !== "deny") {
    complain(
      source.at(objects),
      `egress.host can only be denied here - ${effect === "allow" ? 'a grant belongs under "egress"' : 'a question belongs under "unlisted_egress"'}`,
    );
  }
  if (subject === "model" && (effect !== "allow" || rule.except.length > 0)) {
    complain(source.at(path), "models can only be allowed, without except - name the ones the team may use");
  }
  if (subject === "git.size" && rule.except.length > 0) {
    complain(source.keyAt([...path, "except"]), '"except" has nothing to spare here - a size has no names');
  }
}

/** Compiles the rules at `path`, in place. Complaints go to `reading.problems`; a `null` did not parse. */
export function compileRules(reading: Reading, shapes: readonly (RuleShape | null)[], path: Path): (Rule | null)[] {
  return shapes.map((shape, index) => {
    if (shape === null) return null;
    const at = [...path, index];
    const effect = (["allow", "ask", "deny"] as const).find((word) => shape[word] !== undefined) as Effect;
    const body = shape[effect] as NonNullable<RuleShape["allow"]>;
    const subject = SUBJECTS.find((word) => body[word] !== undefined) as Subject;
    const rule = {
      effect,
      subject,
      globs: list(body[subject]),
      except: list(shape.except),
      in: list(shape.in),
      draft: body.draft ?? null,
      methods: list(body.methods),
      paths: list(body.paths),
      ask: effect === "ask" ? askOf(shape, reading.approvals) : null,
    };
    if (effect === "ask") checkQuestion(reading, shape, at);
    checkRule(reading, rule, at);
    return { ...rule, ref: { at: reading.source.at(at), text: textOf(rule), why: shape.why ?? null } };
  });
}

/** The parts of a rule that most rules do not have. */
export const plainRule = { except: [], in: [], draft: null, methods: [], paths: [], ask: null } as const;

/** `tools: {browser: deny}` as rules; they act where the agent asks. */
export function toolRules(
  { source }: Reading,
  tools: Readonly<Partial<Record<Tool, "allow" | "deny" | undefined>>> | undefined,
  path: Path,
): Rule[] {
  return Object.entries(tools ?? {}).flatMap(([tool, effect]) =>
    effect === undefined
      ? []
      : {
          ...plainRule,
          effect,
          subject: "tool",
          globs: [tool],
          ref: { at: source.keyAt([...path, tool]), text: `${effect} tool ${tool}`, why: null },
        },
  );
}

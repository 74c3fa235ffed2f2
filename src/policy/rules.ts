import { actionProblem } from "./actions.ts";
import type { Ask } from "./decision.ts";
import type { Path, Source } from "./document.ts";
import { pathGlobProblem } from "./glob.ts";
import { hint } from "./nearest.ts";
import {
  type AskDefaults,
  type Effect,
  type GroupRef,
  type PolicyProblem,
  type Rule,
  SUBJECTS,
  type Subject,
} from "./policy.ts";
import type { RuleShape } from "./schema.ts";
import { durationMs } from "./units.ts";

/** What compiling one file's rules needs to know, and where it complains. */
export interface Reading {
  readonly source: Source;
  readonly groups: Readonly<Record<string, GroupRef>>;
  readonly approvals: AskDefaults;
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

function askOf(shape: RuleShape, defaults: AskDefaults): Omit<Ask, "rule"> {
  return {
    from: shape.from as string,
    quorum: shape.quorum ?? defaults.quorum,
    self: shape.self ?? defaults.self,
    expiresMs: shape.expires === undefined ? defaults.expiresMs : (durationMs(shape.expires) as number),
    grants: { for: shape.grants?.for ?? "run" },
  };
}

function textOf(rule: Omit<Rule, "ref">): string {
  const parts = [rule.effect, rule.subject, rule.globs.join(", ")];
  if (rule.draft !== null) parts.push(rule.draft ? "(draft)" : "(not a draft)");
  if (rule.except.length > 0) parts.push(`except ${rule.except.join(", ")}`);
  if (rule.in.length > 0) parts.push(`in ${rule.in.join(", ")}`);
  if (rule.ask !== null) parts.push(`from ${rule.ask.from}`);
  return parts.join(" ");
}

/** Complaints that need more than the shape: what a subject can say, and what nothing would enforce. */
function checkRule(reading: Reading, rule: Omit<Rule, "ref">, path: Path): void {
  const { source, problems } = reading;
  const subject = [...path, rule.effect, rule.subject];
  const complain = (at: string, message: string) => problems.push({ at, message });
  if (rule.ask !== null) checkGroup(reading, rule.ask.from, [...path, "from"]);
  if (rule.in.length > 0 && rule.subject !== "git.path" && rule.subject !== "git.branch") {
    complain(
      source.keyAt([...path, "in"]),
      `"in" limits git.path and git.branch - a ${rule.subject} has no repository`,
    );
  }
  if (rule.draft !== null && rule.subject !== "action") {
    complain(source.keyAt([...path, rule.effect, "draft"]), '"draft" belongs to an action');
  }
  if (rule.subject === "action") {
    rule.globs.forEach((pattern, index) => {
      const problem = actionProblem(rule.effect, pattern);
      if (problem !== null) complain(nth(source, subject, index), problem);
    });
  }
  if (rule.subject === "git.branch" && rule.effect === "allow") {
    complain(
      source.at(subject),
      "git.branch cannot be allowed - a run pushes to its own branch only, the one in defaults.branch",
    );
  }
  if (rule.subject === "model" && (rule.effect !== "allow" || rule.except.length > 0)) {
    complain(source.at(path), "models can only be allowed, without except - name the ones the team may use");
  }
  if (rule.subject === "git.path") {
    rule.except.forEach((pattern, index) => {
      const problem = pattern.startsWith("/") ? 'starts with "/"' : pathGlobProblem(pattern);
      if (problem !== null) complain(nth(source, [...path, "except"], index), `"${pattern}" ${problem}`);
    });
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
      ask: effect === "ask" ? askOf(shape, reading.approvals) : null,
    };
    checkRule(reading, rule, at);
    return { ...rule, ref: { at: reading.source.at(at), text: textOf(rule), why: shape.why ?? null } };
  });
}

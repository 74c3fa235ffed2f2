import { matchesText } from "#policy/match/glob.ts";
import { hint } from "#policy/match/nearest.ts";
import type { Point } from "#policy/points.ts";
import type { Effect, Subject } from "#policy/policy.ts";

/**
 * What may be done with a run, where it is asked, and what happens when no rule speaks. An action that nothing asks about
 * is not here, and so does not load.
 */
const ACTIONS: Record<string, { point: Point; baseline: "allow" | "draft" | "none" }> = {
  "run.start": { point: "intake", baseline: "allow" },
  /** More money, tokens or time for a run that has used up what it had, up to the ceiling. */
  "run.extend": { point: "gateway", baseline: "none" },
  "pr.open": { point: "publish", baseline: "draft" },
  "pr.update": { point: "publish", baseline: "allow" },
  "issue.comment": { point: "protocol", baseline: "allow" },
  "package.install": { point: "protocol", baseline: "none" },
};

/** Held only where the agent asks. What the others come to is held outside of the sandbox, whatever a command hides. */
export const ADVISED: readonly string[] = Object.keys(ACTIONS).filter((name) => ACTIONS[name]?.point === "protocol");

const NEVER = ["pr.merge", "deploy.*"] as const;

/** Nobody is asked for it when it is allowed, and a larger budget is said where budgets are said. */
const ASK_OR_DENY = "run.extend";

/** Whether nothing can grant it: a run ends at the pull request. */
export function isNever(action: string): boolean {
  return NEVER.some((pattern) => matchesText(pattern, action));
}

/** Whether the action is allowed when no rule speaks of it. */
export function allowedByBaseline(action: string, draft: boolean | undefined): boolean {
  const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  return known?.baseline === "allow" || (known?.baseline === "draft" && draft !== false);
}

export function actionPoint(action: string): Point {
  return (Object.hasOwn(ACTIONS, action) ? ACTIONS[action]?.point : undefined) ?? "publish";
}

/** Where the actions that a pattern names are asked about. What can only be denied is denied at publishing. */
export function actionPoints(pattern: string): readonly Point[] {
  const named = Object.keys(ACTIONS).filter((name) => matchesText(pattern, name));
  const never = isNever(pattern) || NEVER.some((one) => matchesText(pattern, one));
  return [...new Set([...named.map(actionPoint), ...(never ? (["publish"] as const) : [])])];
}

/** The action that is another one with a draft than without. */
const DRAFTED = "pr.open";

/** Whether one of these patterns names it. */
export function isDrafted(patterns: readonly string[]): boolean {
  return patterns.some((pattern) => matchesText(pattern, DRAFTED));
}

/** What is wrong with `draft` beside these actions, or null. A question that nobody would be put must not look like one. */
export function draftProblem(effect: Effect, draft: boolean, patterns: readonly string[]): string | null {
  const other = patterns.find((pattern) => !isDrafted([pattern]));
  if (other !== undefined) return `"draft" belongs to ${DRAFTED} - write ${other} as a rule of its own, without it`;
  if (effect !== "ask" || draft) return null;
  return 'nobody is asked about leaving draft, a person does that on the forge - leave "draft" out to ask before a pull request is opened, or allow it to leave draft once every check is green';
}

/** What is wrong with an action in a rule, or null. An action that nothing enforces must not look enforced. */
export function actionProblem(effect: Effect, pattern: string): string | null {
  const names = Object.keys(ACTIONS);
  const touchesNever = isNever(pattern) || NEVER.some((never) => matchesText(pattern, never));
  if (touchesNever && effect !== "deny") {
    const what = isNever(pattern)
      ? `"${pattern}"`
      : `"${pattern}" names ${NEVER.find((never) => matchesText(pattern, never))}, which`;
    return `${what} can only be denied - a run ends at the pull request`;
  }
  if (effect === "allow" && matchesText(pattern, ASK_OR_DENY)) {
    const what = pattern === ASK_OR_DENY ? `"${pattern}"` : `"${pattern}" names ${ASK_OR_DENY}, which`;
    return `${what} can only be asked or denied - a larger budget belongs under "limits"`;
  }
  if (touchesNever || names.some((name) => matchesText(pattern, name))) return null;
  return `unknown action "${pattern}"${hint(pattern, [...names, ...NEVER])}`;
}

/**
 * Where rules on each subject are enforced. "protocol" acts only where the agent asks: it is advisory. That a run pushes to
 * its own branch alone is no rule of anybody's, and the relay's.
 */
export const POINTS: Readonly<Record<Exclude<Subject, "action">, readonly Point[]>> = {
  "git.repo": ["intake", "publish"],
  "git.branch": ["intake", "publish"],
  "git.path": ["relay"],
  "git.size": ["publish"],
  "egress.host": ["gateway"],
  "secret.name": ["gateway"],
  command: ["protocol"],
  model: ["gateway"],
  tool: ["protocol"],
};

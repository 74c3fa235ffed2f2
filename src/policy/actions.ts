import { matchesText } from "./glob.ts";
import { hint } from "./nearest.ts";
import type { Effect, Subject } from "./policy.ts";

/** What may be done with a run, where that is enforced, and what happens when no rule speaks. */
const ACTIONS: Record<string, { point: string; baseline: "allow" | "draft" | "none" }> = {
  "run.start": { point: "intake", baseline: "allow" },
  "pr.open": { point: "publish", baseline: "draft" },
  "pr.update": { point: "publish", baseline: "allow" },
  "issue.comment": { point: "publish", baseline: "allow" },
  "package.install": { point: "publish", baseline: "none" },
};

const NEVER = ["pr.merge", "deploy.*"] as const;

/** What the control plane puts to policy today. A rule about another action waits for the part that will ask. */
const ASKED = ["run.start", "pr.open"] as const;

/** Whether a rule about these actions decides anything yet. */
export function isAsked(patterns: readonly string[]): boolean {
  return patterns.some((pattern) => isNever(pattern) || ASKED.some((action) => matchesText(pattern, action)));
}

/** Whether nothing can grant it: a run ends at the pull request. */
export function isNever(action: string): boolean {
  return NEVER.some((pattern) => matchesText(pattern, action));
}

/** Whether the action is allowed when no rule speaks of it. */
export function allowedByBaseline(action: string, draft: boolean | undefined): boolean {
  const known = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  return known?.baseline === "allow" || (known?.baseline === "draft" && draft !== false);
}

export function actionPoint(action: string): string {
  return (Object.hasOwn(ACTIONS, action) ? ACTIONS[action]?.point : undefined) ?? "publish";
}

/** What is wrong with an action in a rule, or null. An action that nothing enforces must not look enforced. */
export function actionProblem(effect: Effect, pattern: string): string | null {
  const names = Object.keys(ACTIONS);
  const touchesNever = isNever(pattern) || NEVER.some((never) => matchesText(pattern, never));
  if (touchesNever && effect !== "deny") {
    return `"${pattern}" can only be denied - a run ends at the pull request`;
  }
  if (touchesNever || names.some((name) => matchesText(pattern, name))) return null;
  return `unknown action "${pattern}"${hint(pattern, [...names, ...NEVER])}`;
}

/** Where each subject is enforced. "protocol" acts only where the agent asks: it is advisory. */
export const POINTS: Record<Exclude<Subject, "action">, string> = {
  "git.repo": "intake",
  "git.branch": "relay",
  "git.path": "relay",
  "git.size": "publish",
  "egress.host": "gateway",
  "secret.name": "gateway",
  command: "protocol",
  model: "gateway",
  tool: "protocol",
};

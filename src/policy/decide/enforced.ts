import { LIMIT_POINTS, LIMITS, SANDBOX_LIMITS } from "#policy/limit.ts";
import { LINK_POINTS, LINK_ROLES } from "#policy/linked.ts";
import type { Point } from "#policy/points.ts";
import type { Policy, Rule, Team } from "#policy/policy.ts";
import { actionPoints, POINTS } from "./actions.ts";

/** One line of a policy and the places that hold people, agents and runs to it. */
export interface Enforced {
  readonly at: string;
  readonly text: string;
  readonly points: readonly Point[];
  /** It acts only where the agent asks: what must not happen needs a wall too. */
  readonly advisory: boolean;
}

/** Where a rule is enforced; of actions, where each that it names is. */
export function pointsOfRule(rule: Pick<Rule, "subject" | "globs">): readonly Point[] {
  return rule.subject === "action"
    ? [...new Set(rule.globs.flatMap((glob) => actionPoints(glob)))]
    : POINTS[rule.subject];
}

const line = (at: string, text: string, points: readonly Point[]): Enforced => ({
  at,
  text,
  points,
  advisory: points.every((point) => point === "protocol"),
});

/** What a team is held to in numbers, each with its file and line. */
export function limitsEnforced(team: Team): readonly Enforced[] {
  return [...LIMITS, ...SANDBOX_LIMITS].flatMap((name) => {
    const ref = team.limitRefs?.[name];
    return ref === undefined ? [] : [line(ref.at, ref.text, LIMIT_POINTS[name])];
  });
}

/** Whose accounts elsewhere have to be linked before their words or their yes count. */
export function linksEnforced({ linked }: Team): readonly Enforced[] {
  return LINK_ROLES.flatMap((role) =>
    (linked?.[role] ?? []).map(({ ref }) => line(ref.at, ref.text, LINK_POINTS[role])),
  );
}

/** Every line of the policy that allows, asks, denies or limits, with where that is done. */
export function enforcementOf(policy: Policy): readonly Enforced[] {
  const teams = Object.values(policy.teams);
  // What we add is in no file of theirs.
  const always = policy.always.filter(({ ref }) => ref.at !== "baseline");
  const rules = [...always, ...teams.flatMap((team) => team.rules)];
  const grants = teams.flatMap((team) => [
    ...team.egress.map(({ rule }) => rule),
    ...team.presets.map(({ ref }) => ref),
    ...(team.unlisted === null ? [] : [team.unlisted.rule]),
  ]);
  const all = [
    ...rules.map((rule) => line(rule.ref.at, rule.ref.text, pointsOfRule(rule))),
    ...grants.map(({ at, text }) => line(at, text, ["gateway"])),
    ...teams.flatMap(limitsEnforced),
    ...teams.flatMap(linksEnforced),
  ];
  // Defaults hold for many teams and stand in one place.
  return [...new Map(all.map((one) => [`${one.at} ${one.text}`, one])).values()];
}

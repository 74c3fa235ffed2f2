import { decide } from "#policy/decide/decide.ts";
import { withTrial } from "#policy/decide/trial.ts";
import type { PolicyObject, RuleRef } from "#policy/decision.ts";
import type { PolicyCase } from "#policy/load/cases.ts";
import { objectsOf } from "#policy/load/cases.ts";
import { type Policy, type Team, teamOf } from "#policy/policy.ts";
import { opensModels } from "#policy/presets.ts";

/** Every rule and grant that a file says, in the order of the files' names. */
export function rulesOf(policy: Policy): RuleRef[] {
  const teams = Object.values(policy.teams);
  const refs = [
    ...policy.always.map(({ ref }) => ref),
    ...teams.flatMap((team) => [
      ...team.rules.map(({ ref }) => ref),
      ...team.egress.map(({ rule }) => rule),
      ...team.presets.map(({ ref }) => ref),
      ...(team.unlisted === null ? [] : [team.unlisted.rule]),
      ...(team.trial === null ? [] : team.trial.rules.map(({ ref }) => ref)),
    ]),
  ].filter(({ at }) => at !== "baseline");
  return refs.filter((ref, index) => refs.findIndex(({ at }) => at === ref.at) === index);
}

export interface Coverage {
  readonly hit: number;
  readonly of: number;
  /** Rules that decided no case. */
  readonly missed: readonly RuleRef[];
}

/** What decided the request: rules, and the model presets behind a model that is allowed. */
function deciding(policy: Policy, team: Team, objects: readonly PolicyObject[]): string[] {
  const { trace } = decide(policy, { team: team.name, objects });
  const models = trace.some(({ object, outcome }) => object.subject === "model" && outcome === "allow");
  const doors = models ? team.presets.filter(({ name }) => opensModels(name)).map(({ ref }) => ref) : [];
  return [...trace.flatMap(({ rules }) => rules), ...doors].map(({ at }) => at);
}

/**
 * Which rules the cases try. A rule is tried when it helped to decide a case, whatever the case expects; one on trial when
 * it would have.
 */
export function coverageOf(policy: Policy, cases: readonly PolicyCase[]): Coverage {
  const hit = new Set<string>();
  for (const one of cases) {
    const team = teamOf(policy, one.as.team);
    if (team === null) continue;
    const objects = objectsOf(policy, one.do);
    const trial = withTrial(policy, team.name);
    for (const at of deciding(policy, team, objects)) hit.add(at);
    if (trial === null) continue;
    const onTrial = new Set(team.trial?.rules.map(({ ref }) => ref.at));
    for (const at of deciding(trial, team, objects)) if (onTrial.has(at)) hit.add(at);
  }
  const all = rulesOf(policy);
  const missed = all.filter(({ at }) => !hit.has(at));
  return { hit: all.length - missed.length, of: all.length, missed };
}

import type { PolicyCase } from "./cases.ts";
import { objectsOf } from "./cases.ts";
import { decide } from "./decide.ts";
import type { RuleRef } from "./decision.ts";
import { type Policy, teamOf } from "./policy.ts";

/** Every rule and grant that a file says, in the order of the files' names. */
export function rulesOf(policy: Policy): RuleRef[] {
  const teams = Object.values(policy.teams);
  const refs = [
    ...policy.always.map(({ ref }) => ref),
    ...teams.flatMap((team) => [
      ...team.rules.map(({ ref }) => ref),
      ...team.egress.map(({ rule }) => rule),
      ...(team.unlisted === null ? [] : [team.unlisted.rule]),
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

/** Which rules the cases try. A rule is tried when it helped to decide a case, whatever the case expects. */
export function coverageOf(policy: Policy, cases: readonly PolicyCase[]): Coverage {
  const hit = new Set<string>();
  for (const one of cases) {
    if (teamOf(policy, one.as.team) === null) continue;
    const { trace } = decide(policy, { team: one.as.team, objects: objectsOf(policy, one.do) });
    for (const { rules } of trace) for (const { at } of rules) hit.add(at);
  }
  const all = rulesOf(policy);
  const missed = all.filter(({ at }) => !hit.has(at));
  return { hit: all.length - missed.length, of: all.length, missed };
}

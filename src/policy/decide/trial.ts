import type { PolicyRequest, RuleRef } from "#policy/decision.ts";
import { type Policy, teamOf } from "#policy/policy.ts";
import { decide } from "./decide.ts";
import { withoutDenied } from "./denials.ts";

/** What a rule on trial would have said. */
export interface TrialVerdict {
  readonly outcome: "ask" | "deny";
  readonly rules: readonly RuleRef[];
  /** "2027-01-31". */
  readonly until: string;
}

const WITH_TRIAL = new WeakMap<Policy, Map<string, Policy>>();

/** The policy as it would be with the team's trial enforced; `null` without a trial. Kept: it is asked for with every decision. */
export function withTrial(policy: Policy, name: string): Policy | null {
  const team = teamOf(policy, name);
  if (team === null || team.trial === null) return null;
  let teams = WITH_TRIAL.get(policy);
  if (teams === undefined) {
    teams = new Map();
    WITH_TRIAL.set(policy, teams);
  }
  let made = teams.get(name);
  if (made === undefined) {
    const rules = [...team.rules, ...team.trial.rules];
    const egress = withoutDenied(
      team.egress.map(({ denied: _, ...grant }) => grant),
      [...policy.always, ...rules],
    );
    made = { ...policy, teams: { ...policy.teams, [name]: { ...team, rules, egress } } };
    teams.set(name, made);
  }
  return made;
}

/**
 * What the rules on trial would change about a decision on this day ("2027-01-31", UTC); `null` when nothing, also after
 * the trial's end. Nothing is enforced by it: the caller records it beside the decision.
 */
export function tryTrial(policy: Policy, request: PolicyRequest, today: string): TrialVerdict | null {
  const trial = teamOf(policy, request.team)?.trial ?? null;
  if (trial === null || today > trial.until) return null;
  const changed = withTrial(policy, request.team);
  if (changed === null) return null;
  const [now, then] = [decide(policy, request), decide(changed, request)];
  if (then.outcome === "allow" || then.outcome === now.outcome) return null;
  const own = new Set(trial.rules.map(({ ref }) => ref.at));
  return { outcome: then.outcome, rules: then.rules.filter(({ at }) => own.has(at)), until: trial.until };
}

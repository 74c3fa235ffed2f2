import type { RuleRef } from "./decision.ts";
import type { LimitName } from "./limit.ts";
import { type Policy, type Team, teamOf } from "./policy.ts";

/** A number that holds, with the line that says it. */
export interface HeldTo {
  readonly name: LimitName;
  /** Dollars, tokens, milliseconds, bytes or runs: as in `Limits` and `Shares`. */
  readonly most: number;
  readonly ref: RuleRef;
}

function numberOf({ limits, shares }: Team, name: LimitName): number | null {
  switch (name) {
    case "cost_usd":
      return limits.costUsd;
    case "tokens":
      return limits.tokens;
    case "runtime":
      return limits.runtimeMs;
    case "upload":
      return limits.uploadBytes;
    case "concurrent_runs":
      return limits.concurrentRuns;
    case "per_repo.concurrent_runs":
      return shares.perRepo.concurrentRuns;
    case "per_person.concurrent_runs":
      return shares.perPerson.concurrentRuns;
    case "per_month.cost_usd":
      return shares.perMonth.costUsd;
    case "per_month.tokens":
      return shares.perMonth.tokens;
    case "per_person_month.cost_usd":
      return shares.perPersonMonth.costUsd;
    case "per_person_month.tokens":
      return shares.perPersonMonth.tokens;
  }
}

/** What a team is held to under all of these policies: the smallest number, of equal ones the first policy's. `null`: nothing. */
export function heldTo(policies: readonly Policy[], name: string, limit: LimitName): HeldTo | null {
  const said = policies.flatMap((policy): HeldTo[] => {
    const team = teamOf(policy, name);
    const most = team === null ? null : numberOf(team, limit);
    if (team === null || most === null) return [];
    const ref = team.limitRefs?.[limit] ?? { at: team.at, text: `limits.${limit} ${most}`, why: null };
    return [{ name: limit, most, ref }];
  });
  return said.reduce<HeldTo | null>((least, one) => (least === null || one.most < least.most ? one : least), null);
}

import { type Ceiling, ceilingOf, grantsAbove, limitsAbove } from "./ceiling.ts";
import type { Source } from "./document.ts";
import { compileGrants, type Grants } from "./grants.ts";
import type { AskDefaults, Policy, PolicyProblem, Rule, SiteConfig } from "./policy.ts";
import { checkGroup, compileRules, type Reading } from "./rules.ts";
import type { Salvaged } from "./salvage.ts";
import type { OrgShape } from "./schema.ts";
import { durationMs } from "./units.ts";

const APPROVALS: AskDefaults = {
  quorum: 1,
  self: false,
  expiresMs: 30 * 60_000,
  remindMs: 10 * 60_000,
  giveUpMs: 7 * 86_400_000,
};

function approvalsOf(shape: NonNullable<OrgShape["defaults"]>["approvals"]): AskDefaults {
  const ms = (text: string | undefined, otherwise: number) =>
    text === undefined ? otherwise : (durationMs(text) ?? otherwise);
  return {
    quorum: shape?.quorum ?? APPROVALS.quorum,
    self: shape?.self ?? APPROVALS.self,
    expiresMs: ms(shape?.expires, APPROVALS.expiresMs),
    remindMs: ms(shape?.remind, APPROVALS.remindMs),
    giveUpMs: ms(shape?.give_up, APPROVALS.giveUpMs),
  };
}

/** The organisation's part, compiled, with what the teams are held to. */
export interface Org {
  readonly shape: Salvaged<OrgShape>;
  readonly reading: Reading;
  readonly ceiling: Ceiling;
  readonly always: readonly Rule[];
  readonly defaults: Grants;
}

/** Complaints go to `problems`. */
export function compileOrg(
  source: Source,
  shape: Salvaged<OrgShape>,
  site: SiteConfig,
  problems: PolicyProblem[],
): Org {
  const approvals = approvalsOf(shape.defaults?.approvals);
  // The schema has checked that each group has exactly one source.
  const reading: Reading = { source, groups: (shape.groups ?? {}) as Policy["groups"], approvals, problems };
  if (shape.owners !== undefined) checkGroup(reading, shape.owners.from, ["owners", "from"]);
  const ceiling = ceilingOf(source, shape.ceiling);
  const always = compileRules(reading, shape.always ?? [], ["always"]);
  always.forEach((rule, index) => {
    if (rule?.effect === "allow") {
      problems.push({
        at: source.at(["always", index]),
        message: '"always" holds deny and ask - a grant belongs to a team',
      });
    }
  });
  const defaults = compileGrants(reading, shape.defaults?.egress ?? [], ["defaults", "egress"], site);
  problems.push(...grantsAbove(ceiling, defaults));
  problems.push(...limitsAbove(ceiling, shape.defaults?.limits ?? {}, source, ["defaults", "limits"]));
  return {
    shape,
    reading,
    ceiling,
    always: [...always.filter((rule) => rule !== null), ...policyRepoRule(site)],
    defaults,
  };
}

/** No run may be given the repository that holds its own guardrails. */
function policyRepoRule(site: SiteConfig): Rule[] {
  if (site.policyRepo === undefined) return [];
  const text = `deny git.repo ${site.policyRepo}`;
  const ref = { at: "baseline", text, why: "the repository that holds the policy is never given to a run" };
  return [
    { effect: "deny", subject: "git.repo", globs: [site.policyRepo], except: [], in: [], draft: null, ask: null, ref },
  ];
}

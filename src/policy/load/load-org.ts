import { durationMs } from "#policy/match/units.ts";
import type { AskDefaults, GroupRef, Policy, PolicyProblem, Rule } from "#policy/policy.ts";
import type { OrgShape } from "#policy/shapes/org.ts";
import type { SiteConfig } from "#policy/site.ts";
import { type Ceiling, ceilingOf, grantsAbove } from "./ceiling.ts";
import type { Source } from "./document.ts";
import { checkCeiling, compileGrants, type Grants } from "./grants.ts";
import { limitsAbove, sandboxAbove } from "./limits.ts";
import { checkGroup, compileRules, plainRule, type Reading, toolRules } from "./rules.ts";
import type { Salvaged } from "./salvage.ts";

const APPROVALS: AskDefaults = {
  from: null,
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
    from: shape?.from ?? APPROVALS.from,
    quorum: shape?.quorum ?? APPROVALS.quorum,
    self: shape?.self ?? APPROVALS.self,
    expiresMs: ms(shape?.expires, APPROVALS.expiresMs),
    remindMs: ms(shape?.remind, APPROVALS.remindMs),
    giveUpMs: ms(shape?.give_up, APPROVALS.giveUpMs),
  };
}

/** The schema has checked that each group has exactly one source. */
function groupsOf(shape: NonNullable<OrgShape["groups"]>): Policy["groups"] {
  const groups = Object.entries(shape).map(([name, { max_age, ...source }]) => {
    const maxAgeMs = max_age === undefined ? null : durationMs(max_age);
    return [name, { ...source, ...(maxAgeMs === null ? {} : { maxAgeMs }) } as GroupRef] as const;
  });
  return Object.fromEntries(groups);
}

/** The organisation's part, compiled, with what the teams are held to. */
export interface Org {
  readonly shape: Salvaged<OrgShape>;
  readonly reading: Reading;
  readonly ceiling: Ceiling;
  readonly always: readonly Rule[];
  readonly defaults: Grants;
  /** What tools may do where a team says nothing else. */
  readonly tools: readonly Rule[];
}

/** Complaints go to `problems`. */
export function compileOrg(
  source: Source,
  shape: Salvaged<OrgShape>,
  site: SiteConfig,
  problems: PolicyProblem[],
): Org {
  const approvals = approvalsOf(shape.defaults?.approvals);
  const reading: Reading = { source, groups: groupsOf(shape.groups ?? {}), approvals, site, problems };
  if (shape.owners !== undefined) checkGroup(reading, shape.owners.from, ["owners", "from"]);
  if (shape.defaults?.approvals?.from !== undefined)
    checkGroup(reading, shape.defaults.approvals.from, ["defaults", "approvals", "from"]);
  if (shape.auditors !== undefined) checkGroup(reading, shape.auditors, ["auditors"]);
  checkCeiling(reading, shape.ceiling.egress, ["ceiling", "egress"]);
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
  const defaults = compileGrants(reading, shape.defaults?.egress ?? [], ["defaults", "egress"]);
  problems.push(...grantsAbove(ceiling, defaults));
  const most = { shape: ceiling.limits, source, path: ["ceiling", "limits"], what: "ceiling" };
  problems.push(...limitsAbove(most, shape.defaults?.limits ?? {}, source, ["defaults", "limits"]));
  problems.push(
    ...sandboxAbove({ shape: ceiling.sandbox, source }, shape.defaults?.sandbox, source, ["defaults", "sandbox"]),
  );
  return {
    shape,
    reading,
    ceiling,
    always: [...always.filter((rule) => rule !== null), ...policyRepoRule(site)],
    defaults,
    tools: toolRules(reading, shape.defaults?.tools, ["defaults", "tools"]),
  };
}

/** People whom nobody here can find, and a reader whom nothing lets in yet. */
export function peopleWarnings({ reading: { source, site }, shape }: Org): PolicyProblem[] {
  const groups = Object.entries(shape.groups ?? {}).flatMap(([name, { github_team, idp }]): PolicyProblem[] => {
    const at = source.at(["groups", name]);
    const here = (kind: "github" | "idp") => site.directories === undefined || site.directories.includes(kind);
    const settings = "COUNTERSIGN_IDP_FILE";
    if (idp !== undefined && !here("idp")) {
      return [
        { at, message: `nobody here can say who is in it: no identity provider's file is configured (${settings})` },
      ];
    }
    if (github_team !== undefined && !here("github")) {
      const both = `COUNTERSIGN_GITHUB_TOKEN and ${settings}`;
      return [{ at, message: `nobody here can say who is in it: GitHub's teams are not configured (${both})` }];
    }
    return [];
  });
  const message =
    "has no effect here: nobody signs in (SLACK_CLIENT_ID), and whoever has the start link reads every run";
  return shape.auditors === undefined || site.signIn !== false
    ? groups
    : [...groups, { at: source.keyAt(["auditors"]), message: `"auditors" ${message}` }];
}

/** No run may be given the repository that holds its own guardrails. */
function policyRepoRule(site: SiteConfig): Rule[] {
  return (site.policyRepos ?? []).map((repo) => {
    const text = `deny git.repo ${repo}`;
    const ref = { at: "baseline", text, why: "the repository that holds the policy is never given to a run" };
    return { ...plainRule, effect: "deny", subject: "git.repo", globs: [repo], ref };
  });
}

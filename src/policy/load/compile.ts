import { decide, modelsOf, pathRules } from "#policy/decide/decide.ts";
import type { Decision, PolicyRequest } from "#policy/decision.ts";
import { speaksOf } from "#policy/match/glob.ts";
import { type Policy, teamOf } from "#policy/policy.ts";
import type { Scope } from "#policy/scope.ts";

export type Compiled =
  | { readonly ok: true; readonly scope: Scope }
  | { readonly ok: false; readonly decision: Decision & { readonly outcome: "deny" } };

/**
 * What a run of this team on this repository may touch, or the denial. A repository that policy *asks* for compiles: the
 * start decision (`startRequest`) puts the question. `run` becomes part of the branch; throws TypeError when it cannot.
 */
export function compileScope(policy: Policy, of: { team: string; repo: string; run: string }): Compiled {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(of.run)) throw new TypeError("a run id is letters, digits, - and _");
  const decision = decide(policy, { team: of.team, objects: [{ subject: "git.repo", repo: of.repo }] });
  const team = teamOf(policy, of.team);
  if (decision.outcome === "deny") return { ok: false, decision };
  if (team === null) throw new TypeError("a decision without a team is a denial");
  return {
    ok: true,
    scope: {
      team: of.team,
      repo: of.repo,
      branch: policy.branch.replace("{run}", of.run),
      paths: pathRules(policy, team, of.repo),
      egress: team.egress,
      models: modelsOf(policy, team).globs,
      registry: team.presets.some(({ name }) => name === "npm-read"),
      limits: team.limits,
      sandbox: team.sandbox,
      setup: team.setup.filter((step) => speaksOf(step.in, of.repo)).map(({ command }) => command),
      checks: team.checks
        .filter((check) => speaksOf(check.in, of.repo))
        .map(({ name, command, timeoutMs, required, paths }) => ({ name, command, timeoutMs, required, paths })),
      policy: { commit: policy.commit, digest: policy.digest },
    },
  };
}

/** Whether the run may start, as one question: its repository, branch, the start itself, and the model when it is known. */
export function startRequest(scope: Scope, model: string | null): PolicyRequest {
  const { team, repo, branch } = scope;
  return {
    team,
    objects: [
      { subject: "git.repo", repo },
      { subject: "git.branch", repo, branch },
      { subject: "action", action: "run.start" },
      ...(model === null ? [] : [{ subject: "model", model } as const]),
    ],
  };
}

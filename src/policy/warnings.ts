import { isAsked } from "./actions.ts";
import { speaksOf } from "./glob.ts";
import { type Policy, type PolicyProblem, type Rule, repositoriesOf, type Team } from "./policy.ts";

const NOT_ASKED = "nothing asks about this action in this version, so the rule has no effect yet";

function teamWarnings(policy: Policy, team: Team): PolicyProblem[] {
  const out: PolicyProblem[] = [];
  const warn = (at: string, message: string) => out.push({ at, message });
  const routed = [...Object.values(policy.routing.slack), ...Object.values(policy.routing.linear)];
  if (!routed.some((route) => route.team === team.name)) warn(team.at, `nothing is routed to the team "${team.name}"`);
  for (const rule of team.rules) {
    if (rule.subject === "command" && rule.effect === "deny") {
      warn(
        rule.ref.at,
        "a command rule is advisory: it acts where the agent asks - what must not happen needs a wall too",
      );
    }
  }
  for (const rule of team.rules) {
    if (rule.subject === "action" && !isAsked(rule.globs)) warn(rule.ref.at, NOT_ASKED);
  }
  const repos = repositoriesOf(policy, team.name).globs.filter((glob) => !glob.includes("*"));
  const paths = team.rules.filter((rule: Rule) => rule.subject === "git.path" && rule.effect === "allow");
  for (const repo of paths.length === 0 ? [] : repos) {
    if (!paths.some((rule) => speaksOf(rule.in, repo))) {
      warn(team.at, `no allow names paths in ${repo}, so every path there may be changed unless a rule denies or asks`);
    }
  }
  if (repositoriesOf(policy, team.name).globs.length === 0)
    warn(team.at, `the team "${team.name}" is granted no repository`);
  return out;
}

/** What loads and still deserves a look. */
export function warningsOf(policy: Policy, unserved: readonly { at: string; preset: string }[]): PolicyProblem[] {
  const always = policy.always.filter((rule) => rule.subject === "action" && !isAsked(rule.globs));
  return [
    ...always.map((rule) => ({ at: rule.ref.at, message: NOT_ASKED })),
    ...Object.values(policy.teams).flatMap((team) => teamWarnings(policy, team)),
    ...unserved.map(({ at, preset }) => ({
      at,
      message: `the preset "${preset}" is not configured here: it grants nothing yet`,
    })),
  ];
}

import { isDrafted } from "#policy/decide/actions.ts";
import type { EgressRule } from "#policy/egress.ts";
import { containsPath, containsText, fold, matchesText, pathGlob } from "#policy/match/glob.ts";
import { containsHost } from "#policy/match/hosts.ts";
import { hint } from "#policy/match/nearest.ts";
import { type Policy, type PolicyProblem, type Rule, repositoriesOf, type Team } from "#policy/policy.ts";
import { opensModels } from "#policy/presets.ts";

const PATHS: readonly Rule["subject"][] = ["git.repo", "git.path", "git.branch", "secret.name"];

/** Whether one of the patterns matches all that the other matches. A "no" may be wrong, a "yes" never is. */
function holdsAll(subject: Rule["subject"], wide: readonly string[], glob: string): boolean {
  return wide.some((outer) => {
    if (subject === "egress.host") return containsHost(outer, glob);
    return PATHS.includes(subject)
      ? containsPath(pathGlob(fold(outer)), pathGlob(fold(glob)))
      : containsText(outer, glob);
  });
}

/** Whether two patterns of repositories may name the same one. A "yes" may be wrong, a "no" never is. */
function mayMeet(a: string, b: string): boolean {
  const [one, other] = [fold(a).split("/"), fold(b).split("/")];
  return one.every((segment, i) => {
    const beside = other[i] ?? "";
    return segment.includes("*") && beside.includes("*")
      ? true
      : matchesText(segment, beside) || matchesText(beside, segment);
  });
}

/** What is limited to repositories of which none is granted: a misspelt one looks like a rule. `null`: some is. */
function nowhere(limited: readonly string[], granted: readonly string[]): string | null {
  if (limited.length === 0 || limited.some((glob) => granted.some((one) => mayMeet(glob, one)))) return null;
  const [first = ""] = limited;
  return limited.join(", ") + hint(first, granted);
}

/** Rules of which a denial, without an exception, holds all that they name. */
function denied(rule: Rule, denials: readonly Rule[]): string | null {
  if (rule.effect === "deny") return null;
  const by = denials.find(
    (deny) => deny.subject === rule.subject && rule.globs.every((glob) => holdsAll(deny.subject, deny.globs, glob)),
  );
  return by === undefined ? null : `${by.ref.at} denies all of it`;
}

const said = ({ ref, ask }: Rule): string => `${ref.text} ${JSON.stringify(ask)}`;

/** Of what is said more than once, the first that says it. */
function firsts(rules: readonly Rule[]): ReadonlyMap<string, Rule> {
  return new Map(rules.toReversed().map((rule) => [said(rule), rule]));
}

function again(rule: Rule, first: ReadonlyMap<string, Rule>): string | null {
  const other = first.get(said(rule));
  return other === undefined || other === rule ? null : `${other.ref.at} says the same`;
}

const spared = ({ subject, globs, except }: Rule): string | null =>
  globs.length > 0 && globs.every((glob) => holdsAll(subject, except, glob))
    ? "its exceptions spare all that it names"
    : null;

/** A question that is put before a pull request is opened holds its leaving draft too, about which nobody is asked. */
function staysDraft(rule: Rule, rules: readonly Rule[]): string | null {
  if (rule.effect !== "allow" || rule.draft !== false) return null;
  const by = rules.find(
    ({ effect, subject, globs, except, draft }) =>
      effect === "ask" && subject === "action" && draft === null && isDrafted(globs) && !isDrafted(except),
  );
  return by === undefined
    ? null
    : `${by.ref.at} asks, and nobody is asked about leaving draft - write "draft: true" beside its pr.open`;
}

const hasModels = (team: Team): boolean => team.presets.some(({ name }) => opensModels(name));

/** Grants of hosts that a denial takes away whole. */
function closed({ egress }: Team): PolicyProblem[] {
  const by = ({ host, denied: denials }: EgressRule) =>
    denials?.find(
      ({ hosts, except, methods, paths }) =>
        except.length + methods.length + paths.length === 0 && hosts.some((one) => containsHost(one, host)),
    );
  return egress.flatMap((grant) => {
    const denial = by(grant);
    return denial === undefined
      ? []
      : [{ at: grant.rule.at, message: `opens nothing: ${denial.rule.at} denies all of it` }];
  });
}

function deadOfTeam(policy: Policy, team: Team): PolicyProblem[] {
  const granted = repositoriesOf(policy, team.name).globs;
  const denials = [...policy.always, ...team.rules].filter(
    (rule) => rule.effect === "deny" && rule.except.length === 0 && rule.in.length === 0 && rule.draft === null,
  );
  const first = firsts(team.rules);
  const rules = [...team.rules, ...(team.trial?.rules ?? [])].flatMap((rule): PolicyProblem[] => {
    const where = nowhere(rule.in, granted);
    const why =
      denied(rule, denials) ??
      again(rule, first) ??
      spared(rule) ??
      staysDraft(rule, [...policy.always, ...team.rules]) ??
      (where === null ? null : `the team is granted no ${where}`) ??
      (rule.subject === "model" && !hasModels(team)
        ? "the team is granted no model's API, like {preset: model-openai}"
        : null);
    return why === null ? [] : [{ at: rule.ref.at, message: `never decides: ${why}` }];
  });
  const steps = [
    ...team.checks.map((check) => ({ what: `the check "${check.name}" never runs`, in: check.in })),
    ...team.setup.map((step) => ({ what: `the setup "${step.command}" never runs`, in: step.in })),
  ].flatMap((step): PolicyProblem[] => {
    const where = nowhere(step.in, granted);
    return where === null ? [] : [{ at: team.at, message: `${step.what}: the team is granted no ${where}` }];
  });
  const unasked = team.unlisted !== null && policy.ceiling.askable.length === 0 ? [team.unlisted.rule.at] : [];
  return [
    ...rules,
    ...steps,
    ...closed(team),
    ...unasked.map((at) => ({ at, message: "never asks: the ceiling holds no host" })),
  ];
}

/** Lines that can never do anything, with why. What is said of a rule is sure; that nothing is said is no proof. */
export function deadRules(policy: Policy): PolicyProblem[] {
  const teams = Object.values(policy.teams);
  const granted = teams.flatMap(({ name }) => repositoriesOf(policy, name).globs);
  // What is built in is in no file of theirs.
  const written = policy.always.filter(({ ref }) => ref.at !== "baseline");
  const first = firsts(written);
  const always = written.flatMap((rule): PolicyProblem[] => {
    const where = nowhere(rule.in, granted);
    const why = again(rule, first) ?? spared(rule) ?? (where === null ? null : `no team is granted ${where}`);
    return why === null ? [] : [{ at: rule.ref.at, message: `never decides: ${why}` }];
  });
  return [...always, ...teams.flatMap((team) => deadOfTeam(policy, team))];
}

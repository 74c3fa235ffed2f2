import { unwalled } from "#policy/decide/walls.ts";
import type { Position } from "#policy/decision.ts";
import { LINK_ROLES, type LinkPlace } from "#policy/linked.ts";
import { speaksOf } from "#policy/match/glob.ts";
import { hint, nearest } from "#policy/match/nearest.ts";
import { type Policy, type PolicyProblem, type Rule, repositoriesOf, type Team } from "#policy/policy.ts";
import { opensPackages } from "#policy/presets.ts";
import type { SiteConfig } from "#policy/site.ts";
import { deadRules } from "./dead-rules.ts";

/** Questions that would end before they go to their next group. */
function lateEscalations(policy: Policy, team: Team): PolicyProblem[] {
  const asked = [...policy.always, ...team.rules].map(({ ask, ref }) => ({ ask, at: ref.at }));
  const unlisted = { ask: team.unlisted, at: team.unlisted?.rule.at ?? team.at };
  return [...asked, unlisted].flatMap(({ ask, at }) =>
    ask === null || ask.escalate === null || ask.escalate.afterMs < ask.expiresMs
      ? []
      : [{ at, message: `never goes to ${ask.escalate.to}: the question expires before that` }],
  );
}

function trialWarnings({ trial }: Team, { today }: SiteConfig): PolicyProblem[] {
  if (trial === null || today === undefined || today <= trial.until) return [];
  return [{ at: trial.at, message: `the trial ended on ${trial.until} - make its rules rules, or remove them` }];
}

/** Secrets that a grant names and nobody keeps here. */
function secretWarnings(team: Team, { secrets }: SiteConfig): PolicyProblem[] {
  if (secrets === undefined) return [];
  return team.egress.flatMap(({ secret, rule }) =>
    secret === null || secrets.includes(secret.name)
      ? []
      : [{ at: rule.at, message: `the secret ${secret.name} is not kept here: requests go without it` }],
  );
}

/**
 * Secrets that a rule names and nobody has: a misspelt denial denies nothing. Where it is not known which secrets are kept,
 * only what is nearly the name of a granted one is said.
 */
function misspeltSecrets(policy: Policy, { secrets }: SiteConfig): PolicyProblem[] {
  const teams = Object.values(policy.teams);
  const granted = teams.flatMap(({ egress }) => egress.flatMap(({ secret }) => secret?.name ?? []));
  const known = [...new Set([...granted, ...(secrets ?? [])])].sort();
  const rules = [...policy.always, ...teams.flatMap((team) => team.rules)];
  return rules.flatMap(({ subject, globs, except, ref }) => {
    if (subject !== "secret.name") return [];
    const names = [...globs, ...except].filter((glob) => !glob.includes("*") && !known.includes(glob));
    return names
      .filter((name) => secrets !== undefined || nearest(name, known) !== null)
      .map((name) => ({ at: ref.at, message: `no secret ${name} is kept or granted here${hint(name, known)}` }));
  });
}

/** Accounts that have to be linked and that nobody can link here: every run of the team waits for that. */
function linkWarnings({ teams }: Policy, { links }: SiteConfig): PolicyProblem[] {
  if (links === undefined) return [];
  const all = Object.values(teams).flatMap(({ linked }) => LINK_ROLES.flatMap((role) => linked?.[role] ?? []));
  const missing = all
    .filter(({ on }) => !links.includes(on))
    .map(({ on, ref }) => ({
      at: ref.at,
      message: `nobody can link a ${on} account here, so what this holds back stays held: ${LINK_NEEDS[on]}`,
    }));
  // What the organisation asks for stands in one place and holds for every team.
  return [...new Map(missing.map((one) => [`${one.at} ${one.message}`, one])).values()];
}

const LINK_NEEDS: Readonly<Record<LinkPlace, string>> = {
  github: "set GITHUB_WEBHOOK_SECRET, or GITHUB_APP_CLIENT_ID and GITHUB_APP_CLIENT_SECRET (docs/identity.md)",
  linear: "set LINEAR_CLIENT_ID, LINEAR_CLIENT_SECRET and LINEAR_WEBHOOK_SECRET (docs/linear.md)",
};

/** Where nothing opens a package index, nothing is installed, whoever asks. */
const fetchesPackages = (team: Team): boolean => team.presets.some(({ name }) => opensPackages(name));

const MANIFEST = /(?:package(?:-lock)?\.json|requirements[^/]*\.txt|pyproject\.toml|go\.(?:mod|sum)|Cargo\.toml)$/;

/** Whether the relay or a person looks at a change of what packages are needed. */
const guardsManifests = (policy: Policy, team: Team): boolean =>
  [...policy.always, ...team.rules].some(
    (rule) =>
      rule.subject === "git.path" &&
      rule.effect !== "allow" &&
      rule.globs.some((glob) => MANIFEST.test(glob) || glob === "**"),
  );

function teamWarnings(policy: Policy, team: Team): PolicyProblem[] {
  const out: PolicyProblem[] = [];
  const warn = (at: string, message: string) => out.push({ at, message });
  if (!Object.values(policy.routing.slack).some((route) => route.team === team.name))
    warn(team.at, `nothing is routed to the team "${team.name}"`);
  const unwalled = team.rules.find((rule) => rule.subject === "action" && rule.globs.includes("package.install"));
  if (unwalled !== undefined && fetchesPackages(team) && !guardsManifests(policy, team)) {
    const way = 'ask about the files that name packages too, like {git.path: "**/package.json"}';
    warn(unwalled.ref.at, `package.install is advisory: it acts where the agent asks - ${way}`);
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

/** Places that load as routes and that no request comes from. */
const routingWarnings = ({ routing }: Policy): PolicyProblem[] =>
  Object.entries(routing.github).map(([key, { at }]) => ({
    at,
    message: `${key} leads to no team in this version: nothing that is said or labelled on the forge starts a run, only a channel of Slack or a team of Linear does`,
  }));

/** Tickets whose runs nobody could answer: a run of theirs is refused. */
function unanswerable({ routing }: Policy): PolicyProblem[] {
  const channels = new Set(Object.values(routing.slack).map(({ team }) => team));
  return Object.entries(routing.linear)
    .filter(([, { team }]) => !channels.has(team))
    .map(([key, { team, at }]) => ({
      at,
      message: `tickets of ${key} start nothing: runs of theirs are answered in Slack, and no channel leads to the team "${team}"`,
    }));
}

/**
 * Files of which nobody knows what repository they come from: no run is kept out of it unless the organisation denies it by
 * name, and whether a name that it denies is that one only people know. `null`: it is known, or one is denied.
 */
export function unnamedHome(
  { always }: Policy,
  { policyRepos }: SiteConfig,
): { readonly at: Position; readonly what: string; readonly way: string } | null {
  if (policyRepos === undefined || policyRepos.length > 0) return null;
  if (always.some(({ effect, subject }) => effect === "deny" && subject === "git.repo")) return null;
  const [first] = always;
  const line = "deny: { git.repo: OWNER/NAME }";
  return {
    at: first?.ref.at ?? "org.yaml:1:1",
    what: "a run may be given the repository that these files come from: they lie in no checkout with a remote",
    way:
      first === undefined
        ? `add "always: [{ ${line} }]" with its name`
        : `add "- ${line}" under "always", with its name`,
  };
}

function homeWarnings(policy: Policy, site: SiteConfig): PolicyProblem[] {
  const found = unnamedHome(policy, site);
  return found === null ? [] : [{ at: found.at, message: `${found.what} - ${found.way}` }];
}

/** What loads and still deserves a look. */
export function warningsOf(
  policy: Policy,
  unserved: readonly { at: string; preset: string }[],
  site: SiteConfig,
): PolicyProblem[] {
  return [
    ...homeWarnings(policy, site),
    ...routingWarnings(policy),
    ...unanswerable(policy),
    ...unwalled(policy),
    ...deadRules(policy),
    ...misspeltSecrets(policy, site),
    ...linkWarnings(policy, site),
    ...Object.values(policy.teams).flatMap((team) => [
      ...teamWarnings(policy, team),
      ...trialWarnings(team, site),
      ...secretWarnings(team, site),
      ...lateEscalations(policy, team),
    ]),
    ...unserved.map(({ at, preset }) => ({
      at,
      message: `the preset "${preset}" is not configured here: it grants nothing yet`,
    })),
  ];
}

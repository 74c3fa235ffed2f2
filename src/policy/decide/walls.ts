import type { Policy, PolicyProblem, Rule, Team } from "#policy/policy.ts";

/**
 * Programs that do what they are for somewhere else: over the network, which ends at the gateway. What else they can be
 * made to do inside the sandbox is done there by any program.
 */
const OUTSIDE: ReadonlySet<string> = new Set([
  ...[
    "ansible",
    "ansible-playbook",
    "aws",
    "az",
    "cargo publish",
    "curl",
    "doctl",
    "flyctl",
    "gcloud",
    "gem push",
    "gh",
  ],
  ...["glab", "gsutil", "helm", "heroku", "kubectl", "mongosh", "mysql", "nc", "npm publish", "pnpm publish", "psql"],
  ...["pulumi", "redis-cli", "rsync", "scp", "sftp", "ssh", "telnet", "terraform", "tofu", "twine upload", "vercel"],
  ...["wget", "wrangler", "yarn publish"],
]);

/** The programs, or programs with their verb, that a pattern surely begins with: "npm publish" of "npm publish*". */
function beginnings(glob: string): readonly string[] {
  // A word that a wildcard touches may be the beginning of another one.
  const [program = "", verb = ""] = glob.split(" ").map((word) => (word.includes("*") ? "" : word));
  const whole = glob.replace(/\*$/, "").split(" ");
  const said = whole.length === 2 && verb === "" ? `${program} ${whole[1]}` : `${program} ${verb}`;
  return [program, said];
}

/** Whether something else holds a denied command where the agent does not ask. */
function isWalled(team: Team, glob: string): boolean {
  const first = beginnings(glob);
  // The relay takes a run's own branch, and no force, tag or deletion.
  if (first.includes("git push")) return true;
  return team.egress.length === 0 && first.some((one) => OUTSIDE.has(one));
}

/**
 * Commands that are only denied where the agent asks, with nothing behind that: a script has no name of one. A wall is a
 * push at the relay, or, for a program that acts elsewhere, that the team reaches no host. No other is guessed.
 */
export function unwalled(policy: Policy): PolicyProblem[] {
  const teams = Object.values(policy.teams);
  const warnings = (rules: readonly Rule[], held: readonly Team[]) =>
    rules
      .filter(({ subject, effect, globs }) => {
        const walled = held.length > 0 && held.every((team) => globs.every((glob) => isWalled(team, glob)));
        return subject === "command" && effect === "deny" && !walled;
      })
      .map(({ ref }) => ({
        at: ref.at,
        message:
          "a command rule is advisory: it acts where the agent asks, and nothing else holds this - what must not happen needs a wall too: a host, a path or a secret that is not granted",
      }));
  return [...warnings(policy.always, teams), ...teams.flatMap((team) => warnings(team.rules, [team]))];
}

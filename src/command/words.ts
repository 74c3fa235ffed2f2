import type { Enforced } from "#policy/decide/enforced.ts";
import type { PolicyObject } from "#policy/decision.ts";
import type { CapabilityChange } from "#policy/explain/capabilities.ts";
import type { Coverage } from "#policy/explain/coverage.ts";
import type { Explanation } from "#policy/explain/explain.ts";
import type { Simulation, Told } from "#policy/explain/simulate.ts";
import { isLimit, LIMIT_POINTS } from "#policy/limit.ts";
import { POINT_NAMES } from "#policy/points.ts";
import type { PolicyProblem } from "#policy/policy.ts";

/** A command that the help of `countersign policy` has too. */
export const ACCEPT_HELP = `  countersign policy accept COMMIT
      One commit of the policy's branch is in force by the operator's word, whoever agreed to it. The mirror records it.`;

/** Here and not beside the commands: who asks for help waits for none of them to be read. */
export const POLICY_HELP = `  countersign policy check [DIR]                 reads the files; every mistake with its place and the way out
  countersign policy test [DIR] [--coverage]     tries tests/*.test.yaml; --coverage names the rules that no test hits
  countersign policy explain [DIR] --team TEAM (--push REPO [--path FILE]... | --http "GET https://..." | --command TEXT
                             | --action NAME | --model NAME | --secret NAME | --tool NAME | --preset NAME)
  countersign policy explain [DIR] --team TEAM   what the team is held to, where that is written and who enforces it
  countersign policy explain RUN                 every rule that was considered, by the policy that decided, and what it would be now
  countersign policy diff A..B [DIR] [--exit-code]
      What changes between two commits, in capabilities.
  countersign policy simulate [DIR] [--since 14d] [--exit-code]
      What the recorded decisions would be under these files. --exit-code, of both: end with 1 when anything changes.
  countersign policy schema org|team|recipe|test JSON Schema for editors
      All of these take --json. Exit code: 0 fine; 1 the files do not load, a test fails, or what is asked about is not
      there; 2 not understood.
${ACCEPT_HELP}`;

/** "intake, relay and publish". */
const listed = (names: readonly string[]): string => new Intl.ListFormat("en-GB").format(names);

export function problemLines(problems: readonly PolicyProblem[]): string {
  return problems.map(({ at, message }) => `${at} ${message}`).join("\n");
}

function nameOf(object: PolicyObject): string {
  switch (object.subject) {
    case "git.repo":
      return `git.repo ${object.repo}`;
    case "git.branch":
      return `git.branch ${object.branch} in ${object.repo}`;
    case "git.path":
      return `git.path ${object.path} in ${object.repo}`;
    case "git.size":
      return `git.size ${object.files} files, ${object.lines} lines, ${object.bytes} bytes in ${object.repo}`;
    case "egress":
      return `egress ${[object.method, `${object.host}:${object.port}${object.path ?? ""}`].filter(Boolean).join(" ")}`;
    case "command":
      return `command ${object.command}`;
    case "action":
      return `action ${object.action}`;
    case "model":
      return `model ${object.model}`;
    case "tool":
      return `tool ${object.tool}`;
    case "preset":
      return `preset ${object.preset}`;
    case "secret.name":
      return `secret.name ${object.secret}`;
  }
}

/** How many lines each place enforces, and each line that is only advice. */
export function sayEnforcement(lines: readonly Enforced[]): string {
  const counts = POINT_NAMES.filter((point) => point !== "protocol").map((point) => ({
    point,
    n: lines.filter(({ points }) => points.includes(point)).length,
  }));
  const advisory = lines.filter((line) => line.advisory);
  const held = counts.filter(({ n }) => n > 0).map(({ point, n }) => `${point} ${n}`);
  return [
    `enforced by: ${held.join(", ")}`,
    ...(advisory.length === 0 ? [] : ["advisory, only where the agent asks:"]),
    ...advisory.map(({ at, text }) => `  ${at}  ${text}`),
  ].join("\n");
}

/** What a team is held to in numbers. */
export function sayLimits(team: string, lines: readonly Enforced[]): string {
  return [
    `${team} is held to`,
    ...lines.map(({ at, text, points }) => `  ${at}  ${text}: enforced by ${listed(points)}`),
  ].join("\n");
}

export function sayExplanation({ decision, objects }: Explanation): string {
  const reason = decision.outcome === "deny" ? ` (${decision.reason})` : "";
  const asked =
    decision.outcome === "ask" ? decision.asks.map(({ from, quorum }) => `${quorum} of ${from}`).join(" and ") : null;
  const lines = [`${decision.outcome}${reason}${asked === null ? "" : `: ${asked}`}`];
  for (const { object, outcome, points, advisory, considered } of objects) {
    lines.push(
      `  ${nameOf(object)}: ${outcome}, enforced by ${listed(points)}${advisory ? " (advisory: it acts where the agent asks)" : ""}`,
    );
    for (const { at, text, says, why } of considered) {
      lines.push(`    ${at}  ${text}: ${says}${why === null ? "" : ` (${why})`}`);
    }
    if (considered.length === 0) lines.push("    no rule speaks of it, and what nothing allows is denied");
  }
  return lines.join("\n");
}

/** What decided where no rule did: a limit, and where it is written. */
export function sayTold({ subject, reason, rules }: Told, outcome: string): string {
  const points = isLimit(subject) ? `, enforced by ${LIMIT_POINTS[subject].join(" and ")}` : "";
  return [
    `${outcome}${reason === null ? "" : ` (${reason})`}`,
    `  ${subject}: ${outcome}${points}`,
    ...rules.map(({ at, text, why }) => `    ${at}  ${text}: decides${why === null ? "" : ` (${why})`}`),
  ].join("\n");
}

export function sayChanges(changes: readonly CapabilityChange[], of: number): string {
  if (changes.length === 0) return `nothing changes: the same ${of} capabilities`;
  return changes.map(({ sign, text, at }) => `${sign} ${text}${at === null ? "" : `  (${at})`}`).join("\n");
}

export function sayCoverage({ hit, of, missed }: Coverage): string {
  const lines = missed.map(({ at, text }) => `  ${at}  ${text}`);
  return [`${hit} of ${of} rules are hit by a case`, ...(lines.length > 0 ? ["no case hits:", ...lines] : [])].join(
    "\n",
  );
}

/** What of the record could not be put again; "": nothing. */
export function sayNotReplayed(lost: Simulation["notReplayed"]): string {
  const where: Readonly<Record<string, string>> = {
    intake: "intake, where a channel or a membership decided",
    egress: "the gateway, where a path, an address or a person's yes decided",
    relay: "the relay, where something else than a path decided",
    model: "the model door",
    registry: "the package door",
    budget: "the budget, where a limit decided",
    sandbox: "the start, where the sandboxes that are to be had decided",
    recipe: "the start, where a recipe was gone",
  };
  return Object.entries(lost)
    .map(
      ([about, n]) =>
        `${n.toLocaleString("en")} ${n === 1 ? "decision" : "decisions"} at ${where[about] ?? about} ${n === 1 ? "is" : "are"} not replayed`,
    )
    .join("\n");
}

export function saySimulation({ replayed, notReplayed, changes }: Simulation): string {
  const count = (now: string) => changes.filter((change) => change.now === now).length;
  const kinds = (["deny", "ask", "allow"] as const)
    .map((now) => ({ now, n: count(now) }))
    .filter(({ n }) => n > 0)
    .map(({ now, n }) => `${n} newly ${{ deny: "denied", ask: "asked about", allow: "allowed" }[now]}`);
  const head = `${changes.length} of ${replayed.toLocaleString("en")} decisions change${kinds.length > 0 ? `: ${kinds.join(", ")}` : ""}`;
  const lines = changes.map(({ decision, now, rules }) => {
    const by = rules.map(({ at }) => at).join(", ");
    const what = decision.request.objects.map(nameOf).join("; ");
    const change = `${decision.request.team} ${what}: ${decision.outcome} then, ${now} now${by === "" ? "" : ` by ${by}`} (run ${decision.run})`;
    return { at: decision.at, change };
  });
  // A run may ask the gateway the same a thousand times: said once, with the first.
  const said = [...Map.groupBy(lines, ({ change }) => change).values()].map(
    ([first, ...more]) =>
      `  ${first?.at} ${first?.change}${more.length === 0 ? "" : `, and ${more.length} times more`}`,
  );
  return [head, ...said, sayNotReplayed(notReplayed)].filter((line) => line !== "").join("\n");
}

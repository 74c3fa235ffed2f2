import type { z } from "zod";
import { policyDigest } from "./archive.ts";
import { readDocument, type Source } from "./document.ts";
import type { Grants } from "./grants.ts";
import { compileOrg, type Org } from "./load-org.ts";
import { compileTeam } from "./load-team.ts";
import { hint } from "./nearest.ts";
import { deepFreeze, type Policy, type PolicyProblem, type SiteConfig, type Team } from "./policy.ts";
import { inOrder, problemsOf } from "./problems.ts";
import { type Salvaged, salvage } from "./salvage.ts";
import { OrgShape, TeamShape } from "./schema.ts";
import { warningsOf } from "./warnings.ts";

export type Loaded =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

const ORG = "org.yaml";
const TEAM_FILE = /^teams\/[^/]+\.yaml$/;
const TEST_FILE = /^tests\/[^/]+\.test\.yaml$/;
/** `shape`: what the file says, or what could be saved of it when `problems` has its name. */
interface Parsed<Shape> {
  readonly source: Source;
  readonly shape: Salvaged<Shape> | null;
}

function parse<Schema extends z.ZodObject>(
  schema: Schema,
  [file, text]: readonly [string, string],
  needed: readonly string[],
  problems: PolicyProblem[],
): Parsed<z.infer<Schema>> | null {
  const read = readDocument(file, text);
  problems.push(...read.problems);
  if (read.source === null) return null;
  const result = schema.safeParse(read.source.value);
  if (result.success) return { source: read.source, shape: result.data as Salvaged<z.infer<Schema>> };
  const said = problemsOf(read.source, result.error.issues);
  problems.push(...(said.length > 0 ? said : [{ at: `${file}:1:1`, message: "does not parse" }]));
  return { source: read.source, shape: salvage(schema.shape, read.source.value, needed) };
}

type Routes = Policy["routing"]["slack"];

function routes(
  org: Org,
  provider: "slack" | "linear",
  known: readonly string[] | null,
  compiled: Policy["teams"],
): Routes {
  const { source, problems } = org.reading;
  const table = org.shape.routing[provider] ?? {};
  const out: Record<string, { team: string; at: string }> = {};
  for (const [id, team] of Object.entries(table)) {
    const path = ["routing", provider, id];
    if (known?.includes(team) === false)
      problems.push({ at: source.at(path), message: `unknown team "${team}"${hint(team, known)}` });
    if (Object.hasOwn(compiled, team)) out[id] = { team, at: source.keyAt(path) };
  }
  return out;
}

/** The teams that files declare, also broken ones; `null` when one cannot even say its name: then no route is unknown. */
function declared(files: number, parsed: readonly Parsed<unknown>[]): readonly string[] | null {
  const names = parsed.flatMap(({ source: { value } }) =>
    typeof value === "object" && value !== null && "team" in value && typeof value.team === "string"
      ? [value.team]
      : [],
  );
  return names.length === files ? names.sort() : null;
}

/**
 * Compiles a folder of policy files (relative name → text). All complaints come at once, in the order of the files.
 * Test files are read by `policyCases`; a broken test never stops a policy.
 */
export function loadPolicy(
  files: ReadonlyMap<string, string>,
  options: { readonly commit: string; readonly site?: SiteConfig },
): Loaded {
  const site = options.site ?? {};
  const problems: PolicyProblem[] = [];
  for (const file of files.keys()) {
    if (file === ORG || TEAM_FILE.test(file) || TEST_FILE.test(file)) continue;
    problems.push({
      at: `${file}:1:1`,
      message: "is not read - a policy is org.yaml, teams/*.yaml and tests/*.test.yaml",
    });
  }
  const orgText = files.get(ORG);
  if (orgText === undefined)
    problems.push({ at: `${ORG}:1:1`, message: "is missing - it holds groups, routing and the ceiling" });
  const org =
    orgText === undefined ? null : parse(OrgShape, [ORG, orgText], ["groups", "routing", "ceiling"], problems);
  const teamFiles = [...files].filter(([file]) => TEAM_FILE.test(file)).sort(([a], [b]) => (a < b ? -1 : 1));
  const parsed = teamFiles.flatMap((file) => parse(TeamShape, file, ["team", "members"], problems) ?? []);
  if (org === null || org.shape === null) return { ok: false, problems: deepFreeze(inOrder(problems)) };

  const compiled = compileOrg(org.source, org.shape, site, problems);
  const teams: Record<string, Team> = {};
  const granted: Grants[] = [compiled.defaults];
  for (const { source, shape } of parsed) {
    if (shape === null) continue;
    const { team, grants } = compileTeam(compiled, source, shape, site);
    const other = Object.hasOwn(teams, team.name) ? teams[team.name] : undefined;
    if (other !== undefined)
      problems.push({ at: team.at, message: `the team "${team.name}" is already at ${other.at}` });
    else teams[team.name] = team;
    granted.push(grants);
  }
  const known = declared(teamFiles.length, parsed);
  const body = {
    commit: options.commit,
    owners:
      compiled.shape.owners === undefined
        ? null
        : { from: compiled.shape.owners.from, quorum: compiled.shape.owners.quorum ?? 1 },
    groups: compiled.reading.groups,
    routing: { slack: routes(compiled, "slack", known, teams), linear: routes(compiled, "linear", known, teams) },
    always: compiled.always,
    ceiling: {
      models: compiled.ceiling.models,
      modelsRef: { at: compiled.ceiling.modelsAt, text: `models ${compiled.ceiling.models.join(", ")}`, why: null },
      limits: compiled.ceiling.limits,
    },
    branch: compiled.shape.defaults?.branch ?? "agent/{run}",
    approvals: compiled.reading.approvals,
    teams,
  };
  if (problems.length > 0) return { ok: false, problems: deepFreeze(inOrder(problems)) };
  const policy: Policy = deepFreeze({ ...body, digest: policyDigest(body) });
  const unserved = granted.flatMap((grants) => grants.unserved);
  return { ok: true, policy, warnings: deepFreeze(inOrder(warningsOf(policy, unserved))) };
}

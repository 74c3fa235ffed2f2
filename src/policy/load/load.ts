import type { z } from "zod";
import { policyDigest } from "#policy/archive.ts";
import { hint } from "#policy/match/nearest.ts";
import { deepFreeze, type Policy, type PolicyProblem, type Recipe, type Team } from "#policy/policy.ts";
import type { Limits } from "#policy/scope.ts";
import { OrgShape } from "#policy/shapes/org.ts";
import { RecipeShape } from "#policy/shapes/recipe.ts";
import { TeamShape } from "#policy/shapes/team.ts";
import type { SiteConfig } from "#policy/site.ts";
import type { Ceiling } from "./ceiling.ts";
import { readDocument, type Source } from "./document.ts";
import type { Grants } from "./grants.ts";
import { limitsFrom, sandboxFrom, sharesFrom } from "./limits.ts";
import { compileOrg, type Org, peopleWarnings } from "./load-org.ts";
import { compileRecipe, type TeamSource } from "./load-recipe.ts";
import { compileTeam } from "./load-team.ts";
import { inOrder, problemsOf } from "./problems.ts";
import { type Salvaged, salvage } from "./salvage.ts";
import { warningsOf } from "./warnings.ts";

export type Loaded =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

const ORG = "org.yaml";
const TEAM_FILE = /^teams\/[^/]+\.yaml$/;
const RECIPE_FILE = /^recipes\/[^/]+\.yaml$/;
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
type Provider = keyof Policy["routing"];

function routes(org: Org, provider: Provider, known: readonly string[] | null, compiled: Policy["teams"]): Routes {
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

/** Every file of the kind, parsed; what could be saved of a broken one is read on, to find the rest of its mistakes. */
function parseAll<Schema extends z.ZodObject>(
  files: ReadonlyMap<string, string>,
  kind: RegExp,
  schema: Schema,
  needed: readonly string[],
  problems: PolicyProblem[],
): Parsed<z.infer<Schema>>[] {
  return [...files]
    .filter(([file]) => kind.test(file))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap((file) => parse(schema, file, needed, problems) ?? []);
}

/** The teams by name; a name may be there once. */
function compileTeams(org: Org, parsed: readonly Parsed<TeamShape>[], granted: Grants[]): Record<string, TeamSource> {
  const teams: Record<string, TeamSource> = {};
  for (const { source, shape } of parsed) {
    if (shape === null) continue;
    const { team, grants } = compileTeam(org, source, shape);
    const other = Object.hasOwn(teams, team.name) ? teams[team.name] : undefined;
    if (other === undefined) teams[team.name] = { team, source, shape };
    else
      org.reading.problems.push({
        at: team.at,
        message: `the team "${team.name}" is already at ${other.team.at} - one file is one team`,
      });
    granted.push(grants);
  }
  return teams;
}

function compileRecipes(
  org: Org,
  teams: Readonly<Record<string, TeamSource>>,
  parsed: readonly Parsed<RecipeShape>[],
): Record<string, Recipe> {
  const { problems } = org.reading;
  const recipes: Record<string, Recipe> = {};
  for (const { source, shape } of parsed) {
    const recipe = shape === null ? null : compileRecipe(org, teams, source, shape, problems);
    if (recipe === null) continue;
    const other = Object.hasOwn(recipes, recipe.name) ? recipes[recipe.name] : undefined;
    if (other === undefined) recipes[recipe.name] = recipe;
    else
      problems.push({
        at: recipe.ref.at,
        message: `the recipe "${recipe.name}" is already at ${other.ref.at} - give one of them another name`,
      });
  }
  return recipes;
}

const holdsOf = ({
  at,
  repos,
  egress,
  presets,
  limits,
  sandbox,
}: Ceiling): NonNullable<Policy["ceiling"]["holds"]> => ({
  at,
  repos,
  egress,
  presets: presets.map(({ ref }) => ref),
  shares: sharesFrom([limits]),
  sandbox: sandboxFrom([sandbox]),
});

const FILES = "a policy is org.yaml, teams/*.yaml, recipes/*.yaml and tests/*.test.yaml";

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
    if (file === ORG || [TEAM_FILE, RECIPE_FILE, TEST_FILE].some((kind) => kind.test(file))) continue;
    problems.push({ at: `${file}:1:1`, message: `is not read - ${FILES}` });
  }
  const orgText = files.get(ORG);
  if (orgText === undefined)
    problems.push({ at: `${ORG}:1:1`, message: "is missing - it holds groups, routing and the ceiling" });
  const org =
    orgText === undefined ? null : parse(OrgShape, [ORG, orgText], ["groups", "routing", "ceiling"], problems);
  const teamFiles = parseAll(files, TEAM_FILE, TeamShape, ["team", "members"], problems);
  const recipeFiles = parseAll(files, RECIPE_FILE, RecipeShape, ["recipe", "team", "repo", "prompt"], problems);
  if (org === null || org.shape === null) return { ok: false, problems: deepFreeze(inOrder(problems)) };

  const compiled = compileOrg(org.source, org.shape, site, problems);
  const granted: Grants[] = [compiled.defaults];
  const sources = compileTeams(compiled, teamFiles, granted);
  const teams: Record<string, Team> = Object.fromEntries(
    Object.entries(sources).map(([name, { team }]) => [name, team]),
  );
  const recipes = compileRecipes(compiled, sources, recipeFiles);
  const known = declared([...files.keys()].filter((file) => TEAM_FILE.test(file)).length, teamFiles);
  const routing = (provider: Provider) => routes(compiled, provider, known, teams);
  const { owners, auditors, defaults } = compiled.shape;
  const body = {
    commit: options.commit,
    owners:
      owners === undefined ? null : { from: owners.from, quorum: owners.quorum ?? 1, channel: owners.channel ?? null },
    auditors: auditors ?? null,
    groups: compiled.reading.groups,
    routing: { slack: routing("slack"), linear: routing("linear"), github: routing("github") },
    always: compiled.always,
    ceiling: {
      models: compiled.ceiling.models,
      modelsRef: { at: compiled.ceiling.modelsAt, text: `models ${compiled.ceiling.models.join(", ")}`, why: null },
      limits: limitsFrom(compiled.ceiling.limits) as Limits,
      askable: compiled.ceiling.askable,
      holds: holdsOf(compiled.ceiling),
    },
    branch: defaults?.branch ?? "agent/{run}",
    approvals: compiled.reading.approvals,
    teams,
    recipes,
  };
  if (problems.length > 0) return { ok: false, problems: deepFreeze(inOrder(problems)) };
  const policy: Policy = deepFreeze({ ...body, digest: policyDigest(body) });
  const unserved = granted.flatMap((grants) => grants.unserved);
  const warnings = [...warningsOf(policy, unserved, site), ...peopleWarnings(compiled)];
  return { ok: true, policy, warnings: deepFreeze(inOrder(warnings)) };
}

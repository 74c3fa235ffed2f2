import { containsPath, fold, pathGlob, speaksOf } from "#policy/match/glob.ts";
import { hint } from "#policy/match/nearest.ts";
import type { PolicyProblem, Recipe, RecipeField, Team } from "#policy/policy.ts";
import type { RecipeShape } from "#policy/shapes/recipe.ts";
import type { TeamShape } from "#policy/shapes/team.ts";
import type { Source } from "./document.ts";
import { limitsAbove, limitsFrom } from "./limits.ts";
import type { Org } from "./load-org.ts";
import { compileChecks, present } from "./load-team.ts";
import { OUR_WORDS } from "./recipes.ts";
import { list, nth } from "./rules.ts";
import type { Salvaged } from "./salvage.ts";

const FIELD_CHARACTERS = 500;
const PLACEHOLDER = /\{([a-z][a-z0-9-]{0,62})\}/g;

/** A team as it was compiled, and the file that says so. */
export interface TeamSource {
  readonly team: Team;
  readonly source: Source;
  readonly shape: Salvaged<TeamShape>;
}

/** Placeholders without a field, and fields without a placeholder. */
function checkPrompt(source: Source, shape: Salvaged<RecipeShape>, problems: PolicyProblem[]): void {
  // Fields that did not parse are complained about already, and which there are is not known.
  if (shape.fields === undefined && typeof source.value === "object" && Object.hasOwn(source.value ?? {}, "fields"))
    return;
  const fields = Object.keys(shape.fields ?? {});
  const used = [...shape.prompt.matchAll(PLACEHOLDER)].map((match) => match[1] as string);
  for (const name of new Set(used)) {
    if (!fields.includes(name)) {
      problems.push({ at: source.at(["prompt"]), message: `"{${name}}" is no field${hint(name, fields)}` });
    }
  }
  for (const name of fields) {
    if (!used.includes(name)) {
      problems.push({
        at: source.keyAt(["fields", name]),
        message: `the prompt has no "{${name}}" - use it, or remove the field`,
      });
    }
  }
}

/** Proves that nothing in the recipe is more than its team may do. */
function checkTeam(
  org: Org,
  of: TeamSource,
  source: Source,
  shape: Salvaged<RecipeShape>,
  problems: PolicyProblem[],
): void {
  const { team } = of;
  const granting = team.rules.filter((rule) => rule.subject === "git.repo" && rule.effect !== "deny");
  const within = (glob: string) => containsPath(pathGlob(fold(glob)), pathGlob(fold(shape.repo)));
  if (shape.repo.includes("*")) {
    problems.push({ at: source.at(["repo"]), message: "a recipe works on one repository - name it without *" });
  } else if (!granting.some((rule) => rule.globs.some(within) && !rule.except.some(within))) {
    problems.push({ at: source.at(["repo"]), message: `${shape.repo} is not granted to the team at ${team.at}` });
  }
  const rules = team.rules.filter((rule) => rule.subject === "git.path" && speaksOf(rule.in, shape.repo));
  const open = rules.filter((rule) => rule.effect !== "deny");
  if (rules.some((rule) => rule.effect === "allow")) {
    list(shape.paths).forEach((path, index) => {
      if (open.some((rule) => rule.globs.some((glob) => containsPath(pathGlob(fold(glob)), pathGlob(fold(path))))))
        return;
      const places = open.map(({ ref }) => ref.at).join(", ");
      problems.push({
        at: nth(source, ["paths"], index),
        message: `git.path ${path} is more than the team's rules at ${places} allow`,
      });
    });
  }
  checkLimits(org, of, source, shape.limits ?? {}, problems);
}

/** Each limit is held to the one that is in force for the team: its own, else the organisation's default, else the ceiling's. */
function checkLimits(
  org: Org,
  of: TeamSource,
  source: Source,
  limits: NonNullable<RecipeShape["limits"]>,
  problems: PolicyProblem[],
): void {
  const { source: orgSource } = org.reading;
  const outer = [
    { shape: of.shape.limits ?? {}, source: of.source, path: ["limits"], what: "team's limit" },
    { shape: org.shape.defaults?.limits ?? {}, source: orgSource, path: ["defaults", "limits"], what: "default" },
    { shape: org.ceiling.limits, source: orgSource, path: ["ceiling", "limits"], what: "ceiling" },
  ];
  let silent = limits;
  for (const one of outer) {
    problems.push(...limitsAbove(one, silent, source, ["limits"]));
    silent = Object.fromEntries(Object.entries(silent).filter(([name]) => !Object.hasOwn(one.shape, name)));
  }
}

/** A check of the team's name would not run: the team's own stays. */
function checkNames(of: TeamSource, source: Source, shape: Salvaged<RecipeShape>, problems: PolicyProblem[]): void {
  shape.checks?.forEach((check, index) => {
    const taken = of.shape.checks?.findIndex(
      (one) => one !== null && one.name === check?.name && speaksOf(list(one.in), shape.repo),
    );
    if (check === null || taken === undefined || taken < 0) return;
    problems.push({
      at: source.at(["checks", index, "name"]),
      message: `the team's check "${check.name}" at ${of.source.at(["checks", taken, "name"])} stays - give this one another name`,
    });
  });
}

function fieldsOf(shape: Salvaged<RecipeShape>): Record<string, RecipeField> {
  return Object.fromEntries(
    Object.entries(shape.fields ?? {}).map(([name, field]) => [
      name,
      {
        label: field.label ?? name,
        required: field.required ?? true,
        max: field.max ?? FIELD_CHARACTERS,
        options: field.options ?? [],
      },
    ]),
  );
}

/** Compiles one recipe and holds it to its team. Complaints go to `problems`; `null` when its team is not there. */
export function compileRecipe(
  org: Org,
  teams: Readonly<Record<string, TeamSource>>,
  source: Source,
  shape: Salvaged<RecipeShape>,
  problems: PolicyProblem[],
): Recipe | null {
  const of = Object.hasOwn(teams, shape.team) ? teams[shape.team] : undefined;
  checkPrompt(source, shape, problems);
  if ((OUR_WORDS as readonly string[]).includes(shape.recipe)) {
    problems.push({ at: source.at(["recipe"]), message: `"${shape.recipe}" is said to us in chat - use another name` });
  }
  if (of === undefined) {
    problems.push({
      at: source.at(["team"]),
      message: `unknown team "${shape.team}"${hint(shape.team, Object.keys(teams))}`,
    });
    return null;
  }
  checkTeam(org, of, source, shape, problems);
  checkNames(of, source, shape, problems);
  return {
    name: shape.recipe,
    team: shape.team,
    title: shape.title,
    repo: shape.repo,
    fields: fieldsOf(shape),
    prompt: shape.prompt,
    paths: present(list(shape.paths)),
    checks: compileChecks({ source, problems }, shape.checks ?? []),
    limits: limitsFrom(shape.limits ?? {}),
    ref: { at: source.at(["recipe"]), text: `recipe ${shape.recipe} of ${shape.team}`, why: null },
  };
}

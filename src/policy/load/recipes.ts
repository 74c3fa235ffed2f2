import { speaksOf } from "#policy/match/glob.ts";
import { hint, nearest } from "#policy/match/nearest.ts";
import type { PathRule } from "#policy/paths.ts";
import type { Policy, Recipe, RecipeField } from "#policy/policy.ts";
import type { Limits, Scope } from "#policy/scope.ts";

/** What is said to us beside a request: no recipe can have one of these names, since nobody could ask for it. */
export const OUR_WORDS = [
  "help",
  "hello",
  "hi",
  "status",
  "why",
  "stop",
  "cancel",
  "kill",
  "mine",
  "policy",
  "new",
  "can",
  "may",
] as const;

/** The recipes of a team, by name. */
export function recipesOf(policy: Policy, team: string): readonly Recipe[] {
  return Object.values(policy.recipes)
    .filter((recipe) => recipe.team === team)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The recipe of this name for this team and repository; `null`: policy has none. */
export function recipeNamed(policy: Policy, name: string, of: { team: string; repo: string }): Recipe | null {
  const recipe = Object.hasOwn(policy.recipes, name) ? policy.recipes[name] : undefined;
  return recipe?.team === of.team && recipe.repo === of.repo ? recipe : null;
}

/** "copy-edit page=… [tone=warm|formal]": how a recipe is asked for. */
export function usageOf(recipe: Recipe): string {
  const fields = Object.entries(recipe.fields).map(([name, field]) => {
    const value = field.options.length > 0 ? field.options.map(shown).join("|") : "…";
    return field.required ? `${name}=${value}` : `[${name}=${value}]`;
  });
  return [recipe.name, ...fields].join(" ");
}

const shown = (option: string): string => (/\s/.test(option) ? `"${option}"` : option);

export type Asked =
  | { readonly kind: "recipe"; readonly recipe: Recipe; readonly words: string }
  /** A recipe of another team, or a name that is nearly one of this team's. */
  | { readonly kind: "elsewhere"; readonly recipe: Recipe }
  | { readonly kind: "unknown"; readonly name: string; readonly near: string };

/**
 * Whether words ask for a recipe: its name alone, or followed by `field=value`. Anything else is a request in somebody's
 * own words (`null`), also when its first word happens to be a recipe's name.
 */
export function recipeAsked(policy: Policy, team: string, text: string): Asked | null {
  const [, name = "", words = ""] =
    /^([a-z][a-z0-9-]{0,62})(?:\s+([a-z][a-z0-9-]{0,62}\s?=[\s\S]*))?$/.exec(text.trim()) ?? [];
  if (name === "") return null;
  const recipe = Object.hasOwn(policy.recipes, name) ? policy.recipes[name] : undefined;
  if (recipe !== undefined)
    return recipe.team === team ? { kind: "recipe", recipe, words } : { kind: "elsewhere", recipe };
  if (words === "") return null;
  const near = nearest(
    name,
    recipesOf(policy, team).map((one) => one.name),
  );
  return near === null ? null : { kind: "unknown", name, near };
}

export type Filled =
  | { readonly ok: true; readonly prompt: string }
  /** Sentences that begin small, like those of a policy that does not load. */
  | { readonly ok: false; readonly problems: readonly string[] };

/**
 * The recipe's prompt with a person's words in its fields. A value goes on until the next `field=`; in quotes it may hold
 * anything. Every complaint comes at once. What a value says is never read as a field again.
 */
export function fill(recipe: Recipe, words: string): Filled {
  const names = Object.keys(recipe.fields);
  const problems: string[] = [];
  const values: Record<string, string> = {};
  for (const { name, value } of pairs(words)) {
    if (!names.includes(name)) {
      problems.push(`unknown field "${name}"${hint(name, names)}: in quotes, a value may hold "="`);
    } else if (Object.hasOwn(values, name)) {
      problems.push(`${name} is there twice`);
    } else {
      values[name] = value;
    }
  }
  for (const [name, field] of Object.entries(recipe.fields)) {
    const problem = problemOf(name, field, Object.hasOwn(values, name) ? (values[name] ?? "") : "");
    if (problem !== null) problems.push(problem);
  }
  if (problems.length > 0) return { ok: false, problems };
  const prompt = recipe.prompt.replace(/\{([a-z][a-z0-9-]{0,62})\}/g, (all, name: string) =>
    names.includes(name) ? (values[name] ?? "") : all,
  );
  return { ok: true, prompt: prompt.trim() };
}

function problemOf(name: string, field: RecipeField, value: string): string | null {
  const label = field.label === name ? name : `${name} (${field.label})`;
  if (value === "") return field.required ? `${label} is missing` : null;
  if (value.length > field.max) return `${label} has ${value.length} characters, and may have ${field.max}`;
  if (field.options.length > 0 && !field.options.includes(value)) {
    return `${label} is one of ${field.options.join(", ")}, not "${value.slice(0, 60)}"`;
  }
  return null;
}

/** Straight quotes, and those that keyboards and chats put in their place. */
const PAIR = /([a-z][a-z0-9-]{0,62})\s?=\s?(?:["“”]([^"“”]*)["“”]|([\s\S]*?))(?=\s+[a-z][a-z0-9-]{0,62}\s?=|\s*$)/g;

function pairs(words: string): { readonly name: string; readonly value: string }[] {
  return [...words.matchAll(PAIR)].map(([, name = "", quoted, bare = ""]) => ({
    name,
    value: (quoted ?? bare).trim(),
  }));
}

/**
 * A team's scope held to one of its recipes: the recipe's paths and limits, and its checks beside the team's. Nothing in it
 * is more than before, whatever the recipe says.
 */
export function withRecipe(scope: Scope, recipe: Recipe): Scope {
  const taken = new Set(scope.checks.map((check) => check.name));
  const checks = recipe.checks
    .filter((check) => !taken.has(check.name) && speaksOf(check.in, scope.repo))
    .map(({ name, command, timeoutMs, required, paths }) => ({ name, command, timeoutMs, required, paths }));
  const only: PathRule[] =
    recipe.paths.length === 0
      ? []
      : [{ effect: "deny", globs: ["**"], except: recipe.paths, from: null, rule: recipe.ref }];
  return {
    ...scope,
    recipe: recipe.name,
    paths: [...scope.paths, ...only],
    limits: least(scope.limits, recipe.limits),
    checks: [...scope.checks, ...checks],
  };
}

function least(limits: Limits, recipe: Partial<Limits>): Limits {
  const of = (key: keyof Limits) => Math.min(limits[key], recipe[key] ?? limits[key]);
  return {
    costUsd: of("costUsd"),
    tokens: of("tokens"),
    runtimeMs: of("runtimeMs"),
    uploadBytes: of("uploadBytes"),
    concurrentRuns: of("concurrentRuns"),
  };
}

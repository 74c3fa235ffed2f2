import { describe, expect, test } from "vitest";
import { compileScope } from "#policy/load/compile.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { fill, OUR_WORDS, recipeAsked, recipesOf, usageOf, withRecipe } from "#policy/load/recipes.ts";
import { decidePath } from "#policy/paths.ts";
import type { Policy, Recipe } from "#policy/policy.ts";
import { parse } from "#runs/say.ts";
import { loadWith, TEAM } from "./recipe-sample.ts";
import { complaints, loaded, ORG, teamFile } from "./sample.ts";

const policy: Policy = loaded(loadWith());
const recipe = policy.recipes["copy-edit"] as Recipe;

test("a recipe says how it is asked for", () => {
  expect(usageOf(recipe)).toBe('copy-edit page=… tone=warm|"very formal" [note=…]');
  expect(recipesOf(policy, TEAM).map(({ name }) => name)).toEqual(["copy-edit"]);
  expect(recipesOf(policy, "leads")).toEqual([]);
});

describe("what is said asks for", () => {
  test.each([
    ["its name and fields", "copy-edit page=faq.md tone=warm", "recipe"],
    ["its name alone", " copy-edit ", "recipe"],
    ["fields on lines of their own", "copy-edit\npage=faq.md\ntone=warm", "recipe"],
    ["a name that is nearly a recipe's, with fields", "copy-edti page=faq.md", "unknown"],
    ["a request that begins with the name", "copy-edit the page about tea", null],
    ["a request that is one word", "copy-edti", null],
    ["any other request", "fix the login where x=1", null],
    ["a name far from every recipe", "deploy env=prod", null],
    ["a property of every object", "constructor a=1", null],
  ])("%s", (_what, text, kind) => {
    expect(recipeAsked(policy, TEAM, text)?.kind ?? null).toBe(kind);
  });

  test("a recipe of another team, which is said and not run", () => {
    expect(recipeAsked(policy, "data", "copy-edit page=faq.md tone=warm")).toMatchObject({ kind: "elsewhere" });
  });
});

describe("fields", () => {
  const filled = (words: string) => fill(recipe, words);

  test.each([
    ["a value goes on until the next field", "page=the page on tea tone=warm", "Edit the page on tea, warm."],
    ["quotes hold what looks like a field", 'page="a tone=b c" tone=warm', "Edit a tone=b c, warm."],
    ["the quotes of a telephone are quotes", "page=“a b” tone=”very formal”", "Edit a b, very formal."],
    ["what a value says is not filled in again", "page={note} tone=warm note=no", "Edit {note}, warm. no"],
    ["order and spaces do not matter", "tone = warm   page =x", "Edit x, warm."],
    ["a dollar is a dollar", "page=$& $1 tone=warm", "Edit $& $1, warm."],
  ])("%s", (_what, words, prompt) => {
    expect(filled(words)).toEqual({ ok: true, prompt });
  });

  test("every mistake is said at once, by name", () => {
    expect(filled("pgae=x tone=loud note=a note=b")).toEqual({
      ok: false,
      problems: [
        'unknown field "pgae" - did you mean "page"?: in quotes, a value may hold "="',
        "note is there twice",
        "page (Page) is missing",
        'tone is one of warm, very formal, not "loud"',
      ],
    });
  });

  test("what is too long, or empty where it must not be, is said", () => {
    expect(filled(`page=${"x".repeat(41)} tone=warm`)).toEqual({
      ok: false,
      problems: ["page (Page) has 41 characters, and may have 40"],
    });
    expect(filled('page="" tone=warm')).toEqual({ ok: false, problems: ["page (Page) is missing"] });
  });
});

describe("a scope under a recipe", () => {
  const compiled = compileScope(policy, { team: TEAM, repo: "acme/site", run: "r1" });
  if (!compiled.ok) throw new Error("the team has no scope");
  const scope = withRecipe(compiled.scope, recipe);

  test("may change what the recipe names, and nothing else of the team's", () => {
    expect(decidePath(compiled.scope.paths, "public/a.png").effect).toBe("allow");
    expect(decidePath(scope.paths, "content/faq.md").effect).toBe("allow");
    expect(decidePath(scope.paths, "public/a.png")).toMatchObject({
      effect: "deny",
      rule: { at: "recipes/copy-edit.yaml:3:9" },
    });
    // What the team may not do stays denied.
    expect(decidePath(scope.paths, "content/secret/a.md").effect).toBe("deny");
  });

  test("has the smaller limits, and the team's checks before the recipe's", () => {
    expect(scope.limits).toMatchObject({ costUsd: 1, runtimeMs: compiled.scope.limits.runtimeMs });
    expect(scope.checks.map(({ name, command }) => [name, command])).toEqual([
      ["links", "npm run links"],
      ["spelling", "npm run spelling"],
    ]);
  });
});

test("each of our own words is one, and no recipe can have its name", () => {
  for (const word of OUR_WORDS) {
    if (word !== "new" && word !== "can" && word !== "may") expect(parse(word).kind, word).not.toBe("task");
    const result = loadWith({ recipe: word });
    expect(result.ok ? [] : result.problems.map(({ message }) => message)).toEqual([
      `"${word}" is said to us in chat - use another name`,
    ]);
  }
});

test("a recipe loads without a warning", () => {
  const result = loadWith();
  expect(result.ok && result.warnings.filter(({ at }) => at.startsWith("recipes/"))).toEqual([]);
});

/** What is wrong with a recipe of these lines, of a team that says nothing of limits but these. */
function ofRecipe(lines: string, team = "", org = ORG): string[] {
  const head = "version: 1\nkind: recipe\nrecipe: typo\nteam: shop\ntitle: t\nrepo: acme/shop\nprompt: p\n";
  const files = new Map([
    ["org.yaml", org],
    ["teams/shop.yaml", teamFile(`rules:\n  - allow: {git.repo: acme/shop}\n${team}`)],
    ["recipes/typo.yaml", head + lines],
  ]);
  return complaints(loadPolicy(files, { commit: "c" })).map((line) => line.replace("recipes/typo.yaml:", ""));
}

test("where the team is silent a recipe is held to the organisation's default, and where that is too to the ceiling", () => {
  const org = `${ORG}defaults: {limits: {cost_usd: 4}}\n`;
  const limits = "limits: {cost_usd: 5, tokens: 21M}\n";
  const tokens = "8:31 tokens 21M is above the ceiling of 20M at org.yaml:8:39";
  expect(ofRecipe(limits)).toEqual([tokens]);
  expect(ofRecipe(limits, "", org)).toEqual(["8:20 cost_usd 5 is above the default of 4 at org.yaml:10:21", tokens]);
  expect(ofRecipe(limits, "limits: {cost_usd: 5}\n", org)).toEqual([tokens]);
});

test("a check of a recipe may have the name of one that the team runs elsewhere", () => {
  const checks = (where: string) => `checks: [{name: tests, command: a${where}}]\n`;
  expect(ofRecipe(checks(""), checks(", in: acme/other"))).toEqual([]);
  expect(ofRecipe(checks(""), checks(", in: acme/shop"))).toEqual([
    '8:17 the team\'s check "tests" at teams/shop.yaml:7:17 stays - give this one another name',
  ]);
});

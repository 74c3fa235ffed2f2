import { afterEach, beforeEach, expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

const RECIPE = `version: 1
kind: recipe
recipe: refresh
team: data
title: Refresh a report
repo: acme/reports
fields:
  report: {label: Report, options: [weekly, monthly]}
  note: {required: false, max: 20}
prompt: Bring the {report} report up to date. {note}
paths: [docs/**, README.md]
limits: {cost_usd: 0.5}
checks:
  - {name: numbers, command: node numbers.js}
`;

let house: Awaited<ReturnType<typeof memoryHouse>>;
const prompts: string[] = [];
beforeEach(async () => {
  prompts.length = 0;
  house = await memoryHouse({
    play: (prompt) => {
      prompts.push(prompt);
      return [{ write: "README.md", content: "made with care\n" }, { say: "Done." }];
    },
  });
  house.policy.edit("recipes/refresh.yaml", "", RECIPE);
});
afterEach(async () => {
  await house.close();
});

const inData = { channel: "C0DATA" };

test("a recipe is asked for by name: its prompt, repository, paths, checks and limits are those of the run", async () => {
  expect(await house.say(ANA, "refresh report=weekly note=before Monday", inData)).toBeNull();
  const run = await house.until("in_review");
  expect(run).toMatchObject({
    repo: "acme/reports",
    text: "Bring the weekly report up to date. before Monday",
    scope: { limits: { costUsd: 0.5 } },
  });
  expect(run.because).toContain("the recipe refresh (recipes/refresh.yaml:3:9)");
  expect(prompts[0]).toContain("Bring the weekly report up to date. before Monday");
  expect(run.scope?.checks.map(({ name }) => name)).toContain("numbers");
  expect(run.scope?.paths.at(-1)).toMatchObject({ effect: "deny", globs: ["**"], except: ["docs/**", "README.md"] });
  const facts = await factsOf(house.core, run.id);
  expect(facts.request.recipe).toEqual({ name: "refresh", title: "Refresh a report", at: "recipes/refresh.yaml:3:9" });
  expect(facts.checks.map(({ name, verdict }) => [name, verdict])).toContainEqual(["numbers", "green"]);
  expect(house.repoHost.textOf("acme/reports", 1)?.title).toBe("Refresh a report");
});

test("fields that do not fit start nothing and are all named", async () => {
  expect(await house.say(ANA, "refresh report=daily note=a very long note indeed", inData)).toMatchObject({
    kind: "refused",
    refusal: {
      code: "recipe_fields",
      usage: "refresh report=weekly|monthly [note=…]",
      problems: ['report (Report) is one of weekly, monthly, not "daily"', "note has 23 characters, and may have 20"],
    },
  });
  expect(await house.say(ANA, "refrehs report=weekly", inData)).toMatchObject({
    refusal: { code: "unknown_recipe", near: "refresh" },
  });
  expect(await house.say(ANA, "refresh report=weekly", { channel: "C0SHOP" })).toMatchObject({
    refusal: { code: "other_teams_recipe", team: "data" },
  });
  expect(await house.core.stores.runs.recent(house.core.orgId, 1)).toEqual([]);
});

test("help and policy name the recipes of the team, and of no other", async () => {
  expect(await house.say(ANA, "help", inData)).toMatchObject({
    recipes: [{ usage: "refresh report=weekly|monthly [note=…]", title: "Refresh a report" }],
  });
  expect(await house.say(ANA, "help", { channel: "C0SHOP" })).toMatchObject({ recipes: [] });
  const policy = await house.say(ANA, "policy", inData);
  expect(policy?.kind === "policy" && policy.says.map(({ text }) => text)).toContain(
    "data has the recipe refresh for acme/reports",
  );
});

test("a recipe that is taken away before its run begins is not run", async () => {
  const asking = house.say(ANA, "refresh report=weekly", inData);
  house.policy.edit("recipes/refresh.yaml", RECIPE, RECIPE.replace("recipe: refresh", "recipe: renew"));
  await asking;
  const run = await house.until("denied");
  const { moves, decisions } = await factsOf(house.core, run.id);
  expect(moves.at(-1)?.why).toBe("policy no longer has the recipe refresh for data and acme/reports");
  expect(decisions).toMatchObject([
    {
      ...{ about: "recipe", subject: "refresh", outcome: "deny", reason: "no_recipe" },
      rules: [{ at: "recipes/refresh.yaml:3:9", text: "recipe refresh of data" }],
    },
  ]);
  const view = await house.say(ANA, "why", { in: run });
  expect(view).toMatchObject({
    reasons: [
      {
        // Its file was not kept, and what another policy has at that line is not shown in its place.
        rules: [{ ref: { at: "recipes/refresh.yaml:3:9" }, excerpt: null }],
        points: ["intake"],
        remedy: { text: "policy would have to have the recipe refresh for data and acme/reports again" },
      },
    ],
  });
});

import { afterEach, beforeEach, expect, test } from "vitest";
import { decidePath } from "#policy/paths.ts";
import type { Grant } from "#ports/gateway.ts";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

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
const writes: NonNullable<Script["play"]> = () => [
  { write: "README.md", content: "made with care\n" },
  { say: "Done." },
];
let play = writes;
beforeEach(async () => {
  prompts.length = 0;
  play = writes;
  house = await memoryHouse({
    play: (prompt) => {
      prompts.push(prompt);
      return play(prompt);
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

const edited = (from: string, to: string) => house.policy.edit("recipes/refresh.yaml", from, to);
const takenAway = () => edited("recipe: refresh", "recipe: renew");
const also = (rule: string) => house.policy.edit("teams/data.yaml", "rules:\n", `rules:\n  - ${rule}\n`);

/** Ended before it began, with the recipe as it was pinned. */
async function notRun(): Promise<Run> {
  const run = await house.until("denied");
  const { moves, decisions, sandboxes } = await factsOf(house.core, run.id);
  expect(moves.at(-1)?.why).toBe("policy no longer has the recipe refresh for data and acme/reports");
  expect(decisions.at(-1)).toMatchObject({
    ...{ about: "recipe", subject: "refresh", outcome: "deny", reason: "no_recipe" },
    rules: [{ at: "recipes/refresh.yaml:3:9", text: "recipe refresh of data" }],
  });
  expect(sandboxes).toEqual([]);
  return run;
}

test("a recipe that is taken away before its run begins is not run", async () => {
  const asking = house.say(ANA, "refresh report=weekly", inData);
  takenAway();
  await asking;
  const view = await house.say(ANA, "why", { in: await notRun() });
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

test("a recipe that is taken away while its run waits for a yes is not run after it", async () => {
  also("{ ask: { action: run.start }, from: group:leads }");
  await house.say(ANA, "refresh report=weekly", inData);
  const question = await house.question(await house.until("waiting"));
  takenAway();
  await house.answer(BO, question.id);
  await notRun();
});

test("a recipe that is taken away while its run stands in line is not run", async () => {
  house.policy.edit("teams/data.yaml", "limits: { cost_usd: 4,", "limits: { concurrent_runs: 1, cost_usd: 4,");
  play = () => [{ run: "rm -rf build", ask: true }, { say: "Done." }];
  await house.say(ANA, "clean up", inData);
  await house.question(await house.until("working"));
  await house.say(ANA, "refresh report=weekly", inData);
  const run = await house.until("queued");
  await house.notices(run);
  takenAway();
  await house.pass(6_000, run);
  await notRun();
});

/** What the agent's sandbox is granted. */
const inForce = (): Grant | undefined => [...house.gateway.grants.values()][0];
const effect = (file: string) => decidePath(inForce()?.git?.paths ?? [], file).effect;

test("a recipe that is narrowed after its run was allowed holds it, before and while the agent is at work", async () => {
  also("{ ask: { action: run.start }, from: group:leads }");
  play = () => [{ run: "rm -rf build", ask: true }, { say: "Done." }];
  await house.say(ANA, "refresh report=weekly", inData);
  const question = await house.question(await house.until("waiting"));
  edited("cost_usd: 0.5", "cost_usd: 0.2");
  await house.answer(BO, question.id);
  await house.question(await house.until("working"));
  expect(inForce()?.budget.usd).toBe(0.2);
  expect(["docs/a.md", "README.md"].map(effect)).toEqual(["allow", "allow"]);
  edited("paths: [docs/**, README.md]", "paths: [README.md]");
  await regrant(house.core);
  expect(["docs/a.md", "README.md"].map(effect)).toEqual(["deny", "allow"]);
});

test("a recipe that is taken away once its run has begun leaves it as it was begun", async () => {
  play = () => [{ run: "rm -rf build", ask: true }, { say: "Done." }];
  await house.say(ANA, "refresh report=weekly", inData);
  await house.question(await house.until("working"));
  takenAway();
  await regrant(house.core);
  expect(inForce()?.budget.usd).toBe(0.5);
  expect(["docs/a.md", "sql/a.sql"].map(effect)).toEqual(["allow", "deny"]);
});

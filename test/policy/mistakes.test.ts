import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import { policyCases, unknownTeam } from "#policy/load/cases.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { readRepositoryFile } from "#policy/load/repository-file.ts";
import type { PolicyProblem } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";
import { ORG } from "#test/policy/sample.ts";

const Mistake = z.strictObject({
  what: z.string(),
  team: z.string().optional(),
  whole_team: z.string().optional(),
  org: z.string().optional(),
  instead_of: z.string().optional(),
  write: z.string().optional(),
  recipe: z.string().optional(),
  test: z.string().optional(),
  repository: z.string().optional(),
  folder: z.record(z.string(), z.string()).optional(),
  /** The team's lines this many times. */
  times: z.int().optional(),
  site: z
    .strictObject({
      upstreams: z.array(z.string()),
      signIn: z.boolean(),
    })
    .partial()
    .optional(),
  says: z.string(),
  /** Only the last of very many. */
  says_last: z.boolean().optional(),
});
type Mistake = z.infer<typeof Mistake>;

const Golden = z.strictObject({
  organisation: z.literal(ORG),
  team: z.string(),
  team_of_recipes: z.string(),
  recipe: z.string(),
  test: z.string(),
  mistakes: z.array(Mistake),
});

const file = path.join(import.meta.dirname, "..", "fixtures", "policy", "mistakes.yaml");
const golden = Golden.parse(parse(readFileSync(file, "utf8")));

/** All files of the policy that has the mistake. */
function filesWith(mistake: Mistake): Map<string, string> {
  const { folder, recipe, test: cases, instead_of: from, write: to, whole_team: whole } = mistake;
  if (folder) return new Map(Object.entries(folder).map(([name, text]) => [name, text === "ORG" ? ORG : text]));
  if (from !== undefined && !ORG.includes(from)) throw new Error(`the organisation has no ${from}`);
  const org = (from === undefined ? ORG : ORG.replace(from, to ?? "")) + (mistake.org ?? "");
  const lines = (mistake.team ?? "").repeat(mistake.times ?? 1);
  const team = golden.team + (recipe === undefined ? lines : golden.team_of_recipes);
  return new Map([
    ["org.yaml", org],
    ["teams/shop.yaml", whole ?? team],
    ...(recipe === undefined ? [] : [["recipes/typo.yaml", golden.recipe + recipe] as const]),
    ...(cases === undefined ? [] : [["tests/shop.test.yaml", golden.test + cases] as const]),
  ]);
}

/** What is configured, as far as the mistake depends on it. */
const siteOf = ({ site }: Mistake): SiteConfig =>
  Object.fromEntries(Object.entries(site ?? {}).filter(([, value]) => value !== undefined));

function problemsOf(mistake: Mistake): readonly PolicyProblem[] {
  if (mistake.repository !== undefined) {
    const read = readRepositoryFile(mistake.repository);
    return read.ok ? [] : read.problems;
  }
  const files = filesWith(mistake);
  const result = loadPolicy(files, { commit: "c0ffee", site: siteOf(mistake) });
  const { cases: read, problems } = policyCases(files);
  const unknown = result.ok ? read.flatMap((one) => unknownTeam(result.policy, one) ?? []) : [];
  return [...(result.ok ? [] : result.problems), ...problems, ...unknown];
}

test.each(golden.mistakes.map((mistake) => [mistake.what, mistake] as const))("%s is answered", (_what, mistake) => {
  const said = problemsOf(mistake).map(({ at, message }) => `${at} ${message}\n`);
  expect((mistake.says_last ? said.slice(-1) : said).join("")).toBe(mistake.says);
});

test("each mistake is there once, and every answer has its place", () => {
  expect(new Set(golden.mistakes.map(({ what }) => what)).size).toBe(golden.mistakes.length);
  expect(golden.mistakes.length).toBeGreaterThan(220);
  const lines = golden.mistakes.flatMap(({ says }) => says.trimEnd().split("\n"));
  expect(lines.filter((line) => !/^[\w./-]+:\d+:\d+ \S/.test(line))).toEqual([]);
});

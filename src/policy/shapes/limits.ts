import type { z } from "zod";
import { Count, Duration, Money, oneOf, oneOrMany, Size, strict, Text, Whole } from "#policy/scalars.ts";

const run = {
  cost_usd: Money,
  runtime: Duration,
  tokens: Count,
  upload: Size,
  concurrent_runs: Whole("a number of runs from 1 to 10000", 10_000),
};

const runs = Whole("a number of runs from 1 to 10000", 10_000).optional();
const shared = {
  per_repo: strict("limits of one repository like {concurrent_runs: 1}", { concurrent_runs: runs }).optional(),
  per_person: strict("limits of one person like {concurrent_runs: 1}", { concurrent_runs: runs }).optional(),
  per_month: strict("limits of the team's calendar month like {cost_usd: 200, tokens: 100M}", {
    cost_usd: Money.optional(),
    tokens: Count.optional(),
  }).optional(),
  per_person_month: strict("limits of one person's calendar month like {cost_usd: 50}", {
    cost_usd: Money.optional(),
    tokens: Count.optional(),
  }).optional(),
};

const LIMITS = "limits like {cost_usd: 5, runtime: 45m, tokens: 5M, upload: 20MB, concurrent_runs: 2}";
export const CeilingLimits = strict(LIMITS, { ...run, ...shared });
export const SomeLimits = strict(LIMITS, { ...run, ...shared }).partial();
export type LimitsShape = z.infer<typeof SomeLimits>;

/** What a recipe may hold its runs to: what people, repositories and months share is the team's. */
export const RunLimits = strict("limits of a run like {cost_usd: 1, runtime: 10m}", run).partial();

export const ISOLATION = ["process", "container", "microvm"] as const;

/** What a run's sandbox is: a ceiling holds the most, a team asks for its own. `isolation` is the least that will do. */
export const SandboxShape = strict("a sandbox like {isolation: container, memory: 4GB}", {
  provider: oneOrMany("a provider or a list of them", Text),
  image: oneOrMany("an image or a list of them", Text),
  cpu: Whole("a number of processors from 1 to 64", 64),
  memory: Size,
  disk: Size,
  isolation: oneOf(ISOLATION),
}).partial();
export type SandboxShape = z.infer<typeof SandboxShape>;

import type { Point } from "./points.ts";

/** Every limit a policy can name, as it is written: "per_month.cost_usd". */
export const LIMITS = [
  "cost_usd",
  "tokens",
  "runtime",
  "upload",
  "concurrent_runs",
  "per_repo.concurrent_runs",
  "per_person.concurrent_runs",
  "per_month.cost_usd",
  "per_month.tokens",
  "per_person_month.cost_usd",
  "per_person_month.tokens",
] as const;
export type LimitName = (typeof LIMITS)[number];

/** What a sandbox is held to, as it is written. */
export const SANDBOX_LIMITS = [
  "sandbox.provider",
  "sandbox.image",
  "sandbox.isolation",
  "sandbox.cpu",
  "sandbox.memory",
  "sandbox.disk",
] as const;
export type SandboxLimit = (typeof SANDBOX_LIMITS)[number];

/** Whether it is the name of a limit, of a run or of its sandbox. */
export const isLimit = (name: string): name is LimitName | SandboxLimit =>
  [...LIMITS, ...SANDBOX_LIMITS].some((one) => one === name);

/**
 * Where each is enforced. Money of a month is decided when a run starts, and what is left of it goes to the gateway as
 * part of the run's budget. A sandbox that cannot be had is refused before anything is asked of anybody, and again by
 * whoever carries the run wherever one is made.
 */
export const LIMIT_POINTS: Readonly<Record<LimitName | SandboxLimit, readonly Point[]>> = {
  cost_usd: ["gateway"],
  tokens: ["gateway"],
  runtime: ["worker"],
  upload: ["gateway"],
  concurrent_runs: ["intake"],
  "per_repo.concurrent_runs": ["intake"],
  "per_person.concurrent_runs": ["intake"],
  "per_month.cost_usd": ["intake", "gateway"],
  "per_month.tokens": ["intake", "gateway"],
  "per_person_month.cost_usd": ["intake", "gateway"],
  "per_person_month.tokens": ["intake", "gateway"],
  "sandbox.provider": ["intake", "worker"],
  "sandbox.image": ["intake", "worker"],
  "sandbox.isolation": ["intake", "worker"],
  "sandbox.cpu": ["sandbox"],
  "sandbox.memory": ["sandbox"],
  "sandbox.disk": ["sandbox"],
};

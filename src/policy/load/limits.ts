import type { RuleRef } from "#policy/decision.ts";
import { LIMITS, type LimitName, SANDBOX_LIMITS, type SandboxLimit } from "#policy/limit.ts";
import { count, durationMs, sizeBytes } from "#policy/match/units.ts";
import type { PolicyProblem, Shares } from "#policy/policy.ts";
import type { Limits, SandboxNeeds } from "#policy/scope.ts";
import { ISOLATION, type LimitsShape, type SandboxShape } from "#policy/shapes/limits.ts";
import type { Path, Source } from "./document.ts";

/** Limits in the units of `Limits`; only the keys that were written. */
export function limitsFrom(shape: LimitsShape): Partial<Limits> {
  return {
    ...(shape.cost_usd === undefined ? {} : { costUsd: shape.cost_usd }),
    ...(shape.tokens === undefined ? {} : { tokens: count(shape.tokens) as number }),
    ...(shape.runtime === undefined ? {} : { runtimeMs: durationMs(shape.runtime) as number }),
    ...(shape.upload === undefined ? {} : { uploadBytes: sizeBytes(shape.upload) as number }),
    ...(shape.concurrent_runs === undefined ? {} : { concurrentRuns: shape.concurrent_runs }),
  };
}

/** What is shared, the first of `shapes` that says it; `null` where none does. */
export function sharesFrom(shapes: readonly LimitsShape[]): Shares {
  const first = <Value>(of: (shape: LimitsShape) => Value | undefined) =>
    shapes.map(of).find((value) => value !== undefined) ?? null;
  const tokens = (value: string | number | null) => (value === null ? null : (count(value) as number));
  return {
    perRepo: { concurrentRuns: first((shape) => shape.per_repo?.concurrent_runs) },
    perPerson: { concurrentRuns: first((shape) => shape.per_person?.concurrent_runs) },
    perMonth: {
      costUsd: first((shape) => shape.per_month?.cost_usd),
      tokens: tokens(first((shape) => shape.per_month?.tokens)),
    },
    perPersonMonth: {
      costUsd: first((shape) => shape.per_person_month?.cost_usd),
      tokens: tokens(first((shape) => shape.per_person_month?.tokens)),
    },
  };
}

const WRITTEN = {
  cost_usd: Number,
  tokens: (value: string | number) => count(value),
  runtime: (value: string | number) => durationMs(String(value)),
  upload: (value: string | number) => sizeBytes(String(value)),
  concurrent_runs: Number,
} as const;

/** What a shape says at a key like "per_month.cost_usd". */
function written(shape: LimitsShape | SandboxShape, key: readonly string[]): string | number | undefined {
  return key.reduce<unknown>(
    (value, step) => (typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined),
    shape,
  ) as string | number | undefined;
}

/** Every limit of `shape`, at `path` of `source`, that is above the outer one, with both places. */
export function limitsAbove(
  outer: { shape: LimitsShape; source: Source; path: Path; what: string },
  shape: LimitsShape,
  source: Source,
  path: Path,
): PolicyProblem[] {
  return LIMITS.flatMap((name) => {
    const key = name.split(".");
    const [most, mine] = [written(outer.shape, key), written(shape, key)];
    if (most === undefined || mine === undefined) return [];
    const measure = WRITTEN[key.at(-1) as keyof typeof WRITTEN];
    if ((measure(mine) as number) <= (measure(most) as number)) return [];
    const place = outer.source.keyAt([...outer.path, ...key]);
    return [
      {
        at: source.at([...path, ...key]),
        message: `${name} ${mine} is above the ${outer.what} of ${most} at ${place}`,
      },
    ];
  });
}

/** One of the places that may say a limit: a team's own, the organisation's defaults, the ceiling. */
export interface LimitSource {
  readonly source: Source;
  readonly limits: LimitsShape | undefined;
  readonly limitsPath: Path;
  readonly sandbox: SandboxShape | undefined;
  readonly sandboxPath: Path;
}

/**
 * Where the limits that hold stand and what is written there: of each, the first of `sources` that says it; of isolation the
 * first that says the strongest, for that is the one that holds.
 */
export function limitRefs(sources: readonly LimitSource[]): Partial<Record<LimitName | SandboxLimit, RuleRef>> {
  const refs: Partial<Record<LimitName | SandboxLimit, RuleRef>> = {};
  const walls = sources.map(({ sandbox }) => strength(sandbox));
  const strongest = sources.filter((_, index) => walls[index] === Math.max(...walls));
  const put = (name: LimitName | SandboxLimit, key: readonly string[], of: "limits" | "sandbox") => {
    for (const one of name === "sandbox.isolation" ? strongest : sources) {
      const shape = one[of];
      const value = shape === undefined ? undefined : written(shape, key);
      if (value === undefined) continue;
      const path = [...(of === "limits" ? one.limitsPath : one.sandboxPath), ...key];
      const text = `${of === "limits" ? "limits." : ""}${name} ${[value].flat().join(", ")}`;
      refs[name] = { at: one.source.keyAt(path), text, why: null };
      return;
    }
  };
  for (const name of LIMITS) put(name, name.split("."), "limits");
  for (const name of SANDBOX_LIMITS) put(name, [name.slice("sandbox.".length)], "sandbox");
  return refs;
}

/** How strong a wall a shape wants: its place in ISOLATION; -1: it says nothing. */
const strength = (shape: SandboxShape | undefined): number =>
  shape?.isolation === undefined ? -1 : ISOLATION.indexOf(shape.isolation);

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}

/** A team's own needs over the defaults, inside the ceiling: what no one says is the ceiling's. */
export function sandboxFrom(shapes: readonly (SandboxShape | undefined)[]): SandboxNeeds {
  const first = <Key extends keyof SandboxShape>(key: Key): SandboxShape[Key] =>
    shapes.map((shape) => shape?.[key]).find((value) => value !== undefined);
  const [memory, disk] = [first("memory"), first("disk")];
  return {
    providers: listOf(first("provider")),
    images: listOf(first("image")),
    isolation: ISOLATION[Math.max(...shapes.map(strength))] ?? "none",
    cpu: first("cpu") ?? null,
    memoryBytes: memory === undefined ? null : sizeBytes(memory),
    diskBytes: disk === undefined ? null : sizeBytes(disk),
  };
}

/** What a sandbox at `path` may not be under the ceiling's: another provider or image, a larger size, a thinner wall. */
export function sandboxAbove(
  ceiling: { shape: SandboxShape | undefined; source: Source },
  shape: SandboxShape | undefined,
  source: Source,
  path: Path,
): PolicyProblem[] {
  const most = ceiling.shape;
  if (most === undefined || shape === undefined) return [];
  const above = (key: keyof SandboxShape, bad: boolean): PolicyProblem[] =>
    bad
      ? [
          {
            at: source.at([...path, key]),
            message: `sandbox ${key} ${[shape[key]].flat().join(", ")} is ${key === "isolation" ? "weaker than" : "above"} the ceiling of ${[most[key]].flat().join(", ")} at ${ceiling.source.keyAt(["ceiling", "sandbox", key])}`,
          },
        ]
      : [];
  const outside = (key: "provider" | "image") =>
    most[key] !== undefined && listOf(shape[key]).some((one) => !listOf(most[key]).includes(one));
  const larger = (key: "memory" | "disk") =>
    most[key] !== undefined &&
    shape[key] !== undefined &&
    (sizeBytes(shape[key]) as number) > (sizeBytes(most[key]) as number);
  return [
    ...above("provider", outside("provider")),
    ...above("image", outside("image")),
    ...above("cpu", most.cpu !== undefined && shape.cpu !== undefined && shape.cpu > most.cpu),
    ...above("memory", larger("memory")),
    ...above("disk", larger("disk")),
    ...above(
      "isolation",
      most.isolation !== undefined &&
        shape.isolation !== undefined &&
        ISOLATION.indexOf(shape.isolation) < ISOLATION.indexOf(most.isolation),
    ),
  ];
}

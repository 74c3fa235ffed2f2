import { containsRange } from "./cidr.ts";
import type { Position } from "./decision.ts";
import type { Source } from "./document.ts";
import type { EgressRule } from "./egress.ts";
import { containsPath, containsText, fold, pathGlob } from "./glob.ts";
import { egressRule, type Grants } from "./grants.ts";
import { containsHost } from "./hosts.ts";
import type { PolicyProblem, Rule } from "./policy.ts";
import { nth } from "./rules.ts";
import type { LimitsShape, OrgShape } from "./schema.ts";
import type { Limits } from "./scope.ts";
import { count, durationMs, sizeBytes } from "./units.ts";

/** The most any team may grant, with the place of each part. */
export interface Ceiling {
  readonly at: Position;
  readonly repos: readonly string[];
  readonly reposAt: Position;
  readonly models: readonly string[];
  readonly modelsAt: Position;
  readonly egress: readonly EgressRule[];
  readonly egressAt: Position;
  readonly presets: readonly string[];
  readonly limits: Limits;
  /** "10 at org.yaml:30:12". */
  limitAt(key: keyof LimitsShape): string;
}

export function ceilingOf(source: Source, shape: OrgShape["ceiling"]): Ceiling {
  const egress = shape.egress.flatMap((entry, index) => {
    const { host } = entry;
    // What a person may add for one run is not what a team may grant.
    return host === undefined || entry.only === "ask"
      ? []
      : [egressRule({ ...entry, host }, source.at(["ceiling", "egress", index]))];
  });
  return {
    at: source.keyAt(["ceiling"]),
    repos: shape.repos,
    reposAt: source.keyAt(["ceiling", "repos"]),
    models: shape.models,
    modelsAt: source.keyAt(["ceiling", "models"]),
    egress,
    egressAt: source.keyAt(["ceiling", "egress"]),
    presets: shape.egress.flatMap(({ preset, only }) => (preset === undefined || only === "ask" ? [] : [preset])),
    limits: limitsFrom(shape.limits) as Limits,
    limitAt: (key) => `${shape.limits[key]} at ${source.keyAt(["ceiling", "limits", key])}`,
  };
}

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

const LIMIT_KEYS = {
  cost_usd: "costUsd",
  tokens: "tokens",
  runtime: "runtimeMs",
  upload: "uploadBytes",
  concurrent_runs: "concurrentRuns",
} as const;

/** Every limit at `path` that is above the ceiling's. */
export function limitsAbove(
  ceiling: Ceiling,
  shape: LimitsShape,
  source: Source,
  path: readonly string[],
): PolicyProblem[] {
  const given = limitsFrom(shape);
  return (Object.keys(LIMIT_KEYS) as (keyof typeof LIMIT_KEYS)[]).flatMap((key) => {
    const mine = given[LIMIT_KEYS[key]];
    if (mine === undefined || mine <= ceiling.limits[LIMIT_KEYS[key]]) return [];
    return [
      {
        at: source.at([...path, key]),
        message: `${key} ${shape[key]} is above the ceiling of ${ceiling.limitAt(key)}`,
      },
    ];
  });
}

function covers(outer: EgressRule, inner: EgressRule): boolean {
  const all = <Item>(some: readonly Item[], within: readonly Item[]) => some.every((item) => within.includes(item));
  return (
    containsHost(outer.host, inner.host) &&
    all(inner.ports, outer.ports) &&
    (outer.mode === "tunnel" || inner.mode === "intercept") &&
    (outer.methods.length === 0 || (inner.methods.length > 0 && all(inner.methods, outer.methods))) &&
    (outer.paths.length === 0 ||
      (inner.paths.length > 0 &&
        inner.paths.every((path) => outer.paths.some((wide) => containsPath(pathGlob(wide), pathGlob(path)))))) &&
    inner.private.every((range) => outer.private.some((wide) => containsRange(wide, range)))
  );
}

/** Which part of a grant the nearest ceiling entry refuses; for the message only. */
function shortfall(ceiling: Ceiling, inner: EgressRule): { at: Position; what: string } {
  const near = ceiling.egress.filter((outer) => containsHost(outer.host, inner.host));
  const [one] = near;
  if (one === undefined || near.length > 1) return { at: one?.rule.at ?? ceiling.egressAt, what: "" };
  const parts: [string, EgressRule][] = [
    ["ports", { ...one, ports: inner.ports }],
    ["methods", { ...one, methods: [] }],
    ["paths", { ...one, paths: [] }],
    ["private", { ...one, private: inner.private }],
    ["mode", { ...one, mode: "tunnel" }],
  ];
  const part = parts.find(([, widened]) => covers(widened, inner))?.[0];
  return { at: one.rule.at, what: part === undefined ? "" : ` (${part})` };
}

/** Every host and preset of `grants` that the ceiling does not hold. */
export function grantsAbove(ceiling: Ceiling, grants: Grants): PolicyProblem[] {
  const hosts = grants.egress
    .filter((rule) => !ceiling.egress.some((outer) => covers(outer, rule)))
    .map((rule) => {
      const { at, what } = shortfall(ceiling, rule);
      return { at: rule.rule.at, message: `${rule.rule.text} is above the ceiling at ${at}${what}` };
    });
  const presets = grants.presets
    .filter((preset) => !ceiling.presets.includes(preset.name))
    .map(({ ref }) => ({ at: ref.at, message: `${ref.text} is above the ceiling at ${ceiling.egressAt}` }));
  return [...hosts, ...presets];
}

/** Every repository and model that a rule would grant, now or after a yes, beyond the ceiling. */
export function rulesAbove(ceiling: Ceiling, rules: readonly (Rule | null)[], source: Source): PolicyProblem[] {
  return rules.flatMap((rule, index) => {
    if (rule === null || rule.effect === "deny" || (rule.subject !== "git.repo" && rule.subject !== "model")) return [];
    const repos = rule.subject === "git.repo";
    const within = (glob: string) =>
      repos
        ? ceiling.repos.some((wide) => containsPath(pathGlob(fold(wide)), pathGlob(fold(glob))))
        : ceiling.models.some((wide) => containsText(wide, glob));
    return rule.globs.flatMap((glob, item) => {
      if (within(glob)) return [];
      const at = nth(source, ["rules", index, rule.effect, rule.subject], item);
      const message = `${rule.subject} ${glob} is above the ceiling at ${repos ? ceiling.reposAt : ceiling.modelsAt}`;
      return [{ at, message }];
    });
  });
}

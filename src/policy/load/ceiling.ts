import type { Position, RuleRef } from "#policy/decision.ts";
import type { EgressRule } from "#policy/egress.ts";
import { containsRange } from "#policy/match/cidr.ts";
import { containsPath, containsText, fold, pathGlob } from "#policy/match/glob.ts";
import { containsHost } from "#policy/match/hosts.ts";
import type { PolicyProblem, Rule } from "#policy/policy.ts";
import { containsPreset, type PresetGrant } from "#policy/presets.ts";
import type { LimitsShape, SandboxShape } from "#policy/shapes/limits.ts";
import type { OrgShape } from "#policy/shapes/org.ts";
import type { Source } from "./document.ts";
import { egressRule, egressText, type Grants } from "./grants.ts";
import { nth } from "./rules.ts";

/** The most any team may grant, with the place of each part. */
export interface Ceiling {
  readonly at: Position;
  readonly repos: readonly string[];
  readonly reposAt: Position;
  readonly models: readonly string[];
  readonly modelsAt: Position;
  readonly egress: readonly EgressRule[];
  readonly egressAt: Position;
  readonly presets: readonly (PresetGrant & { readonly ref: RuleRef })[];
  /** What a person may add for one run: every host of the ceiling, and those that are there only for that. */
  readonly askable: readonly EgressRule[];
  readonly limits: LimitsShape;
  readonly sandbox: SandboxShape | undefined;
  readonly source: Source;
}

export function ceilingOf(source: Source, shape: OrgShape["ceiling"]): Ceiling {
  const hosts = shape.egress.flatMap((entry, index) => {
    const { host, only } = entry;
    const at = source.at(["ceiling", "egress", index]);
    return host === undefined ? [] : [{ only, rule: egressRule({ ...entry, host }, at) }];
  });
  return {
    at: source.keyAt(["ceiling"]),
    repos: shape.repos,
    reposAt: source.keyAt(["ceiling", "repos"]),
    models: shape.models,
    modelsAt: source.keyAt(["ceiling", "models"]),
    // What a person may add for one run is not what a team may grant.
    egress: hosts.filter(({ only }) => only === undefined).map(({ rule }) => rule),
    egressAt: source.keyAt(["ceiling", "egress"]),
    presets: shape.egress.flatMap((entry, index) => {
      const { preset, only, repos } = entry;
      const ref = { at: source.at(["ceiling", "egress", index]), text: egressText(entry), why: null };
      return preset === undefined || only === "ask" ? [] : [{ name: preset, repos: repos ?? [], ref }];
    }),
    askable: hosts.map(({ rule }) => rule),
    limits: shape.limits,
    sandbox: shape.sandbox,
    source,
  };
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

/** Where the nearest entry of the ceiling stands, and what it has instead; for the message only. */
function shortfall(ceiling: Ceiling, inner: EgressRule): { at: Position; there: string } {
  const near = ceiling.egress.filter((outer) => containsHost(outer.host, inner.host));
  const [one] = near;
  const narrower = ceiling.egress.find((outer) => containsHost(inner.host, outer.host));
  if (one === undefined && narrower !== undefined)
    return { at: narrower.rule.at, there: `, which has host ${narrower.host}` };
  if (one === undefined) return { at: ceiling.egressAt, there: ", which has no such host" };
  if (near.length > 1) return { at: one.rule.at, there: "" };
  const list = (some: readonly (string | number)[]) => some.join(", ");
  const parts: [string, EgressRule][] = [
    [`ports ${list(one.ports)}`, { ...one, ports: inner.ports }],
    [`methods ${list(one.methods)}`, { ...one, methods: [] }],
    [`paths ${list(one.paths)}`, { ...one, paths: [] }],
    [
      `${one.private.length === 0 ? "no private range" : `private ${list(one.private)}`}`,
      { ...one, private: inner.private },
    ],
    ["mode intercept", { ...one, mode: "tunnel" }],
  ];
  const part = parts.find(([, widened]) => covers(widened, inner))?.[0];
  return { at: one.rule.at, there: part === undefined ? "" : `, which has ${part}` };
}

/** Every host and preset of `grants` that the ceiling does not hold. */
export function grantsAbove(ceiling: Ceiling, grants: Grants): PolicyProblem[] {
  // A preset's own rules are held to the ceiling as the preset.
  const own = (rule: EgressRule) => !grants.presets.some(({ ref }) => ref.at === rule.rule.at);
  const hosts = grants.egress
    .filter(own)
    .filter((rule) => !ceiling.egress.some((outer) => covers(outer, rule)))
    .map((rule) => {
      const { at, there } = shortfall(ceiling, rule);
      return { at: rule.rule.at, message: `${rule.rule.text} is above the ceiling at ${at}${there}` };
    });
  const presets = grants.presets
    .filter((preset) => !ceiling.presets.some((outer) => containsPreset(outer, preset)))
    .map(({ ref }) => ({
      at: ref.at,
      message: `${ref.text} is above the ceiling at ${ceiling.egressAt}, which has ${presetsOf(ceiling)}`,
    }));
  return [...hosts, ...presets];
}

function presetsOf({ presets }: Ceiling): string {
  const said = presets.map(({ name, repos }) => (repos.length === 0 ? name : `${name} for ${few(repos)}`));
  return said.length === 0 ? "no presets" : `presets ${said.join(", ")}`;
}

/** What a ceiling has, in a sentence: enough of it to choose from. */
function few(globs: readonly string[]): string {
  if (globs.length === 0) return "nothing";
  return globs.length <= 4 ? globs.join(", ") : `${globs.slice(0, 3).join(", ")} and ${globs.length - 3} more`;
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
      const most = repos ? { of: ceiling.repos, at: ceiling.reposAt } : { of: ceiling.models, at: ceiling.modelsAt };
      const message = `${rule.subject} ${glob} is above the ceiling of ${few(most.of)} at ${most.at}`;
      return [{ at, message }];
    });
  });
}

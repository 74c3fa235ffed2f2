import { grantsAbove, limitsAbove, limitsFrom, rulesAbove } from "./ceiling.ts";
import type { Source } from "./document.ts";
import { compileGrants, type Grants } from "./grants.ts";
import type { Org } from "./load-org.ts";
import type { SiteConfig, Team, TeamCheck } from "./policy.ts";
import { checkGroup, compileRules, list, type Reading } from "./rules.ts";
import type { Salvaged } from "./salvage.ts";
import type { TeamShape } from "./schema.ts";
import { durationMs } from "./units.ts";

export const DEFAULT_CHECK_MS = 10 * 60_000;

function present<Item>(items: readonly (Item | null)[]): Item[] {
  return items.filter((item) => item !== null);
}

function compileChecks({ source, problems }: Reading, shapes: NonNullable<Salvaged<TeamShape>["checks"]>): TeamCheck[] {
  const names = new Map<string, number>();
  return shapes.flatMap((check, index) => {
    if (check === null) return [];
    const first = names.get(check.name);
    if (first !== undefined) {
      const other = source.at(["checks", first, "name"]);
      problems.push({
        at: source.at(["checks", index, "name"]),
        message: `a check "${check.name}" is already at ${other}`,
      });
    }
    names.set(check.name, index);
    const timeoutMs = check.timeout === undefined ? null : durationMs(check.timeout);
    return {
      name: check.name,
      command: check.command,
      timeoutMs: timeoutMs ?? DEFAULT_CHECK_MS,
      required: check.required ?? true,
      in: list(check.in),
    };
  });
}

/** Compiles one team and holds it to the ceiling. Complaints go where the organisation's go. */
export function compileTeam(
  org: Org,
  source: Source,
  shape: Salvaged<TeamShape>,
  site: SiteConfig,
): { team: Team; grants: Grants } {
  const reading: Reading = { ...org.reading, source };
  const { problems } = reading;
  checkGroup(reading, shape.members, ["members"]);
  const rules = compileRules(reading, shape.rules ?? [], ["rules"]);
  const grants = compileGrants(reading, shape.egress ?? [], ["egress"], site);
  problems.push(...rulesAbove(org.ceiling, rules, source));
  problems.push(...grantsAbove(org.ceiling, grants));
  problems.push(...limitsAbove(org.ceiling, shape.limits ?? {}, source, ["limits"]));
  const checks = compileChecks(reading, shape.checks ?? []);
  const granted = [...org.defaults.presets, ...grants.presets];
  const team: Team = {
    name: shape.team,
    at: source.at(["team"]),
    members: shape.members,
    rules: present(rules),
    egress: [...org.defaults.egress, ...grants.egress],
    presets: granted.filter((preset, index) => granted.findIndex(({ name }) => name === preset.name) === index),
    limits: {
      ...org.ceiling.limits,
      ...limitsFrom(org.shape.defaults?.limits ?? {}),
      ...limitsFrom(shape.limits ?? {}),
    },
    setup: present(shape.setup ?? []).map((step) => ({ in: list(step.in), command: step.command })),
    checks,
  };
  return { team, grants };
}

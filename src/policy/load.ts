import type { z } from "zod";
import { policyDigest } from "./archive.ts";
import { type Ceiling, ceilingOf, grantsAbove, limitsAbove, limitsFrom, rulesAbove } from "./ceiling.ts";
import { readDocument, type Source } from "./document.ts";
import { compileGrants, type Grants } from "./grants.ts";
import { hint } from "./nearest.ts";
import {
  type AskDefaults,
  deepFreeze,
  type Policy,
  type PolicyProblem,
  type Rule,
  type SiteConfig,
  type Team,
} from "./policy.ts";
import { inOrder, problemsOf } from "./problems.ts";
import { checkGroup, compileRules, list, type Reading } from "./rules.ts";
import { OrgShape, TeamShape } from "./schema.ts";
import { durationMs } from "./units.ts";
import { warningsOf } from "./warnings.ts";

export type Loaded =
  | { readonly ok: true; readonly policy: Policy; readonly warnings: readonly PolicyProblem[] }
  | { readonly ok: false; readonly problems: readonly PolicyProblem[] };

const ORG = "org.yaml";
const TEAM_FILE = /^teams\/[^/]+\.yaml$/;
const TEST_FILE = /^tests\/[^/]+\.test\.yaml$/;
const DEFAULT_CHECK_MS = 10 * 60_000;

const APPROVALS: AskDefaults = {
  quorum: 1,
  self: false,
  expiresMs: 30 * 60_000,
  remindMs: 10 * 60_000,
  giveUpMs: 7 * 86_400_000,
};

interface Parsed<Shape> {
  readonly source: Source;
  readonly shape: Shape | null;
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  file: string,
  text: string,
  problems: PolicyProblem[],
): Parsed<z.infer<Schema>> | null {
  const read = readDocument(file, text);
  problems.push(...read.problems);
  if (read.source === null) return null;
  const result = schema.safeParse(read.source.value);
  if (!result.success) problems.push(...problemsOf(read.source, result.error.issues));
  return { source: read.source, shape: result.success ? result.data : null };
}

function approvalsOf(shape: NonNullable<OrgShape["defaults"]>["approvals"]): AskDefaults {
  const ms = (text: string | undefined, otherwise: number) =>
    text === undefined ? otherwise : (durationMs(text) ?? otherwise);
  return {
    quorum: shape?.quorum ?? APPROVALS.quorum,
    self: shape?.self ?? APPROVALS.self,
    expiresMs: ms(shape?.expires, APPROVALS.expiresMs),
    remindMs: ms(shape?.remind, APPROVALS.remindMs),
    giveUpMs: ms(shape?.give_up, APPROVALS.giveUpMs),
  };
}

/** The organisation's part, compiled, with what the teams are held to. */
interface Org {
  readonly shape: OrgShape;
  readonly reading: Reading;
  readonly ceiling: Ceiling;
  readonly always: readonly Rule[];
  readonly defaults: Grants;
}

function compileOrg(source: Source, shape: OrgShape, site: SiteConfig, problems: PolicyProblem[]): Org {
  const approvals = approvalsOf(shape.defaults?.approvals);
  // The schema has checked that each group has exactly one source.
  const reading: Reading = { source, groups: (shape.groups ?? {}) as Policy["groups"], approvals, problems };
  if (shape.owners !== undefined) checkGroup(reading, shape.owners.from, ["owners", "from"]);
  const ceiling = ceilingOf(source, shape.ceiling);
  const always = compileRules(reading, shape.always ?? [], ["always"]);
  always.forEach((rule, index) => {
    if (rule.effect === "allow") {
      problems.push({
        at: source.at(["always", index]),
        message: '"always" holds deny and ask - a grant belongs to a team',
      });
    }
  });
  const defaults = compileGrants(reading, shape.defaults?.egress ?? [], ["defaults", "egress"], site);
  problems.push(...grantsAbove(ceiling, defaults));
  problems.push(...limitsAbove(ceiling, shape.defaults?.limits ?? {}, source, ["defaults", "limits"]));
  return { shape, reading, ceiling, always: [...always, ...policyRepoRule(site)], defaults };
}

/** No run may be given the repository that holds its own guardrails. */
function policyRepoRule(site: SiteConfig): Rule[] {
  if (site.policyRepo === undefined) return [];
  const text = `deny git.repo ${site.policyRepo}`;
  const ref = { at: "baseline", text, why: "the repository that holds the policy is never given to a run" };
  return [
    { effect: "deny", subject: "git.repo", globs: [site.policyRepo], except: [], in: [], draft: null, ask: null, ref },
  ];
}

function compileTeam(org: Org, source: Source, shape: TeamShape, site: SiteConfig): { team: Team; grants: Grants } {
  const reading: Reading = { ...org.reading, source };
  const { problems } = reading;
  checkGroup(reading, shape.members, ["members"]);
  const rules = compileRules(reading, shape.rules ?? [], ["rules"]);
  const grants = compileGrants(reading, shape.egress ?? [], ["egress"], site);
  problems.push(...rulesAbove(org.ceiling, rules, source));
  problems.push(...grantsAbove(org.ceiling, grants));
  problems.push(...limitsAbove(org.ceiling, shape.limits ?? {}, source, ["limits"]));
  const names = new Map<string, number>();
  const checks = (shape.checks ?? []).map((check, index) => {
    const first = names.get(check.name);
    if (first !== undefined) {
      const other = source.at(["checks", first, "name"]);
      problems.push({
        at: source.at(["checks", index, "name"]),
        message: `a check "${check.name}" is already at ${other}`,
      });
    }
    names.set(check.name, index);
    return {
      name: check.name,
      command: check.command,
      timeoutMs: check.timeout === undefined ? DEFAULT_CHECK_MS : (durationMs(check.timeout) ?? DEFAULT_CHECK_MS),
      required: check.required ?? true,
      in: list(check.in),
    };
  });
  const granted = [...org.defaults.presets, ...grants.presets];
  const team: Team = {
    name: shape.team,
    at: source.at(["team"]),
    members: shape.members,
    rules,
    egress: [...org.defaults.egress, ...grants.egress],
    presets: granted.filter((preset, index) => granted.findIndex(({ name }) => name === preset.name) === index),
    limits: {
      ...org.ceiling.limits,
      ...limitsFrom(org.shape.defaults?.limits ?? {}),
      ...limitsFrom(shape.limits ?? {}),
    },
    setup: (shape.setup ?? []).map((step) => ({ in: list(step.in), command: step.command })),
    checks,
  };
  return { team, grants };
}

type Routes = Policy["routing"]["slack"];

function routes(org: Org, provider: "slack" | "linear", known: readonly string[], compiled: Policy["teams"]): Routes {
  const { source, problems } = org.reading;
  const table = org.shape.routing[provider] ?? {};
  const out: Record<string, { team: string; at: string }> = {};
  for (const [id, team] of Object.entries(table)) {
    const path = ["routing", provider, id];
    if (!known.includes(team))
      problems.push({ at: source.at(path), message: `unknown team "${team}"${hint(team, known)}` });
    if (Object.hasOwn(compiled, team)) out[id] = { team, at: source.keyAt(path) };
  }
  return out;
}

/** The team a file declares, also when the rest of it is broken: its routes must not be reported as unknown too. */
function declared(parsed: Parsed<unknown>): string {
  const value = parsed.source.value;
  return typeof value === "object" && value !== null && "team" in value ? String(value.team) : "";
}

/**
 * Compiles a folder of policy files (relative name → text). All complaints come at once, in the order of the files.
 * Test files are read by `policyCases`; a broken test never stops a policy.
 */
export function loadPolicy(
  files: ReadonlyMap<string, string>,
  options: { readonly commit: string; readonly site?: SiteConfig },
): Loaded {
  const site = options.site ?? {};
  const problems: PolicyProblem[] = [];
  for (const file of files.keys()) {
    if (file === ORG || TEAM_FILE.test(file) || TEST_FILE.test(file)) continue;
    problems.push({
      at: `${file}:1:1`,
      message: "is not read - a policy is org.yaml, teams/*.yaml and tests/*.test.yaml",
    });
  }
  const orgText = files.get(ORG);
  if (orgText === undefined)
    problems.push({ at: `${ORG}:1:1`, message: "is missing - it holds groups, routing and the ceiling" });
  const org = orgText === undefined ? null : parse(OrgShape, ORG, orgText, problems);
  const teamFiles = [...files].filter(([file]) => TEAM_FILE.test(file)).sort(([a], [b]) => (a < b ? -1 : 1));
  const parsed = teamFiles.flatMap(([file, text]) => parse(TeamShape, file, text, problems) ?? []);
  if (org === null || org.shape === null) return { ok: false, problems: deepFreeze(inOrder(problems)) };

  const compiled = compileOrg(org.source, org.shape, site, problems);
  const teams: Record<string, Team> = {};
  const granted: Grants[] = [compiled.defaults];
  for (const { source, shape } of parsed) {
    if (shape === null) continue;
    const { team, grants } = compileTeam(compiled, source, shape, site);
    const other = Object.hasOwn(teams, team.name) ? teams[team.name] : undefined;
    if (other !== undefined)
      problems.push({ at: team.at, message: `the team "${team.name}" is already at ${other.at}` });
    else teams[team.name] = team;
    granted.push(grants);
  }
  const known = parsed.map(declared).sort();
  const body = {
    commit: options.commit,
    owners:
      compiled.shape.owners === undefined
        ? null
        : { from: compiled.shape.owners.from, quorum: compiled.shape.owners.quorum ?? 1 },
    groups: compiled.reading.groups,
    routing: { slack: routes(compiled, "slack", known, teams), linear: routes(compiled, "linear", known, teams) },
    always: compiled.always,
    ceiling: {
      models: compiled.ceiling.models,
      modelsRef: { at: compiled.ceiling.modelsAt, text: `models ${compiled.ceiling.models.join(", ")}`, why: null },
      limits: compiled.ceiling.limits,
    },
    branch: compiled.shape.defaults?.branch ?? "agent/{run}",
    approvals: compiled.reading.approvals,
    teams,
  };
  if (problems.length > 0) return { ok: false, problems: deepFreeze(inOrder(problems)) };
  const policy: Policy = deepFreeze({ ...body, digest: policyDigest(body) });
  return {
    ok: true,
    policy,
    warnings: deepFreeze(
      inOrder(
        warningsOf(
          policy,
          granted.flatMap(({ unserved }) => unserved),
        ),
      ),
    ),
  };
}

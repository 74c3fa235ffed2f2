import path from "node:path";
import { parseArgs } from "node:util";
import { enforcementOf, limitsEnforced, linksEnforced } from "#policy/decide/enforced.ts";
import { capabilitiesOf, diffCapabilities } from "#policy/explain/capabilities.ts";
import { coverageOf } from "#policy/explain/coverage.ts";
import { explain } from "#policy/explain/explain.ts";
import { type RecordedDecision, simulate } from "#policy/explain/simulate.ts";
import { objectsOf, policyCases, Tried, tryCase, unknownTeam } from "#policy/load/cases.ts";
import { jsonSchema, SCHEMAS, type SchemaName } from "#policy/load/json-schema.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { hint } from "#policy/match/nearest.ts";
import { durationMs } from "#policy/match/units.ts";
import type { Policy, PolicyProblem, Team } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";
import { filesAt, filesOf, Usage } from "./policy-files.ts";
import { explainRun } from "./policy-run.ts";
import {
  POLICY_HELP,
  problemLines,
  sayChanges,
  sayCoverage,
  sayEnforcement,
  sayExplanation,
  sayLimits,
  saySimulation,
} from "./words.ts";

/** What the command line needs of the installation. */
export interface PolicyCommand {
  /** Where the policy lies when no folder is named: a folder, or the repository that the service takes it from. */
  readonly folder: string | { readonly repository: string };
  /** What is configured here, for the policy that lies in this folder. */
  readonly site: (folder: string) => SiteConfig;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
  /** Decisions that were recorded since then, of one run or of all. */
  readonly recorded: (of: { since: Date } | { run: string }) => Promise<readonly RecordedDecision[]>;
  /** Policies as they were in force, by digest, as far as they were kept. */
  readonly kept: (digests: readonly string[]) => Promise<ReadonlyMap<string, Policy>>;
  readonly now: () => Date;
}

const COMMANDS = { check, test, explain: explainCommand, diff, simulate: simulateCommand, schema } as const;

/**
 * Runs `countersign policy …`. 0: done; 1: the policy is broken, a test fails, no decision of a run is there, or, asked with
 * `--exit-code`, something changes; 2: not understood.
 */
export async function policyCommand(argv: readonly string[], at: PolicyCommand): Promise<number> {
  const [word, ...rest] = argv;
  const run = word !== undefined && Object.hasOwn(COMMANDS, word) ? COMMANDS[word as keyof typeof COMMANDS] : undefined;
  if (word === "--help" || word === "-h" || word === "help") {
    at.out(POLICY_HELP);
    return 0;
  }
  if (run === undefined) {
    const what = word === undefined ? "name one" : `there is no "policy ${word}"${hint(word, Object.keys(COMMANDS))}`;
    at.error(`countersign policy: ${what}\n\n${POLICY_HELP}`);
    return 2;
  }
  try {
    return await run(rest, at);
  } catch (error) {
    const usage =
      error instanceof Usage ||
      (error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS"));
    if (!usage) throw error;
    at.error(`countersign policy ${word}: ${error.message}\n\n${POLICY_HELP}`);
    return 2;
  }
}

const json = { json: { type: "boolean", default: false } } as const;

/** As git's own `diff` has it: what changes is no failure unless somebody asks for one. */
const changing = { ...json, "exit-code": { type: "boolean", default: false } } as const;

function folderOf(given: string | undefined, { folder }: PolicyCommand): string {
  if (given !== undefined) return given;
  if (typeof folder === "string") return folder;
  throw new Usage(`the service takes its policy from ${folder.repository}: check that out, and name its folder`);
}

/** The policy of a folder, or `null` after its mistakes were said. `files`: as they are there, or were in a commit. */
function load(folder: string, files: ReadonlyMap<string, string>, at: PolicyCommand, asJson: boolean): Policy | null {
  const loaded = loadPolicy(files, { commit: "files", site: at.site(folder) });
  if (loaded.ok) return loaded.policy;
  if (asJson) at.out(JSON.stringify({ ok: false, problems: loaded.problems }, null, 2));
  else at.error(problemLines(loaded.problems));
  return null;
}

async function check(args: readonly string[], at: PolicyCommand): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options: json, allowPositionals: true });
  const folder = folderOf(positionals[0], at);
  const files = await filesOf(folder);
  const loaded = loadPolicy(files, { commit: "files", site: at.site(folder) });
  const cases = policyCases(files);
  // Of a policy that does not load it is not known which teams there are.
  const unknown = loaded.ok ? cases.cases.flatMap((one) => unknownTeam(loaded.policy, one) ?? []) : [];
  const problems: readonly PolicyProblem[] = [...(loaded.ok ? [] : loaded.problems), ...cases.problems, ...unknown];
  const warnings = loaded.ok ? loaded.warnings : [];
  const ok = problems.length === 0;
  if (values.json) {
    const digest = loaded.ok ? loaded.policy.digest : null;
    const enforced = loaded.ok ? enforcementOf(loaded.policy) : [];
    at.out(JSON.stringify({ ok, digest, problems, warnings, enforced }, null, 2));
    return ok ? 0 : 1;
  }
  if (!ok) at.error(problemLines(problems));
  if (warnings.length > 0)
    at.out(problemLines(warnings.map((one) => ({ ...one, message: `warning: ${one.message}` }))));
  if (loaded.ok && ok) {
    at.out(sayEnforcement(enforcementOf(loaded.policy)));
    const { teams, recipes, digest } = loaded.policy;
    const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
    at.out(`${count(Object.keys(teams).length, "team")}, ${count(Object.keys(recipes).length, "recipe")}, ${digest}`);
  }
  return ok ? 0 : 1;
}

async function test(args: readonly string[], at: PolicyCommand): Promise<number> {
  const options = { ...json, coverage: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const folder = folderOf(positionals[0], at);
  const files = await filesOf(folder);
  const policy = load(folder, files, at, values.json);
  if (policy === null) return 1;
  const { cases, problems } = policyCases(files);
  const failed = cases.flatMap((one) => tryCase(policy, one) ?? []);
  const coverage = values.coverage ? coverageOf(policy, cases) : null;
  const ok = problems.length + failed.length === 0 && cases.length > 0;
  if (values.json) {
    at.out(JSON.stringify({ ok, cases: cases.length, problems, failed, ...(coverage && { coverage }) }, null, 2));
    return ok ? 0 : 1;
  }
  if (problems.length + failed.length > 0) at.error(problemLines([...problems, ...failed]));
  if (cases.length === 0) at.error("no case was tried: write tests/*.test.yaml (docs/policies.md shows how)");
  at.out(`${cases.length - failed.length} of ${cases.length} cases hold`);
  if (coverage !== null) at.out(sayCoverage(coverage));
  return ok ? 0 : 1;
}

const TRIED = {
  push: { type: "string" },
  path: { type: "string", multiple: true },
  http: { type: "string" },
  command: { type: "string" },
  action: { type: "string" },
  model: { type: "string" },
  secret: { type: "string" },
  tool: { type: "string" },
  preset: { type: "string" },
} as const;

/** Only the keys that have a value. */
function given(values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

async function explainCommand(args: readonly string[], at: PolicyCommand): Promise<number> {
  const options = { ...json, ...TRIED, team: { type: "string" } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (values.team === undefined) return explainOfRun(positionals[0], values.json, at);
  const folder = folderOf(positionals[0], at);
  const policy = load(folder, await filesOf(folder), at, values.json);
  if (policy === null) return 1;
  if (!Object.hasOwn(policy.teams, values.team)) {
    throw new Usage(`there is no team "${values.team}"${hint(values.team, Object.keys(policy.teams))}`);
  }
  const { push, path: paths, ...others } = values;
  const what = given({ "git.push": push, paths, ...others, team: undefined, json: undefined });
  if (Object.keys(what).length === 0) {
    const team = policy.teams[values.team] as Team;
    const limits = [...linksEnforced(team), ...limitsEnforced(team)];
    at.out(values.json ? JSON.stringify(limits, null, 2) : sayLimits(values.team, limits));
    return 0;
  }
  const tried = Tried.safeParse(what);
  if (!tried.success) throw new Usage(tried.error.issues.map(({ message }) => message).join("; "));
  const objects = objectsOf(policy, tried.data);
  const explanation = explain(policy, { team: values.team, objects });
  at.out(values.json ? JSON.stringify(explanation, null, 2) : sayExplanation(explanation));
  return 0;
}

async function explainOfRun(run: string | undefined, json: boolean, at: PolicyCommand): Promise<number> {
  if (run === undefined) throw new Usage("name a run, or a team with --team and what is tried");
  const decisions = await at.recorded({ run });
  const kept = await at.kept([...new Set(decisions.flatMap(({ policies }) => policies ?? []))]);
  return explainRun({ run, decisions, kept, now: await filesNow(at), json, out: at.out, error: at.error });
}

/** The policy as the files are, or why they say nothing. */
async function filesNow({ folder, site }: PolicyCommand): Promise<Policy | string> {
  if (typeof folder !== "string") return `the service takes its policy from ${folder.repository}`;
  try {
    const loaded = loadPolicy(await filesOf(folder), { commit: "files", site: site(folder) });
    return loaded.ok ? loaded.policy : `the files in ${folder} do not load`;
  } catch (error) {
    if (!(error instanceof Usage)) throw error;
    return error.message;
  }
}

async function diff(args: readonly string[], at: PolicyCommand): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options: changing, allowPositionals: true });
  const [range = "", given] = positionals;
  const [before = "", after = ""] = range.split("..");
  if (before === "" || before.startsWith("-") || !range.includes("..")) {
    throw new Usage("name two commits, like main..HEAD; main.. compares with the files as they are");
  }
  const folder = folderOf(given, at);
  const old = load(folder, await filesAt(folder, before), at, values.json);
  const files = after === "" ? await filesOf(path.resolve(folder)) : await filesAt(folder, after);
  const now = load(folder, files, at, values.json);
  if (old === null || now === null) return 1;
  const changes = diffCapabilities(old, now);
  at.out(values.json ? JSON.stringify({ changes }, null, 2) : sayChanges(changes, capabilitiesOf(now).length));
  return values["exit-code"] && changes.length > 0 ? 1 : 0;
}

async function simulateCommand(args: readonly string[], at: PolicyCommand): Promise<number> {
  const options = { ...changing, since: { type: "string", default: "14d" } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const ms = durationMs(values.since);
  if (ms === null) throw new Usage(`--since takes a duration like 14d or 12h, not "${values.since}"`);
  const folder = folderOf(positionals[0], at);
  const policy = load(folder, await filesOf(folder), at, values.json);
  if (policy === null) return 1;
  const result = simulate(policy, await at.recorded({ since: new Date(at.now().getTime() - ms) }));
  at.out(values.json ? JSON.stringify(result, null, 2) : saySimulation(result));
  return values["exit-code"] && result.changes.length > 0 ? 1 : 0;
}

async function schema(args: readonly string[], at: PolicyCommand): Promise<number> {
  const { positionals } = parseArgs({ args: [...args], options: json, allowPositionals: true });
  const [name = ""] = positionals;
  if (!Object.hasOwn(SCHEMAS, name)) throw new Usage(`name one of ${Object.keys(SCHEMAS).join(", ")}`);
  at.out(JSON.stringify(jsonSchema(name as SchemaName), null, 2));
  return 0;
}

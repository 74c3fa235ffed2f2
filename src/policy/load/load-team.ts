import { askOf } from "#policy/decide/ask.ts";
import { withoutDenied } from "#policy/decide/denials.ts";
import { matchesSecret } from "#policy/match/secrets.ts";
import { durationMs } from "#policy/match/units.ts";
import type { Rule, Team, TeamCheck, Trial } from "#policy/policy.ts";
import type { CheckShape, TeamShape } from "#policy/shapes/team.ts";
import { type Ceiling, grantsAbove, rulesAbove } from "./ceiling.ts";
import type { Source } from "./document.ts";
import { compileGrants, type Grants } from "./grants.ts";
import { limitRefs, limitsAbove, limitsFrom, sandboxAbove, sandboxFrom, sharesFrom } from "./limits.ts";
import { linkRulesOf } from "./load-linked.ts";
import type { Org } from "./load-org.ts";
import { checkGroup, checkQuestion, compileRules, list, type Reading, toolRules } from "./rules.ts";
import type { Salvaged } from "./salvage.ts";

export const DEFAULT_CHECK_MS = 10 * 60_000;

/** A list without the items that did not parse. */
export function present<Item>(items: readonly (Item | null)[]): Item[] {
  return items.filter((item) => item !== null);
}

/** Compiles the checks at `path`; a name may be there once. */
export function compileChecks(
  { source, problems }: Pick<Reading, "source" | "problems">,
  shapes: readonly (CheckShape | null)[],
): TeamCheck[] {
  const names = new Map<string, number>();
  return shapes.flatMap((check, index) => {
    if (check === null) return [];
    const first = names.get(check.name);
    if (first !== undefined) {
      const other = source.at(["checks", first, "name"]);
      problems.push({
        at: source.at(["checks", index, "name"]),
        message: `a check "${check.name}" is already at ${other} - give one of them another name`,
      });
    }
    names.set(check.name, index);
    const timeoutMs = check.timeout === undefined ? null : durationMs(check.timeout);
    return {
      name: check.name,
      command: check.command,
      timeoutMs: timeoutMs ?? DEFAULT_CHECK_MS,
      required: check.required ?? true,
      paths: list(check.paths),
      in: list(check.in),
    };
  });
}

/** Rules on trial: they may only narrow, since a trial that grants would be a grant. */
function compileTrial(reading: Reading, shape: Salvaged<TeamShape>["trial"]): Trial | null {
  if (shape === undefined) return null;
  const rules = compileRules(reading, shape.rules, ["trial", "rules"]);
  rules.forEach((rule, index) => {
    if (rule?.effect !== "allow") return;
    reading.problems.push({
      at: reading.source.at(["trial", "rules", index]),
      message: "a trial holds deny and ask - an allow on trial would already be a grant",
    });
  });
  return { until: shape.until, at: reading.source.keyAt(["trial"]), rules: present(rules) };
}

/** A secret that a rule denies cannot be granted with a host. */
function deniedSecrets(reading: Reading, grants: Grants, rules: readonly Rule[]): void {
  const denials = rules.filter((rule) => rule.subject === "secret.name" && rule.effect === "deny");
  for (const { secret, rule } of grants.egress) {
    if (secret === null) continue;
    const denial = denials.find(
      ({ globs, except }) => matchesSecret(globs, secret.name) && !matchesSecret(except, secret.name),
    );
    if (denial === undefined) continue;
    reading.problems.push({
      at: rule.at,
      message: `the secret ${secret.name} is denied at ${denial.ref.at} - remove one of the two`,
    });
  }
}

function ceilingPart(ceiling: Ceiling) {
  return { shape: ceiling.limits, source: ceiling.source, path: ["ceiling", "limits"], what: "ceiling" };
}

/** Compiles one team and holds it to the ceiling. Complaints go where the organisation's go. */
export function compileTeam(org: Org, source: Source, shape: Salvaged<TeamShape>): { team: Team; grants: Grants } {
  const reading: Reading = { ...org.reading, source };
  const { problems } = reading;
  const { ceiling, defaults } = org;
  checkGroup(reading, shape.members, ["members"]);
  const rules = compileRules(reading, shape.rules ?? [], ["rules"]);
  const grants = compileGrants(reading, shape.egress ?? [], ["egress"]);
  problems.push(...rulesAbove(ceiling, rules, source));
  problems.push(...grantsAbove(ceiling, grants));
  problems.push(...limitsAbove(ceilingPart(ceiling), shape.limits ?? {}, source, ["limits"]));
  problems.push(
    ...sandboxAbove({ shape: ceiling.sandbox, source: ceiling.source }, shape.sandbox, source, ["sandbox"]),
  );
  const question = shape.unlisted_egress?.ask;
  if (question !== undefined) checkQuestion(reading, question, ["unlisted_egress", "ask"]);
  if (question?.from === "codeowners") {
    const at = source.at(["unlisted_egress", "ask", "from"]);
    problems.push({ at, message: "code owners own paths - a host has none" });
  }
  const checks = compileChecks(reading, shape.checks ?? []);
  const own = [...present(rules), ...toolRules(reading, shape.tools, ["tools"]), ...org.tools];
  const all = [...org.always, ...own];
  deniedSecrets(reading, grants, all);
  const granted = [...defaults.presets, ...grants.presets];
  const linked = linkRulesOf([
    { source: ceiling.source, shape: org.shape.linked },
    { source, shape: shape.linked },
  ]);
  const limits = [shape.limits ?? {}, org.shape.defaults?.limits ?? {}, ceiling.limits];
  const team: Team = {
    name: shape.team,
    at: source.at(["team"]),
    members: shape.members,
    rules: own,
    egress: withoutDenied([...defaults.egress, ...grants.egress], all),
    presets: granted
      .filter((preset, index) => granted.findIndex(({ ref }) => ref.text === preset.ref.text) === index)
      .map(({ name, ref }) => ({ name, ref })),
    unlisted:
      question === undefined
        ? null
        : {
            ...askOf(question, reading.approvals),
            rule: {
              at: source.keyAt(["unlisted_egress"]),
              text: `ask egress outside the list from ${question.from}`,
              why: null,
            },
          },
    limits: Object.assign({}, ...limits.toReversed().map(limitsFrom)),
    shares: sharesFrom(limits),
    sandbox: sandboxFrom([shape.sandbox, org.shape.defaults?.sandbox, ceiling.sandbox]),
    limitRefs: limitRefs([
      {
        ...{ source, limits: shape.limits, limitsPath: ["limits"] },
        ...{ sandbox: shape.sandbox, sandboxPath: ["sandbox"] },
      },
      {
        ...{ source: ceiling.source, limits: org.shape.defaults?.limits, limitsPath: ["defaults", "limits"] },
        ...{ sandbox: org.shape.defaults?.sandbox, sandboxPath: ["defaults", "sandbox"] },
      },
      {
        ...{ source: ceiling.source, limits: ceiling.limits, limitsPath: ["ceiling", "limits"] },
        ...{ sandbox: ceiling.sandbox, sandboxPath: ["ceiling", "sandbox"] },
      },
    ]),
    setup: present(shape.setup ?? []).map((step) => ({ in: list(step.in), command: step.command })),
    checks,
    trial: compileTrial(reading, shape.trial),
    ...(linked === null ? {} : { linked }),
  };
  return { team, grants };
}

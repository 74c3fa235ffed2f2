import { type Capability, duration, listed } from "#policy/capability.ts";
import { recipesOf } from "#policy/load/recipes.ts";
import {
  type AskDefaults,
  type GroupRef,
  type Policy,
  type Recipe,
  type Team,
  type TeamCheck,
  teamOf,
} from "#policy/policy.ts";
import { ofLimits, ofSandbox } from "./capability-limits.ts";
import { ofLinks } from "./capability-links.ts";
import { ofEgress, ofRule, question } from "./capability-rules.ts";

function ofTeam(team: Team, approvals: AskDefaults): Capability[] {
  const { name, at } = team;
  const plain = (text: string, where: string = at): Capability => ({ key: text, text, at: where });
  return [
    plain(`${name} is everybody in ${team.members}`),
    ...ofLinks(team),
    ...team.rules.map((rule) => ofRule(name, rule, approvals)),
    ...team.presets.map(({ ref }) => plain(`${name} may use the ${ref.text.replace("egress ", "")}`, ref.at)),
    ...team.egress
      .filter(({ rule }) => !team.presets.some(({ ref }) => ref.at === rule.at))
      .map((rule) => ofEgress(name, rule)),
    ...(team.unlisted === null
      ? []
      : [
          plain(
            `${name} may reach a host outside its list, inside the ceiling, ${question(team.unlisted, approvals)}`,
            team.unlisted.rule.at,
          ),
        ]),
    ...ofLimits(team),
    ...ofSandbox(team),
    ...team.checks.map((check) => plain(`${name} ${checkText(check)}`)),
    ...team.setup.map((step) => plain(`${name} sets up with ${step.command}${inside(step.in)}`)),
    ...(team.trial === null
      ? []
      : team.trial.rules.map((rule) => {
          const { text } = ofRule(name, rule, approvals);
          return plain(`on trial until ${team.trial?.until}: ${text}`, rule.ref.at);
        })),
  ];
}

const inside = (repos: readonly string[]): string => (repos.length === 0 ? "" : ` in ${listed(repos)}`);

function checkText({ name, command, required, timeoutMs, paths, in: repos }: TeamCheck): string {
  const when = paths.length === 0 ? "" : ` when ${listed(paths)} changed`;
  return `${required ? "must pass" : "runs"} the check ${name} (${command})${inside(repos)}${when} within ${duration(timeoutMs)}`;
}

function source(group: GroupRef): string {
  const [[kind, who] = ["nobody", ""]] = Object.entries(group);
  const old = "maxAgeMs" in group && group.maxAgeMs !== undefined ? `, at most ${duration(group.maxAgeMs)} old` : "";
  return `${kind} ${[who].flat().join(", ")}${old}`;
}

const ofRecipe = (recipe: Recipe): Capability => ({
  key: `recipe ${recipe.name}`,
  text: `${recipe.team} has the recipe ${recipe.name} for ${recipe.repo}`,
  at: recipe.ref.at,
});

/** All that a recipe says: its one line, and what is asked, told to the agent, and held to. */
function recipeInFull(recipe: Recipe): Capability[] {
  const { name, title, prompt, fields, paths, checks, limits, ref } = recipe;
  const who = `the recipe ${name}`;
  const say = (key: string, text: string): Capability => ({ key: `${who} ${key}`, text: `${who} ${text}`, at: ref.at });
  const asked = Object.entries(fields).map(([field, { label, required, max, options }]) => {
    const choice = options.length === 0 ? "" : ` (one of ${listed(options)})`;
    return say(field, `${required ? "asks" : "may be told"} ${field}, "${label}", in ${max} characters${choice}`);
  });
  const held = Object.entries(limits).map(([limit, value]) => say(limit, `is held to ${limit} ${value}`));
  return [
    ofRecipe(recipe),
    say("title", `is called "${title}"`),
    say("prompt", `says "${prompt}"`),
    ...asked,
    ...(paths.length === 0 ? [] : [say("paths", `changes only ${listed(paths)}`)]),
    ...checks.map((check) => say(`check ${check.name}`, checkText(check))),
    ...held,
  ];
}

/** The most any team may be given, and what a person may add for one run. Nobody has it until a team's file says so. */
function ofCeiling({ ceiling }: Policy): Capability[] {
  const who = "at most a team";
  const plain = (text: string, at: string): Capability => ({ key: text, text, at });
  const { holds } = ceiling;
  const granted = new Set(holds?.egress.map(({ rule }) => rule.at));
  const once = ceiling.askable.filter(({ rule }) => !granted.has(rule.at));
  const models = plain(`${who} may call ${listed(ceiling.models)}`, ceiling.modelsRef.at);
  const asked = once.map((rule) => ofEgress("after a yes a run", rule));
  if (holds === undefined) return [models, ...asked];
  const { at, repos, egress, presets, shares, sandbox } = holds;
  return [
    ...repos.map((repo) => plain(`${who} may work on ${repo}`, at)),
    models,
    ...presets.map((ref) => plain(`${who} may use the ${ref.text.replace("egress ", "")}`, ref.at)),
    ...egress.map((rule) => ofEgress(who, rule)),
    ...asked,
    ...ofLimits({ name: who, at, limits: ceiling.limits, shares }),
    ...ofSandbox({ name: who, at, sandbox }),
  ];
}

/** What one team may do and is held to, the organisation's rules included; none when there is no such team. */
export function capabilitiesOfTeam(policy: Policy, name: string): Capability[] {
  const team = teamOf(policy, name);
  if (team === null) return [];
  const recipes = recipesOf(policy, name).map(ofRecipe);
  const { always, approvals } = policy;
  return [...ofTeam(team, approvals), ...recipes, ...always.map((rule) => ofRule("every team", rule, approvals))];
}

/** Everything a policy says, as sentences, in a stable order. */
export function capabilitiesOf(policy: Policy): Capability[] {
  const org = (text: string, at: string | null = null): Capability => ({ key: text, text, at });
  const { owners, approvals } = policy;
  const routes = Object.entries(policy.routing).flatMap(([provider, table]) =>
    Object.entries(table).map(([id, { team, at }]) => ({
      key: `route ${provider} ${id}`,
      text: `${provider} ${id} is ${team}'s`,
      at,
    })),
  );
  return [
    ...(owners === null ? [] : [org(`the policy changes when ${owners.quorum} of ${owners.from} agree`)]),
    ...(owners === null || owners.channel === null
      ? []
      : [org(`what is wrong with the policy is said in ${owners.channel}`)]),
    ...(policy.auditors === null ? [] : [org(`${policy.auditors} may read every run`)]),
    ...Object.entries(policy.groups).map(([name, group]) => ({
      key: `group ${name}`,
      text: `group:${name} is ${source(group)}`,
      at: null,
    })),
    ...routes,
    ...policy.always.map((rule) => ofRule("every team", rule, approvals)),
    org(`runs push to ${policy.branch}`),
    {
      key: "approvals",
      text: `a question needs ${approvals.quorum}${approvals.self ? ", the requester included" : ""}, reminds after ${duration(approvals.remindMs)}, expires after ${duration(approvals.expiresMs)}, gives up after ${duration(approvals.giveUpMs)}${approvals.from === null ? "" : `; where no rule names a group, ${approvals.from} is asked`}`,
      at: null,
    },
    ...Object.values(policy.teams).flatMap((team) => ofTeam(team, approvals)),
    ...Object.values(policy.recipes).flatMap(recipeInFull),
    ...ofCeiling(policy),
  ];
}

export interface CapabilityChange {
  readonly sign: "+" | "-" | "~";
  readonly text: string;
  readonly at: string | null;
}

/** What changes between two policies, in capabilities: where a rule stands or how its file is laid out is no change. */
export function diffCapabilities(before: Policy, after: Policy): CapabilityChange[] {
  const [old, now] = [capabilitiesOf(before), capabilitiesOf(after)];
  const byKey = (some: readonly Capability[]) => new Map(some.map((one) => [one.key, one]));
  const [was, is] = [byKey(old), byKey(now)];
  const gone = [...was.values()]
    .filter(({ key }) => !is.has(key))
    .map(({ text, at }) => ({ sign: "-" as const, text, at }));
  const changed = [...is.values()].flatMap((one): CapabilityChange[] => {
    const other = was.get(one.key);
    if (other === undefined) return [{ sign: "+", text: one.text, at: one.at }];
    return other.text === one.text ? [] : [{ sign: "~", text: `${one.text} (was: ${other.text})`, at: one.at }];
  });
  const order = (a: CapabilityChange, b: CapabilityChange) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0);
  return [...gone, ...changed].sort(order);
}

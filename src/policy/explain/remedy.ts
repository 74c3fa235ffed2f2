import { decide } from "#policy/decide/decide.ts";
import type { PolicyObject, RuleRef } from "#policy/decision.ts";
import type { LimitName, SandboxLimit } from "#policy/limit.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { type Policy, teamOf } from "#policy/policy.ts";
import type { SiteConfig } from "#policy/site.ts";

/** What would make something allowed. */
export interface Remedy {
  /** One sentence that begins small and has no full stop. */
  readonly text: string;
  /** What an owner would add, where; `null` when no line can. It has passed the loader when the files were given. */
  readonly add: { readonly file: string; readonly under: "rules" | "egress"; readonly lines: readonly string[] } | null;
}

/** The files of the policy and the site it is loaded for, to try a line out on. */
export interface Files {
  readonly sources: ReadonlyMap<string, string>;
  readonly site?: SiteConfig;
}

/** What would have to change for a team to be allowed one object; `null`: it is allowed. Proposes nothing that does not load. */
export function remedyOf(policy: Policy, team: string, object: PolicyObject, files: Files | null): Remedy | null {
  const decision = decide(policy, { team, objects: [object] });
  if (decision.outcome === "allow") return null;
  if (decision.outcome === "ask") {
    const asked = decision.asks.map(({ from, quorum }) => (quorum === 1 ? from : `${quorum} of ${from}`));
    return { text: `a yes from ${asked.join(" and from ")}`, add: null };
  }
  const { rules, reason } = decision;
  if (rules.some(({ at }) => at === "baseline")) return { text: "nothing can, since it is built in", add: null };
  if (reason === "rule" && rules.length > 0) return afterDenial(policy, team, object, rules, files);
  const [near] = rules;
  if (near !== undefined) return { text: `the entry at ${near.at} would have to name this ${reason} too`, add: null };
  return grant(policy, team, object, files);
}

/** What would have to change about a limit that a run did not meet; `null`: the team is not held to it any more. */
export function remedyOfLimit(policy: Policy, team: string, name: LimitName | SandboxLimit): Remedy | null {
  const ref = teamOf(policy, team)?.limitRefs?.[name];
  if (ref === undefined) return null;
  const text = name.startsWith("sandbox.")
    ? `the line at ${ref.at} would have to ask for a sandbox that is to be had here`
    : `the limit at ${ref.at} would have to be higher${name.includes("month") ? ", or the month over" : ""}`;
  return { text, add: null };
}

/** The same of a recipe that policy had no more; `null`: it has it. */
export function remedyOfRecipe(policy: Policy, team: string, repo: string, name: string): Remedy | null {
  const recipe = Object.hasOwn(policy.recipes, name) ? policy.recipes[name] : undefined;
  if (recipe?.team === team && recipe.repo === repo) return null;
  return { text: `policy would have to have the recipe ${name} for ${team} and ${repo} again`, add: null };
}

/** Rules said no. Without them it may still be nobody's to do. */
function afterDenial(
  policy: Policy,
  name: string,
  object: PolicyObject,
  rules: readonly RuleRef[],
  files: Files | null,
): Remedy {
  const places = rules.map(({ at }) => at);
  const always = policy.always.some(({ ref }) => places.includes(ref.at));
  const text = `the ${places.length === 1 ? "rule" : "rules"} at ${places.join(" and ")} would have to spare it or go${always ? ": no team can take that away" : ""}`;
  const rest = remedyOf(without(policy, places), name, object, files);
  if (rest === null) return { text, add: null };
  return { text: `${text}; and then ${rest.text}`, add: rest.add };
}

function without(policy: Policy, places: readonly string[]): Policy {
  const kept = <Item extends { readonly ref: RuleRef }>(items: readonly Item[]) =>
    items.filter(({ ref }) => !places.includes(ref.at));
  const teams = Object.entries(policy.teams).map(([name, team]) => {
    const egress = team.egress.map((rule) => ({
      ...rule,
      denied: (rule.denied ?? []).filter((one) => !places.includes(one.rule.at)),
    }));
    return [name, { ...team, rules: kept(team.rules), egress }] as const;
  });
  return { ...policy, always: kept(policy.always), teams: Object.fromEntries(teams) };
}

/** Nothing speaks of it: the line that would, if the loader takes it. */
function grant(policy: Policy, name: string, object: PolicyObject, files: Files | null): Remedy {
  const team = teamOf(policy, name);
  if (team === null) return { text: `the policy would have to have a team ${name}`, add: null };
  const lines = linesFor(object);
  if (lines === null) return { text: "no rule of a team can allow it", add: null };
  const under = object.subject === "egress" || object.subject === "preset" ? "egress" : "rules";
  const file = team.at.replace(/:\d+:\d+$/, "");
  const add = { file, under, lines } as const;
  const text = `${file} would have to grant it under "${under}"`;
  const problem = files === null ? null : complaint(file, name, team.members, add, files);
  if (problem === null) return { text, add };
  const ceiling = /above the ceiling\b.* at (\S+:\d+:\d+)/.exec(problem);
  if (ceiling !== null) return { text: `${text}, and first the ceiling at ${ceiling[1]} would have to hold it`, add };
  return { text: `no line of a team can grant it: ${problem}`, add: null };
}

/** What the loader says to the organisation's file with a team that says only this; `null`: nothing. */
function complaint(
  file: string,
  name: string,
  members: string,
  { under, lines }: NonNullable<Remedy["add"]>,
  { sources, site }: Files,
): string | null {
  const text = `version: 1\nkind: team\nteam: ${name}\nmembers: ${members}\n${under}:\n${lines.map((line) => `  ${line}\n`).join("")}`;
  const tried = new Map([
    ["org.yaml", sources.get("org.yaml") ?? ""],
    [file, text],
  ]);
  const loaded = loadPolicy(tried, { commit: "tried", ...(site === undefined ? {} : { site }) });
  // The other teams are not there, and what is said about that is no word about this line.
  const mine = loaded.ok ? [] : loaded.problems.filter(({ at }) => at.startsWith(`${file}:`));
  return mine[0]?.message ?? null;
}

function linesFor(object: PolicyObject): readonly string[] | null {
  switch (object.subject) {
    case "git.repo":
      return [`- allow: { git.repo: ${quoted(object.repo)} }`];
    case "git.path":
      return [`- allow: { git.path: ${quoted(object.path)} }`, `  in: ${quoted(object.repo)}`];
    case "action":
      return [`- allow: { action: ${quoted(object.action)} }`];
    case "model":
      return [`- allow: { model: ${quoted(object.model)} }`];
    case "preset":
      return [`- { preset: ${quoted(object.preset)} }`];
    case "egress": {
      const port = object.port === 443 ? "" : `, ports: [${object.port}]`;
      const method = object.method === null ? "" : `, methods: [${quoted(object.method)}]`;
      return [`- { host: ${quoted(object.host)}${port}${method} }`];
    }
    default:
      return null;
  }
}

/** As YAML reads it back: plain where that is safe. */
function quoted(text: string): string {
  const plain = /^[A-Za-z][\w./-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return plain ? text : JSON.stringify(text);
}

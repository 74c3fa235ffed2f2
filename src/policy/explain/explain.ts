import { decide } from "#policy/decide/decide.ts";
import type { Decision, PolicyObject, PolicyRequest, RuleRef } from "#policy/decision.ts";
import { commandParts, matchesCommand } from "#policy/match/commands.ts";
import { speaksOf } from "#policy/match/glob.ts";
import { type Policy, type Rule, type Team, teamOf } from "#policy/policy.ts";
import { consideredGrants, whyNotDenied } from "./explain-host.ts";

/** A rule that was looked at for one object, and what became of it. */
export interface Considered extends RuleRef {
  /** "decides", "speaks" (and is outweighed), or why it does not speak: "names something else", "another repository" … */
  readonly says: string;
}

export interface ExplainedObject {
  readonly object: PolicyObject;
  readonly outcome: "allow" | "ask" | "deny";
  readonly points: readonly string[];
  /** True where the rule acts only when the agent asks. */
  readonly advisory: boolean;
  readonly considered: readonly Considered[];
}

export interface Explanation {
  readonly decision: Decision;
  readonly objects: readonly ExplainedObject[];
}

function aboutRepository(object: PolicyObject): string | null {
  return "repo" in object ? object.repo : null;
}

/** Rules that could have spoken of the object, by its subject. */
function candidates(policy: Policy, team: Team, object: PolicyObject): Rule[] {
  const subject = object.subject === "egress" ? "egress.host" : object.subject;
  const all = [...policy.always, ...team.rules];
  // What is said of a repository holds for everything in it.
  return all.filter(
    (rule) => rule.subject === subject || (aboutRepository(object) !== null && rule.subject === "git.repo"),
  );
}

/** Whether the rule alone would decide anything about the object: asked of the evaluator, never guessed here. */
function speaks(policy: Policy, team: Team, object: PolicyObject, rule: Rule): boolean {
  if (object.subject === "command") return matchesCommand(rule.globs, rule.except, commandParts(object.command));
  const alone: Policy = {
    ...policy,
    always: [],
    teams: { [team.name]: { ...team, rules: [rule], egress: [], unlisted: null, trial: null } },
  };
  const repo = aboutRepository(object);
  const target: PolicyObject = rule.subject === "git.repo" && repo !== null ? { subject: "git.repo", repo } : object;
  // A path or branch is only reached in a repository that is granted.
  const granted = rule.subject === "git.repo" || repo === null ? alone : withRepository(alone, team.name, repo);
  const { rules } = decide(granted, { team: team.name, objects: [target] });
  return rules.some(({ at, text }) => at === rule.ref.at && text === rule.ref.text);
}

function withRepository(policy: Policy, name: string, repo: string): Policy {
  const team = policy.teams[name] as Team;
  const [model] = team.rules;
  if (model === undefined) return policy;
  const open: Rule = {
    ...model,
    effect: "allow",
    subject: "git.repo",
    globs: [repo],
    except: [],
    in: [],
    draft: null,
    methods: [],
    paths: [],
    ask: null,
    ref: { at: "", text: "", why: null },
  };
  return { ...policy, teams: { ...policy.teams, [name]: { ...team, rules: [open, ...team.rules] } } };
}

function verdict(policy: Policy, team: Team, object: PolicyObject, rule: Rule, deciding: ReadonlySet<string>): string {
  if (deciding.has(rule.ref.at)) return "decides";
  if (object.subject === "egress") return whyNotDenied(rule, object) ?? "would deny it too";
  const repo = aboutRepository(object);
  if (repo !== null && !speaksOf(rule.in, repo)) return "speaks of another repository";
  if (speaks(policy, team, object, rule)) {
    const grants = rule.subject === "git.repo" && object.subject !== "git.repo" && rule.effect === "allow";
    return grants ? "grants the repository" : "speaks, and is outweighed";
  }
  const spared = { ...rule, except: [] };
  return rule.except.length > 0 && speaks(policy, team, object, spared)
    ? "spares this by its except"
    : "names something else";
}

/** The decision, and for every object every rule that was considered, with why not. */
export function explain(policy: Policy, request: PolicyRequest): Explanation {
  const decision = decide(policy, request);
  const team = teamOf(policy, request.team);
  if (team === null) return { decision, objects: [] };
  const objects = decision.trace.map(({ object, outcome, rules, points }): ExplainedObject => {
    const deciding = new Set(rules.map(({ at }) => at));
    const looked = candidates(policy, team, object).map(
      (rule): Considered => ({
        ...rule.ref,
        says: verdict(policy, team, object, rule, deciding),
      }),
    );
    const others = object.subject === "egress" ? consideredGrants(team, object, outcome, deciding) : [];
    const builtIn = rules
      .filter(({ at }) => ![...looked, ...others].some((one) => one.at === at))
      .map((ref): Considered => ({ ...ref, says: "decides" }));
    const advisory = points.every((point) => point === "protocol");
    return { object, outcome, points, advisory, considered: [...looked, ...others, ...builtIn] };
  });
  return { decision, objects };
}

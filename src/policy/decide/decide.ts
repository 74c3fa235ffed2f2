import type { Ask, Decision, PolicyObject, PolicyRequest, RuleRef, TraceLine } from "#policy/decision.ts";
import { decideEgress, type EgressRequest, type EgressRule, normaliseHost } from "#policy/egress.ts";
import { type CommandParts, commandParts, matchesCommand } from "#policy/match/commands.ts";
import {
  fold,
  foldedGlob,
  matchesAnyText,
  matchesPath,
  matchesText,
  pathGlob,
  pathMatcher,
  speaksOf,
} from "#policy/match/glob.ts";
import { matchesSecret } from "#policy/match/secrets.ts";
import { sizeBound } from "#policy/match/units.ts";
import { decidePath, type PathRule } from "#policy/paths.ts";
import type { Point } from "#policy/points.ts";
import { type Policy, type Rule, type Subject, type Team, teamOf } from "#policy/policy.ts";
import { opensModels } from "#policy/presets.ts";
import { ADVISED, actionPoint, allowedByBaseline, isNever, POINTS } from "./actions.ts";
import { askOf as askFrom } from "./ask.ts";
import { type Verdict, worst } from "./combine.ts";
import { withoutDenied } from "./denials.ts";

/** A rule that is built in and explained like any other. */
function baseline(text: string, why: string): RuleRef {
  return { at: "baseline", text, why };
}

const BASELINE = {
  branch: baseline("allow git.branch of the run", "a run may always push to its own branch"),
  path: baseline("allow git.path **", "no allow names paths in this repository, so only ask and deny limit them"),
  command: baseline("allow command *", "commands run inside the sandbox, and the sandbox is the wall"),
  tool: baseline("allow tool *", "tools run inside the sandbox, and the sandbox is the wall"),
  action: baseline("allow action", "a run ends at a draft pull request"),
  unreadable: baseline(
    "ask command that cannot be read",
    "it is not shell, it is too long, or it names only when it runs what it does",
  ),
  size: baseline("allow git.size", "no rule speaks of a change of this size"),
  never: baseline("deny action pr.merge, deploy.*", "a run ends at the pull request"),
} as const;

const INDEX = new WeakMap<Policy, Map<string, Map<Subject, readonly Rule[]>>>();

/** The rules of the organisation and the team about one subject. */
function rulesOn(policy: Policy, team: Team, subject: Subject): readonly Rule[] {
  let teams = INDEX.get(policy);
  if (teams === undefined) {
    teams = new Map();
    INDEX.set(policy, teams);
  }
  let subjects = teams.get(team.name);
  if (subjects === undefined) {
    subjects = Map.groupBy([...policy.always, ...team.rules], (rule) => rule.subject);
    teams.set(team.name, subjects);
  }
  return subjects.get(subject) ?? [];
}

function askOf(rule: Rule): Ask[] {
  return rule.ask === null ? [] : [{ ...rule.ask, rule: rule.ref }];
}

const NO_RULE: Verdict = { outcome: "deny", reason: "no_rule", rules: [] };

/** deny > ask > allow > what holds when no rule speaks. */
function judge(rules: readonly Rule[], speaks: (rule: Rule) => boolean, otherwise: Verdict): Verdict {
  const matching = rules.filter(speaks);
  const by = (effect: Rule["effect"]) => matching.filter((rule) => rule.effect === effect);
  const refs = (some: readonly Rule[]) => some.map((rule) => rule.ref);
  const [denies, asks, allows] = [by("deny"), by("ask"), by("allow")];
  if (denies.length > 0) return { outcome: "deny", reason: "rule", rules: refs(denies) };
  if (asks.length > 0) return { outcome: "ask", asks: asks.flatMap(askOf), rules: refs(asks) };
  if (allows.length > 0) return { outcome: "allow", rules: refs(allows) };
  return otherwise;
}

function named(rule: Rule, same: (glob: string) => boolean): boolean {
  return rule.globs.some(same) && !rule.except.some(same);
}

const PATH_RULES = new WeakMap<Rule, PathRule>();

function pathRule(rule: Rule): PathRule {
  let found = PATH_RULES.get(rule);
  if (found === undefined) {
    const { effect, globs, except, ref } = rule;
    const [ask] = askOf(rule);
    found = Object.freeze({
      effect,
      globs,
      except,
      from: ask?.from ?? null,
      rule: ref,
      ...(ask === undefined ? {} : { ask }),
    });
    PATH_RULES.set(rule, found);
  }
  return found;
}

const EVERY_PATH: PathRule = Object.freeze({
  effect: "allow",
  globs: ["**"],
  except: [],
  from: null,
  rule: BASELINE.path,
});

/** What a policy says of one repository, made once: a push asks about it with each of its files. */
interface OfRepository {
  readonly verdict: Verdict;
  readonly paths: readonly PathRule[];
}

/** The names of repositories come from requests: what is kept of them has an end. */
const REPOS_AT_MOST = 1_000;
const BY_REPO = new WeakMap<Team, { readonly policy: Policy; readonly repos: Map<string, OfRepository> }>();

function ofRepository(policy: Policy, team: Team, repo: string): OfRepository {
  let kept = BY_REPO.get(team);
  if (kept === undefined || kept.policy !== policy || kept.repos.size >= REPOS_AT_MOST) {
    kept = { policy, repos: new Map() };
    BY_REPO.set(team, kept);
  }
  let made = kept.repos.get(repo);
  if (made === undefined) {
    const rules = rulesOn(policy, team, "git.path").filter((rule) => speaksOf(rule.in, repo));
    const listed = rules.some((rule) => rule.effect === "allow");
    const paths = [...rules.map(pathRule), ...(listed ? [] : [EVERY_PATH])];
    made = { verdict: decideRepo(policy, team, repo), paths };
    kept.repos.set(repo, made);
  }
  return made;
}

/**
 * The path rules for one repository: the organisation's, the team's that speak of it, and, when no `allow` of the team
 * does, the built-in one for every path. Writing the first `allow` for a repository turns its paths into an allowlist.
 */
export function pathRules(policy: Policy, team: Team, repo: string): readonly PathRule[] {
  return ofRepository(policy, team, repo).paths;
}

/** `decidePath` in the words of a decision. */
function pathVerdict(rules: readonly PathRule[], path: string): Verdict {
  const { effect, reason, matched } = decidePath(rules, path);
  const refs = matched.map(({ rule }) => rule);
  if (effect === "deny") return { outcome: "deny", reason, rules: refs };
  if (effect === "ask") {
    const asks = matched.flatMap(({ ask }) => ask ?? []);
    const owned = asks.map((ask) => (ask.from === "codeowners" ? { ...ask, paths: [path] } : ask));
    return { outcome: "ask", asks: owned, rules: refs };
  }
  return { outcome: "allow", rules: refs };
}

function decideRepo(policy: Policy, team: Team, repo: string): Verdict {
  const names = pathMatcher(fold(repo));
  const same = (glob: string) => names(foldedGlob(glob));
  return judge(rulesOn(policy, team, "git.repo"), (rule) => named(rule, same), NO_RULE);
}

/** The models a team may call: none without a model preset, else what its rules allow, else the ceiling's. */
export function modelsOf(policy: Policy, team: Team): { globs: readonly string[]; rules: readonly RuleRef[] } {
  if (!team.presets.some(({ name }) => opensModels(name))) return { globs: [], rules: [] };
  const rules = rulesOn(policy, team, "model");
  if (rules.length === 0) return { globs: policy.ceiling.models, rules: [policy.ceiling.modelsRef] };
  return { globs: rules.flatMap((rule) => rule.globs), rules: rules.map((rule) => rule.ref) };
}

function decideAction(policy: Policy, team: Team, object: PolicyObject & { subject: "action" }): Verdict {
  if (isNever(object.action)) {
    return judge(
      rulesOn(policy, team, "action").filter((rule) => rule.effect === "deny"),
      (rule) => named(rule, (glob) => matchesText(glob, object.action)),
      { outcome: "deny", reason: "rule", rules: [BASELINE.never] },
    );
  }
  const speaks = (rule: Rule) =>
    named(rule, (glob) => matchesText(glob, object.action)) &&
    (rule.draft === null || rule.draft === (object.draft ?? true));
  const open = allowedByBaseline(object.action, object.draft);
  return judge(
    rulesOn(policy, team, "action"),
    speaks,
    open ? { outcome: "allow", rules: [BASELINE.action] } : NO_RULE,
  );
}

function decideBranch(policy: Policy, team: Team, object: PolicyObject & { subject: "git.branch" }): Verdict {
  const own = matchesPath(pathGlob(policy.branch.replace("{run}", "*")), object.branch);
  const names = pathMatcher(fold(object.branch));
  const same = (glob: string) => names(foldedGlob(glob));
  const speaks = (rule: Rule) => speaksOf(rule.in, object.repo) && named(rule, same);
  return judge(
    rulesOn(policy, team, "git.branch"),
    speaks,
    own ? { outcome: "allow", rules: [BASELINE.branch] } : NO_RULE,
  );
}

function denied(reason: string, rule: RuleRef | null): Verdict {
  return { outcome: "deny", reason, rules: rule === null ? [] : [rule] };
}

function decideHost(policy: Policy, team: Team, object: PolicyObject & { subject: "egress" }): Verdict {
  const host = normaliseHost(object.host);
  if (host === null) return { outcome: "deny", reason: "bad_authority", rules: [] };
  const request = host === object.host ? object : { ...object, host };
  const verdict = decideEgress(team.egress, request);
  if (verdict.outcome === "allow") return { outcome: "allow", rules: [verdict.rule.rule] };
  if (verdict.reason === "rule" || team.unlisted === null) return denied(verdict.reason, verdict.rule);
  const asked = decideEgress(askableRules(policy, team), request);
  if (asked.outcome === "allow") return { outcome: "ask", asks: [team.unlisted], rules: [team.unlisted.rule] };
  return asked.reason === "rule" ? denied("rule", asked.rule) : denied(verdict.reason, verdict.rule);
}

/**
 * A line that no rule can be held against is a person's to read wherever there is something that it could hide from: a rule
 * that asks or denies about commands, or about what only the agent's asking holds, such as a new package, and the baseline's
 * denial of that. A team that allows every command has spoken of this one too, as far as no rule asks or denies. What is no
 * shell hides nobody knows what.
 */
function unreadable(policy: Policy, team: Team, rules: readonly Rule[], { shell }: CommandParts): Ask[] {
  const acts = rulesOn(policy, team, "action").filter((rule) =>
    ADVISED.some((action) => named(rule, (glob) => matchesText(glob, action))),
  );
  const narrowing = [...rules, ...acts].filter(({ effect }) => effect !== "allow");
  const everything = rules.some(({ globs, except }) => globs.includes("*") && except.length === 0);
  const open = (action: string) => decideAction(policy, team, { subject: "action", action }).outcome === "allow";
  if (narrowing.length === 0 && (everything || (shell && ADVISED.every(open)))) return [];
  const asks = narrowing.flatMap(askOf);
  return asks.length > 0 ? asks : [fallbackAsk(policy, team, BASELINE.unreadable)];
}

/** The question where no rule names a group: to `defaults.approvals.from`, else the policy's owners, else the team's people. */
function fallbackAsk(policy: Policy, team: Team, rule: RuleRef): Ask {
  const { from, ...approvals } = policy.approvals;
  const whom = from ?? policy.owners?.from ?? team.members;
  return { ...askFrom({ from: whom }, { from, ...approvals }), rule };
}

/** Whether the change is larger than a bound like "> 500 lines". */
function exceeds(text: string, object: PolicyObject & { subject: "git.size" }): boolean {
  const bound = sizeBound(text);
  return bound !== null && object[bound.what] > bound.above;
}

const ASKABLE = new WeakMap<Team, { readonly policy: Policy; readonly rules: readonly EgressRule[] }>();

/** What a person may add for one run: the ceiling's hosts without what the organisation or the team denies. */
function askableRules(policy: Policy, team: Team): readonly EgressRule[] {
  let made = ASKABLE.get(team);
  if (made === undefined || made.policy !== policy) {
    made = { policy, rules: withoutDenied(policy.ceiling.askable, [...policy.always, ...team.rules]) };
    ASKABLE.set(team, made);
  }
  return made.rules;
}

/**
 * What a person may add for one run of the team so that the request passes, with what is denied inside it; `null`:
 * nothing, also where the team asks nobody about hosts outside its list.
 */
export function askable(policy: Policy, team: string, request: EgressRequest): EgressRule | null {
  const found = teamOf(policy, team);
  if (found === null || found.unlisted === null) return null;
  const verdict = decideEgress(askableRules(policy, found), request);
  return verdict.outcome === "allow" ? verdict.rule : null;
}

function decideOne(policy: Policy, team: Team, object: PolicyObject): Verdict {
  switch (object.subject) {
    case "git.repo":
      return ofRepository(policy, team, object.repo).verdict;
    case "git.branch":
    case "git.path": {
      // A denial of the repository is one of all in it. A question about it is put where it is an object itself, once.
      const { verdict, paths } = ofRepository(policy, team, object.repo);
      if (verdict.outcome === "deny") return verdict;
      if (object.subject === "git.branch") return decideBranch(policy, team, object);
      return pathVerdict(paths, object.path);
    }
    case "command": {
      const parts = commandParts(object.command);
      const speaks = (rule: Rule) => matchesCommand(rule.globs, rule.except, parts);
      const rules = rulesOn(policy, team, "command");
      const verdict = judge(rules, speaks, { outcome: "allow", rules: [BASELINE.command] });
      if (verdict.outcome !== "allow" || parts.readable) return verdict;
      const asks = unreadable(policy, team, rules, parts);
      return asks.length === 0 ? verdict : { outcome: "ask", asks, rules: [BASELINE.unreadable] };
    }
    case "git.size": {
      const speaks = (rule: Rule) => speaksOf(rule.in, object.repo) && rule.globs.some((text) => exceeds(text, object));
      return judge(rulesOn(policy, team, "git.size"), speaks, { outcome: "allow", rules: [BASELINE.size] });
    }
    case "secret.name": {
      const speaks = (rule: Rule) =>
        matchesSecret(rule.globs, object.secret) && !matchesSecret(rule.except, object.secret);
      const granted = team.egress.filter(({ secret }) => secret?.name === object.secret).map(({ rule: ref }) => ref);
      const otherwise: Verdict = granted.length === 0 ? NO_RULE : { outcome: "allow", rules: granted };
      return judge(rulesOn(policy, team, "secret.name"), speaks, otherwise);
    }
    case "tool": {
      const speaks = (rule: Rule) => named(rule, (glob) => matchesText(glob, object.tool));
      return judge(rulesOn(policy, team, "tool"), speaks, { outcome: "allow", rules: [BASELINE.tool] });
    }
    case "preset": {
      const granted = team.presets.filter(({ name }) => name === object.preset).map(({ ref }) => ref);
      return granted.length === 0 ? NO_RULE : { outcome: "allow", rules: granted };
    }
    case "action":
      return decideAction(policy, team, object);
    case "model": {
      const models = modelsOf(policy, team);
      return matchesAnyText(models.globs, object.model) ? { outcome: "allow", rules: models.rules } : NO_RULE;
    }
    case "egress":
      return decideHost(policy, team, object);
  }
}

const DOORS: readonly Point[] = ["gateway"];
const BRANCHES: readonly Point[] = ["intake", "relay", "publish"];

/** Where the object is enforced; "protocol" is advisory. A branch is the relay's too, which takes a run's own and no other. */
export function pointsOf(object: PolicyObject): readonly Point[] {
  if (object.subject === "egress" || object.subject === "preset") return DOORS;
  if (object.subject === "git.branch") return BRANCHES;
  return object.subject === "action" ? [actionPoint(object.action)] : POINTS[object.subject];
}

/**
 * deny > ask > allow > default deny, over every object the request touches; the worst outcome is the answer and several
 * asks must all be met. There is no rule order. A request that touches nothing is denied: nobody meant to ask it. Never
 * throws: a failure of ours is a denial that says how it failed.
 */
export function decide(policy: Policy, request: PolicyRequest): Decision {
  const deny = (reason: string, rules: readonly RuleRef[]): Decision => ({
    outcome: "deny",
    reason,
    rules,
    trace: [],
    digest: policy.digest,
  });
  try {
    const team = teamOf(policy, request.team);
    if (team === null) return deny("no_team", []);
    if (request.objects.length === 0) return deny("no_rule", []);
    return decideAll(policy, team, request.objects);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return deny("evaluator_failed", [baseline("deny what could not be evaluated", why)]);
  }
}

function decideAll(policy: Policy, team: Team, objects: readonly PolicyObject[]): Decision {
  const verdicts: Verdict[] = [];
  const trace: TraceLine[] = [];
  for (const object of objects) {
    const verdict = decideOne(policy, team, object);
    verdicts.push(verdict);
    trace.push({ object, outcome: verdict.outcome, rules: verdict.rules, points: pointsOf(object) });
  }
  return worst(verdicts, { trace, digest: policy.digest });
}

/**
 * The policy a run was started under AND the one in force now: the worse of the two answers. A narrowing holds at once, a
 * widening waits for the next run. The digest is that of the current one; a rule that only moved is named where it is now.
 */
export function pinnedAndCurrent(pinned: Decision, current: Decision): Decision {
  if (pinned.digest === current.digest) return current;
  const trace = [...current.trace, ...pinned.trace];
  const decision = worst([current, pinned], { trace, digest: current.digest });
  const same = (a: RuleRef, b: RuleRef) => a.text === b.text && a.why === b.why;
  return {
    ...decision,
    rules: decision.rules.filter((rule, i) => decision.rules.findIndex((r) => same(r, rule)) === i),
  };
}

import type { PolicyObject, RuleRef } from "#policy/decision.ts";
import { excerptOf } from "#policy/excerpt.ts";
import { rulesOf } from "#policy/explain/coverage.ts";
import { explain } from "#policy/explain/explain.ts";
import { remedyOf, remedyOfLimit, remedyOfRecipe } from "#policy/explain/remedy.ts";
import { isLimit, LIMIT_POINTS } from "#policy/limit.ts";
import { type Policy, repositoriesOf, teamOf } from "#policy/policy.ts";
import type { Core } from "#runs/core.ts";
import type { HostFacts, RunFacts } from "#runs/facts.ts";
import type { Reason, ShownRule } from "#runs/reason.ts";
import { factsOf, titled } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import type { View } from "#runs/view.ts";
import type { Standing } from "./standing.ts";

/** A policy as it was kept: what it says, and its files. */
interface Kept {
  readonly policy: Policy;
  readonly sources: Readonly<Record<string, string>>;
}

/**
 * Why a run may do what it does: each decision of its record and each host it was refused, newest word on a subject only,
 * what stands in the way first. `about`: only what has this subject. `null`: nothing of the run has it.
 */
export async function whyRun(core: Core, run: Run, about: string | null): Promise<View | null> {
  const facts = await factsOf(core, run.id);
  const pinned = await kept(core, run.policyDigest);
  const files = new Map<string, Kept | null>([[run.policyDigest, pinned]]);
  const of = async (digest: string): Promise<Kept | null> => {
    const known = files.get(digest);
    if (known !== undefined) return known;
    const found = await kept(core, digest);
    files.set(digest, found);
    return found;
  };
  const reasons: Reason[] = [];
  for (const decision of newest(facts.decisions)) {
    const policies = [await of(decision.digest), pinned];
    reasons.push(ofDecision(core, run, decision, policies));
  }
  for (const host of facts.hosts) {
    const name = `${host.host}:${host.port}`;
    if (host.refused === 0 || reasons.some((one) => one.about === "host" && one.subject === name)) continue;
    reasons.push(ofHost(core, run, host, [await of(currentDigest(core) ?? run.policyDigest), pinned]));
  }
  const push = facts.pushes.at(-1);
  if (push?.outcome === "deny" && push.paths !== undefined) {
    reasons.push(ofPush(core, run, push, [await of(currentDigest(core) ?? run.policyDigest), pinned]));
  }
  const wanted = about === null ? reasons : reasons.filter(({ subject }) => isAbout(subject, about));
  if (about !== null && wanted.length === 0) return null;
  const weight = { deny: 0, ask: 1, allow: 2 } as const;
  return {
    kind: "why",
    run: titled(core, run),
    facts,
    reasons: wanted.toSorted((a, b) => weight[a.outcome] - weight[b.outcome]),
    owners: ownersOf(core),
  };
}

/** Why this place has its team, and what that team may work on: for whoever asks where no run is. */
export function whyHere(core: Core, here: Standing): View {
  const { policy, team: name, at } = here;
  const team = teamOf(policy, name);
  const current = core.policy();
  const sources = current.ok ? Object.fromEntries(current.sources ?? []) : {};
  const shown = (ref: RuleRef): ShownRule => ({ ref, commit: policy.commit, excerpt: excerptOf(sources, ref.at) });
  const rules = (team?.rules ?? []).filter(({ subject }) => subject === "git.repo").map(({ ref }) => ref);
  const always = policy.always.filter(({ subject }) => subject === "git.repo").map(({ ref }) => ref);
  return {
    kind: "why_here",
    team: name,
    because: here.because,
    members: team?.members ?? null,
    repositories: repositoriesOf(policy, name).globs,
    rules: [{ at, text: `route to ${name}`, why: null }, ...rules, ...always].filter((ref) => ref.at !== "").map(shown),
    owners: ownersOf(core),
  };
}

const currentDigest = (core: Pick<Core, "policy">): string | null => {
  const current = core.policy();
  return current.ok ? current.policy.digest : null;
};

const ownersOf = (core: Pick<Core, "policy">): string | null => {
  const current = core.policy();
  return current.ok ? (current.policy.owners?.from ?? null) : null;
};

/** "example.com" is about "example.com:443". */
const isAbout = (subject: string, about: string): boolean =>
  subject === about || subject.replace(/:\d+$/, "") === about;

async function kept(core: Core, digest: string): Promise<Kept | null> {
  const policy = await core.stores.policies.get(digest);
  if (policy !== null) return { policy, sources: (await core.stores.policies.sources(digest)) ?? {} };
  // In force, and no run has been asked for under it yet.
  const current = core.policy();
  if (!current.ok || current.policy.digest !== digest) return null;
  return { policy: current.policy, sources: Object.fromEntries(current.sources ?? []) };
}

/** The last word on each subject, in the order in which they were first spoken of. */
function newest(decisions: RunFacts["decisions"]): RunFacts["decisions"] {
  const last = new Map(decisions.map((one) => [`${one.about} ${one.subject}`, one]));
  return [...last.values()];
}

function ofDecision(
  core: Core,
  run: Run,
  decision: RunFacts["decisions"][number],
  policies: readonly (Kept | null)[],
): Reason {
  const objects = (decision.request?.objects ?? []) as readonly PolicyObject[];
  const line = decision.request === undefined ? lineOf(core, run, decision) : null;
  return {
    about: decision.about,
    subject: decision.subject,
    outcome: decision.outcome,
    reason: decision.reason,
    rules: decision.rules.map((ref) => shownOf(ref, policies)),
    points: line?.points ?? pointsOf(policies, run.team, objects, decision.outcome),
    remedy: line !== null ? line.remedy : decision.outcome === "allow" ? null : remedyNow(core, run.team, objects),
    trial: decision.trial ?? null,
  };
}

/** Where a line is enforced that is no rule, and what would have to change about it; `null`: it is another decision. */
function lineOf(
  core: Core,
  { team, repo }: Run,
  { about, subject }: RunFacts["decisions"][number],
): Pick<Reason, "points" | "remedy"> | null {
  const current = core.policy();
  if (about === "recipe") {
    return {
      points: ["intake"],
      remedy: current.ok ? remedyOfRecipe(current.policy, team, repo, subject) : UNREADABLE,
    };
  }
  if (!isLimit(subject)) return null;
  return {
    points: LIMIT_POINTS[subject],
    remedy: current.ok ? remedyOfLimit(current.policy, team, subject) : UNREADABLE,
  };
}

const UNREADABLE: Reason["remedy"] = { text: "the policy would have to be readable", add: null };

/** The gateway's own word about a host, which is no decision of ours and names its rule by place only. */
function ofHost(core: Core, run: Run, host: HostFacts, policies: readonly (Kept | null)[]): Reason {
  const ref = host.rule === null ? null : refAt(host.rule, policies);
  const object: PolicyObject = { subject: "egress", host: host.host, port: host.port, method: null, path: null };
  return {
    about: "host",
    subject: `${host.host}:${host.port}`,
    outcome: "deny",
    reason: host.reason,
    rules: ref === null ? [] : [shownOf(ref, policies)],
    points: ["gateway"],
    remedy: remedyNow(core, run.team, [object]),
    trial: null,
  };
}

/** The relay's word about what the agent pushed last. It names its rule by place only, too. */
function ofPush(core: Core, run: Run, push: RunFacts["pushes"][number], policies: readonly (Kept | null)[]): Reason {
  const ref = push.rule === null ? null : refAt(push.rule, policies);
  const objects = (push.paths ?? []).map((path): PolicyObject => ({ subject: "git.path", repo: run.repo, path }));
  return {
    about: "push",
    subject: push.branch,
    outcome: "deny",
    reason: ref === null ? "no_rule" : "rule",
    rules: ref === null ? [] : [shownOf(ref, policies)],
    points: ["relay"],
    remedy: remedyNow(core, run.team, objects),
    trial: push.trial ?? null,
  };
}

function refAt(at: string, policies: readonly (Kept | null)[]): RuleRef {
  const found = policies.flatMap((one) => (one === null ? [] : rulesOf(one.policy))).find((ref) => ref.at === at);
  return found ?? { at, text: "", why: null };
}

/** The rule out of the policy that has it at this place in these words; else the place alone, in the first of them. */
function shownOf(ref: RuleRef, policies: readonly (Kept | null)[]): ShownRule {
  const known = policies.filter((one) => one !== null);
  const has = known.find(({ policy }) => linesOf(policy).some(({ at, text }) => at === ref.at && text === ref.text));
  const from = has ?? known[0];
  if (from === undefined || ref.at === "baseline") return { ref, commit: null, excerpt: null };
  return { ref, commit: from.policy.commit, excerpt: excerptOf(from.sources, ref.at) };
}

/** All that may decide: rules and grants, limits, recipes. */
const linesOf = (policy: Policy): readonly RuleRef[] => [
  ...rulesOf(policy),
  ...Object.values(policy.teams).flatMap(({ limitRefs }) => Object.values(limitRefs ?? {})),
  ...Object.values(policy.recipes).map(({ ref }) => ref),
];

/** Where what led to the outcome is enforced. */
function pointsOf(
  policies: readonly (Kept | null)[],
  team: string,
  objects: readonly PolicyObject[],
  outcome: Reason["outcome"],
): readonly string[] {
  const [first] = policies.filter((one) => one !== null);
  if (first === undefined || objects.length === 0) return [];
  const explained = explain(first.policy, { team, objects }).objects;
  const telling = explained.filter((one) => one.outcome === outcome);
  return [...new Set((telling.length > 0 ? telling : explained).flatMap(({ points }) => points))];
}

/** By the policy in force, of the first object that it does not allow; `null`: it allows all of them now. */
function remedyNow(core: Core, team: string, objects: readonly PolicyObject[]): Reason["remedy"] {
  const current = core.policy();
  if (!current.ok) return UNREADABLE;
  const files = current.sources === undefined ? null : { sources: current.sources, ...siteOf(current) };
  const worst = { deny: 0, ask: 1, allow: 2 } as const;
  const refused = explain(current.policy, { team, objects })
    .objects.filter(({ outcome }) => outcome !== "allow")
    .toSorted((a, b) => worst[a.outcome] - worst[b.outcome]);
  const [object] = refused;
  return object === undefined ? null : remedyOf(current.policy, team, object.object, files);
}

const siteOf = ({ site }: Extract<ReturnType<Core["policy"]>, { ok: true }>) => (site === undefined ? {} : { site });

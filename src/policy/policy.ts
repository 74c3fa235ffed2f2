import type { Ask, Position, RuleRef } from "./decision.ts";
import type { EgressRule } from "./egress.ts";
import type { LimitName, SandboxLimit } from "./limit.ts";
import type { LinkRole, LinkRule, LinkRules } from "./linked.ts";
import type { Preset } from "./presets.ts";
import type { Check, Limits, SandboxNeeds } from "./scope.ts";

/** Something an author has to change, or (as a warning) should look at. */
export interface PolicyProblem {
  readonly at: Position;
  readonly message: string;
}

/** Exactly one source of people. The directory port declares the same shape. */
export type GroupRef =
  | { readonly slack_usergroup: string }
  | { readonly github_team: string }
  /** `maxAgeMs`: how old the identity provider's export may be. */
  | { readonly idp: string; readonly maxAgeMs?: number }
  | { readonly people: readonly string[] };

export type Effect = "allow" | "ask" | "deny";

/** What a rule may speak of. Each has its places where it is enforced: see `POINTS`. */
export const SUBJECTS = [
  "git.repo",
  "git.branch",
  "git.path",
  "git.size",
  "command",
  "action",
  "egress.host",
  "secret.name",
  "model",
  "tool",
] as const;
export type Subject = (typeof SUBJECTS)[number];

/** A rule, compiled: globs only, every default filled in. */
export interface Rule {
  readonly effect: Effect;
  readonly subject: Subject;
  readonly globs: readonly string[];
  readonly except: readonly string[];
  /** Repository globs it is limited to; empty: every repository of the team. */
  readonly in: readonly string[];
  /** For actions on pull requests: only drafts, only others, or (`null`) both. */
  readonly draft: boolean | null;
  /** Of `egress.host`: only these methods and URL paths; empty: any. */
  readonly methods: readonly string[];
  readonly paths: readonly string[];
  readonly ask: Omit<Ask, "rule"> | null;
  readonly ref: RuleRef;
}

export interface TeamCheck extends Check {
  /** Repository globs; empty: every repository of the team. */
  readonly in: readonly string[];
}

/**
 * What is shared by runs, each `null` where nothing limits it. A month is a calendar month in UTC. A repository's and a
 * person's runs are counted over all teams; the limit is that of the team that the run is for.
 */
export interface Shares {
  readonly perRepo: { readonly concurrentRuns: number | null };
  readonly perPerson: { readonly concurrentRuns: number | null };
  readonly perMonth: { readonly costUsd: number | null; readonly tokens: number | null };
  readonly perPersonMonth: { readonly costUsd: number | null; readonly tokens: number | null };
}

/** Rules that are tried and not enforced, until a day. */
export interface Trial {
  /** "2027-01-31": the last day, UTC. */
  readonly until: string;
  readonly at: Position;
  readonly rules: readonly Rule[];
}

/** A named prompt of a team; narrower than the team or it does not load. */
export interface Recipe {
  readonly name: string;
  readonly team: string;
  readonly title: string;
  readonly repo: string;
  readonly fields: Readonly<Record<string, RecipeField>>;
  /** With "{field}" where a field's words go. */
  readonly prompt: string;
  /** File globs; empty: what the team may change. */
  readonly paths: readonly string[];
  readonly checks: readonly TeamCheck[];
  /** Only the ones that were written. */
  readonly limits: Partial<Limits>;
  readonly ref: RuleRef;
}

export interface RecipeField {
  readonly label: string;
  readonly required: boolean;
  /** Characters. */
  readonly max: number;
  /** Empty: any words. */
  readonly options: readonly string[];
}

interface SetupCommand {
  readonly in: readonly string[];
  readonly command: string;
}

export interface Team {
  readonly name: string;
  readonly at: Position;
  /** "group:shop": who belongs to it. */
  readonly members: string;
  readonly rules: readonly Rule[];
  /** The organisation's defaults and its own. */
  readonly egress: readonly EgressRule[];
  readonly presets: readonly { readonly name: Preset; readonly ref: RuleRef }[];
  /** The question that a host outside `egress` and inside the ceiling is put as; `null`: it is only denied. */
  readonly unlisted: Ask | null;
  /** The smaller of the team's (or the default) and the ceiling's. */
  readonly limits: Limits;
  readonly shares: Shares;
  readonly sandbox: SandboxNeeds;
  /** Where each limit that holds is written. Absent in a policy that an older release kept. */
  readonly limitRefs?: Readonly<Partial<Record<LimitName | SandboxLimit, RuleRef>>>;
  readonly setup: readonly SetupCommand[];
  readonly checks: readonly TeamCheck[];
  readonly trial: Trial | null;
  /** Whose accounts elsewhere have to be linked; absent: nobody's. */
  readonly linked?: LinkRules;
}

export interface AskDefaults {
  /** Who is asked where no rule names a group; `null`: the policy's owners. */
  readonly from: string | null;
  readonly quorum: number;
  readonly self: boolean;
  readonly expiresMs: number;
  readonly remindMs: number;
  /** After this long without an answer the run is handed off. */
  readonly giveUpMs: number;
}

/** A compiled policy: plain frozen data, so that it can be stored under its digest and answer again later. */
export interface Policy {
  readonly commit: string;
  /** Of all it says and where. With the commit it identifies the policy. */
  readonly digest: string;
  readonly owners: { readonly from: string; readonly quorum: number; readonly channel: string | null } | null;
  /** Who may read every run; `null`: nobody beyond its own people. */
  readonly auditors: string | null;
  readonly groups: Readonly<Record<string, GroupRef>>;
  readonly routing: {
    readonly slack: Readonly<Record<string, { readonly team: string; readonly at: Position }>>;
    readonly linear: Readonly<Record<string, { readonly team: string; readonly at: Position }>>;
    readonly github: Readonly<Record<string, { readonly team: string; readonly at: Position }>>;
  };
  readonly always: readonly Rule[];
  readonly ceiling: {
    readonly models: readonly string[];
    readonly modelsRef: RuleRef;
    readonly limits: Limits;
    /** What a person may add for one run. */
    readonly askable: readonly EgressRule[];
    /** What a team may be given, to be said: teams were held to it when they loaded. Absent in a policy that an older release kept. */
    readonly holds?: {
      readonly at: Position;
      readonly repos: readonly string[];
      readonly egress: readonly EgressRule[];
      readonly presets: readonly RuleRef[];
      readonly shares: Shares;
      readonly sandbox: SandboxNeeds;
    };
  };
  /** "agent/{run}". */
  readonly branch: string;
  readonly approvals: AskDefaults;
  readonly teams: Readonly<Record<string, Team>>;
  readonly recipes: Readonly<Record<string, Recipe>>;
}

/** `null` when there is no such team. */
export function teamOf(policy: Policy, name: string): Team | null {
  return Object.hasOwn(policy.teams, name) ? (policy.teams[name] ?? null) : null;
}

/** Where the people of "group:product" come from; `null` when policy has no such group. */
export function groupOf(policy: Policy, reference: string): GroupRef | null {
  const name = reference.startsWith("group:") ? reference.slice("group:".length) : "";
  return Object.hasOwn(policy.groups, name) ? (policy.groups[name] ?? null) : null;
}

/** "group:shop" for the team "shop"; `null` when there is no such team. */
export function membersOf(policy: Policy, team: string): string | null {
  return teamOf(policy, team)?.members ?? null;
}

/** Which accounts elsewhere a team's policy wants linked; none where it says nothing. */
export function linksWanted(policy: Policy, team: string, role: LinkRole): readonly LinkRule[] {
  return teamOf(policy, team)?.linked?.[role] ?? [];
}

/** What a run of the team may spend; already held to the ceiling. `null` when there is no such team. */
export function limitsOf(policy: Policy, team: string): Limits | null {
  return teamOf(policy, team)?.limits ?? null;
}

/**
 * What a team's `allow` and `ask` rules say about repositories. `only` is the one repository it can work on, and so the
 * default of its channels; `null` when there are several or a wildcard.
 */
export function repositoriesOf(policy: Policy, team: string): { globs: readonly string[]; only: string | null } {
  const rules = teamOf(policy, team)?.rules ?? [];
  const granting = rules.filter((rule) => rule.subject === "git.repo" && rule.effect !== "deny");
  const globs = [...new Set(granting.flatMap((rule) => rule.globs))].sort();
  const [first] = globs;
  return { globs, only: globs.length === 1 && first !== undefined && !first.includes("*") ? first : null };
}

/** Freezes plain data all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}

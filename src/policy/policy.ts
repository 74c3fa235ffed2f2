import type { Ask, Position, RuleRef } from "./decision.ts";
import type { EgressRule } from "./egress.ts";
import type { Check, Limits } from "./scope.ts";

/** Something an author has to change, or (as a warning) should look at. */
export interface PolicyProblem {
  readonly at: Position;
  readonly message: string;
}

/** Exactly one source of people. The directory port declares the same shape. */
export type GroupRef =
  | { readonly slack_usergroup: string }
  | { readonly github_team: string }
  | { readonly idp: string }
  | { readonly people: readonly string[] };

export type Effect = "allow" | "ask" | "deny";

/** What a rule may speak of. Each has one place where it is enforced: see `pointOf`. */
export const SUBJECTS = ["git.repo", "git.branch", "git.path", "command", "action", "model", "tool"] as const;
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
  readonly ask: Omit<Ask, "rule"> | null;
  readonly ref: RuleRef;
}

export const BROKERED = ["model-openai", "model-anthropic", "npm-read"] as const;
/** A grant whose hosts the operator configures; the gateway serves it and no sandbox can name its host. */
export type Preset = (typeof BROKERED)[number];

export interface TeamCheck extends Check {
  /** Repository globs; empty: every repository of the team. */
  readonly in: readonly string[];
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
  /** The smaller of the team's (or the default) and the ceiling's. */
  readonly limits: Limits;
  readonly setup: readonly SetupCommand[];
  readonly checks: readonly TeamCheck[];
}

export interface AskDefaults {
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
  readonly owners: { readonly from: string; readonly quorum: number } | null;
  readonly groups: Readonly<Record<string, GroupRef>>;
  readonly routing: {
    readonly slack: Readonly<Record<string, { readonly team: string; readonly at: Position }>>;
    readonly linear: Readonly<Record<string, { readonly team: string; readonly at: Position }>>;
  };
  readonly always: readonly Rule[];
  readonly ceiling: { readonly models: readonly string[]; readonly modelsRef: RuleRef; readonly limits: Limits };
  /** "agent/{run}". */
  readonly branch: string;
  readonly approvals: AskDefaults;
  readonly teams: Readonly<Record<string, Team>>;
}

/** What the operator's configuration tells the loader. */
export interface SiteConfig {
  /** Presets the gateway can serve here; another one that policy grants is a warning. Absent: not known. */
  readonly presets?: readonly string[];
  /** Hosts of model APIs, registry and forge. No rule may name them. */
  readonly upstreams?: readonly string[];
  /** "owner/name" of the repository the policy comes from: never granted to a run. */
  readonly policyRepo?: string;
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

import type { Scope } from "#policy/scope.ts";
import type { Place } from "#ports/chat.ts";
import type { RunState } from "./state.ts";

export type RunId = string;

export interface Person {
  readonly id: string;
  readonly name: string;
}

/** A ticket of a tracker. */
export interface Ticket {
  /** The tracker's own id. */
  readonly id: string;
  /** As people say it: "SHOP-12". */
  readonly name: string;
  readonly url: string;
}

/** One agent, one task, one sandbox at a time, one branch, at most one pull request. */
export interface Run {
  readonly id: RunId;
  readonly orgId: string;
  /** Counts up per organisation; what people say: "run 142". */
  readonly number: number;
  readonly state: RunState;
  /** Grows each time a worker takes the run. A write with an older one is refused: `Fenced`. */
  readonly epoch: number;
  readonly team: string;
  readonly repo: string;
  readonly branch: string;
  readonly baseBranch: string | null;
  readonly baseOid: string | null;
  /** The commit that was checked; what is approved, signed and pushed binds it. */
  readonly headOid: string | null;
  readonly requester: Person;
  readonly text: string;
  /** Where it was asked for. */
  readonly place: Place;
  /**
   * Where its people read and answer, when that is not where it was asked for; `null`: at home. `thread` is "" until its
   * first message is there.
   */
  readonly mirror: Place | null;
  /** The ticket that it was asked for on; `null`: on none. */
  readonly ticket: Ticket | null;
  /** Why this team and this repository, with the rule's position. */
  readonly because: string;
  readonly agent: string;
  readonly model: string;
  readonly scope: Scope | null;
  /** Of the policy in force when it was asked: every later decision must pass it and the current one. */
  readonly policyDigest: string;
  /** Where a suspended run goes on. */
  readonly resumeTo: RunState | null;
  readonly pullRequest: { readonly number: number; readonly url: string } | null;
  /** How often failing checks went back to the agent. */
  readonly fixRounds: number;
  /** How often it started again because of us. */
  readonly restarts: number;
  readonly cancelRequestedBy: string | null;
  readonly wakeAt: Date | null;
  readonly deadlineAt: Date | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The workspace whose accounts ask, answer and own here: groups are read of it, wherever the run was asked for. */
export const workspaceOf = ({ place, mirror }: Pick<Run, "place" | "mirror">): string => (mirror ?? place).workspace;

/** What a move or a step may change beside the state. */
export type RunPatch = Partial<
  Pick<
    Run,
    | "baseBranch"
    | "baseOid"
    | "headOid"
    | "scope"
    | "resumeTo"
    | "pullRequest"
    | "fixRounds"
    | "restarts"
    | "cancelRequestedBy"
    | "wakeAt"
    | "deadlineAt"
  >
>;

export interface NewRun {
  readonly id: RunId;
  readonly orgId: string;
  /** Unique per organisation: the same request twice is one run. */
  readonly requestKey: string;
  readonly team: string;
  readonly repo: string;
  readonly branch: string;
  readonly requester: Person;
  readonly text: string;
  readonly place: Place;
  /** Absent: as `null`. */
  readonly mirror?: Place | null;
  readonly ticket?: Ticket | null;
  readonly because: string;
  readonly agent: string;
  readonly model: string;
  readonly policyDigest: string;
}

/** Another worker has taken the run since: stop, touch nothing outside. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

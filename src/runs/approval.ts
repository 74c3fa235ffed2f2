import type { Ask } from "#policy/decision.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { Person, RunId } from "./run.ts";

export const GATES = ["start", "command", "host", "publish", "budget", "secret"] as const;
/** What kind of act is asked about. */
export type Gate = (typeof GATES)[number];

export const APPROVAL_STATES = ["pending", "approved", "denied", "expired", "void"] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** One question of policy, with who was in its group when it opened: a voter must have been there then and be there now. */
export interface OpenAsk extends Ask {
  readonly members: readonly ExternalId[];
}

/** A question to named people about exact bytes. */
export interface Approval {
  readonly id: string;
  readonly runId: RunId;
  readonly gate: Gate;
  /** SHA-256 over everything that will be done: see `bind`. */
  readonly digest: string;
  /** The exact arguments, as shown; canonical JSON of it is under `digest`. */
  readonly subject: Readonly<Record<string, unknown>>;
  readonly asks: readonly OpenAsk[];
  readonly status: ApprovalState;
  /** How often this has been asked; "Ask again" opens the next. */
  readonly askNo: number;
  readonly openedAt: Date;
  readonly expiresAt: Date;
  readonly closedAt: Date | null;
}

export type Choice = "approve" | "deny";

export interface Vote {
  readonly approvalId: string;
  readonly person: Person;
  readonly choice: Choice;
  readonly reason: string | null;
  readonly at: Date;
}

/** Everything that decides whether a click counts. Facts only; time is one of them. */
export interface Click {
  readonly person: Person;
  /** The clicker's account on the surface where they clicked. */
  readonly account: ExternalId;
  readonly choice: Choice;
  /** The digest that the card showed. */
  readonly digest: string;
  readonly now: Date;
  /** Every author of the run. `null` account: this author has no verified identity on that surface. */
  readonly authors: readonly { readonly person: Person; readonly account: ExternalId | null }[];
  /** For each ask, by index: who is in its group right now. */
  readonly membersNow: readonly (readonly ExternalId[])[];
}

export const VOTE_REFUSALS = [
  "already_decided",
  "stale",
  "expired",
  "own_run",
  "author_unlinked",
  "not_an_approver",
  "already_voted",
] as const;
export type VoteRefusal = (typeof VOTE_REFUSALS)[number];

export type Verdict =
  | { readonly refused: VoteRefusal }
  | { readonly refused: null; readonly status: "pending" | "approved" | "denied" };

export const sameAccount = (a: ExternalId, b: ExternalId): boolean =>
  a.provider === b.provider && a.workspace === b.workspace && a.id === b.id;

const isIn = (account: ExternalId, members: readonly ExternalId[]) =>
  members.some((member) => sameAccount(member, account));

/** Whether a yes to this approval answers all that policy asks now: it may have been opened under milder rules. */
export const covers = (approval: Approval, asks: readonly Ask[]): boolean =>
  asks.every((ask) =>
    approval.asks.some((had) => had.from === ask.from && had.quorum >= ask.quorum && (ask.self || !had.self)),
  );

/** The asks, by index, that this account may answer: in the group when it opened and in it now. */
function answerable(approval: Approval, click: Click): number[] {
  return approval.asks.flatMap((ask, index) =>
    isIn(click.account, ask.members) && isIn(click.account, click.membersNow[index] ?? []) ? [index] : [],
  );
}

/**
 * What one click does to a pending approval. Pure; the caller holds the row lock and writes what it says.
 * A denial by any approver ends it. It is approved when every ask has its quorum of distinct persons.
 * `votes` come with the account they were cast from, so that a quorum is counted per ask.
 */
export function judge(
  approval: Approval,
  votes: readonly (Vote & { readonly account: ExternalId })[],
  click: Click,
): Verdict {
  if (approval.status === "expired") return { refused: "expired" };
  if (approval.status !== "pending") return { refused: "already_decided" };
  if (click.digest !== approval.digest) return { refused: "stale" };
  if (click.now >= approval.expiresAt) return { refused: "expired" };

  const mine = answerable(approval, click);
  if (mine.length === 0) {
    return { refused: isAuthor(click) ? "own_run" : "not_an_approver" };
  }
  const selfAllowed = mine.every((index) => approval.asks[index]?.self === true);
  if (!selfAllowed) {
    if (isAuthor(click)) return { refused: "own_run" };
    if (click.authors.some((author) => author.account === null)) return { refused: "author_unlinked" };
  }
  if (votes.some((vote) => vote.person.id === click.person.id)) return { refused: "already_voted" };
  if (click.choice === "deny") return { refused: null, status: "denied" };

  const yes = votes.filter((vote) => vote.choice === "approve");
  const met = approval.asks.every((ask, index) => {
    // Who has steered the run since they voted is an author by now, and their yes is the author's own; who has left the
    // group since speaks for it no more.
    const now = click.membersNow[index] ?? [];
    const counting = yes.filter(
      (vote) => isIn(vote.account, ask.members) && isIn(vote.account, now) && (ask.self || !isAuthor(click, vote)),
    );
    const persons = new Set(counting.map((vote) => vote.person.id));
    if (mine.includes(index)) persons.add(click.person.id);
    return persons.size >= ask.quorum;
  });
  return { refused: null, status: met ? "approved" : "pending" };
}

/** The same human under any identity: by person, and by account for what is not linked yet. */
function isAuthor(click: Click, who: Pick<Click, "person" | "account"> = click): boolean {
  return click.authors.some(
    (author) =>
      author.person.id === who.person.id || (author.account !== null && sameAccount(author.account, who.account)),
  );
}

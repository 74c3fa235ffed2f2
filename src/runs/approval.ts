import type { Ask } from "#policy/decision.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { Person, RunId } from "./run.ts";
import { type MembersNow, maySit, type OpenAsk, type Seat, sameAccount, seatOf, type Who } from "./seat.ts";

export type { OpenAsk } from "./seat.ts";

export const GATES = ["start", "command", "host", "publish", "budget", "secret"] as const;
/** What kind of act is asked about. */
export type Gate = (typeof GATES)[number];

/** The same in words that follow "about". */
export const GATE_WORDS: Readonly<Record<Gate, string>> = {
  start: "the start",
  command: "a command",
  host: "a host",
  publish: "publishing",
  budget: "more budget",
  secret: "a secret",
};

export const APPROVAL_STATES = ["pending", "approved", "denied", "expired", "void"] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

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
  readonly authors: readonly Author[];
  /** For each ask, by index. */
  readonly membersNow: readonly MembersNow[];
}

/** An author of the run. `null` account: this author has no verified identity on the clicker's surface. */
export interface Author {
  readonly person: Person;
  readonly account: ExternalId | null;
}

export const VOTE_REFUSALS = [
  "already_decided",
  "stale",
  "expired",
  "own_run",
  "author_unlinked",
  "not_an_approver",
  "already_voted",
  "step_up",
] as const;
export type VoteRefusal = (typeof VOTE_REFUSALS)[number];

export type Verdict =
  | { readonly refused: VoteRefusal }
  | { readonly refused: null; readonly status: "pending" | "approved" | "denied" };

/**
 * Whether a yes to this approval answers all that policy asks now: it may have been opened under milder rules, or put to
 * people whom the rules no longer let answer.
 */
export const covers = (approval: Approval, asks: readonly Ask[]): boolean =>
  asks.every((ask) =>
    ask.paths === undefined
      ? approval.asks.some((had) => coversOne(had, ask))
      : ask.paths.every((path) => approval.asks.some((had) => had.paths?.includes(path) && coversOne(had, ask))),
  );

const coversOne = (had: OpenAsk, ask: Ask): boolean =>
  (had.owners === undefined ? had.from : "codeowners") === ask.from &&
  had.quorum >= ask.quorum &&
  (ask.self || !had.self) &&
  (had.escalated === undefined || had.escalate?.to === ask.escalate?.to) &&
  ((had.delegates ?? []).length === 0 || ask.delegate) &&
  (ask.assurance === "chat" || had.assurance === "step_up");

/** A vote with the account it was cast from, so that a quorum is counted per ask. */
export type CastVote = Vote & { readonly account: ExternalId };

const NOBODY: MembersNow = { members: [], escalated: [] };

/**
 * What one click does to a pending approval. Pure; the caller holds the row lock and writes what it says.
 * A denial by anyone who may answer ends it. It is approved when every ask has its quorum: so many persons, each from
 * another place in the group.
 */
export function judge(approval: Approval, votes: readonly CastVote[], click: Click): Verdict {
  if (approval.status === "expired") return { refused: "expired" };
  if (approval.status !== "pending") return { refused: "already_decided" };
  if (click.digest !== approval.digest) return { refused: "stale" };
  if (click.now >= approval.expiresAt) return { refused: "expired" };

  const refused = mayAnswer(approval, click);
  if (refused !== null) return { refused };
  if (votes.some((vote) => vote.person.id === click.person.id)) return { refused: "already_voted" };
  if (click.choice === "deny") return { refused: null, status: "denied" };
  if (seatsOf(approval, click).some(({ ask }) => ask.assurance === "step_up")) return { refused: "step_up" };

  // Who has steered the run since they voted is an author by now, and their yes is the author's own; who has left the
  // group since speaks for it no more, nor does whoever they named.
  const yes: readonly Who[] = [...votes.filter((vote) => vote.choice === "approve"), click];
  const met = approval.asks.every((ask, index) => {
    // What is kept of a vote proves a chat account and no more: where more is asked, none counts.
    if (ask.assurance === "step_up") return false;
    const places = yes.flatMap((who) => {
      const seat = seatOf(ask, click.membersNow[index] ?? NOBODY, who, (one) => isAuthor(click.authors, one));
      return seat !== null && maySit(ask, seat, isAuthor(click.authors, who)) ? [seat.of] : [];
    });
    // A person votes once, so that as many places are as many persons.
    return new Set(places).size >= ask.quorum;
  });
  return { refused: null, status: met ? "approved" : "pending" };
}

/** What of a click decides whether its person may answer at all. */
export type Answering = Pick<Click, "person" | "account" | "authors" | "membersNow">;

/** The asks that this person would answer, each with the place they would answer from. */
export function seatsOf(
  approval: Approval,
  by: Answering,
): readonly { readonly ask: OpenAsk; readonly index: number; readonly seat: Seat }[] {
  return approval.asks.flatMap((ask, index) => {
    const seat = seatOf(ask, by.membersNow[index] ?? NOBODY, by, (one) => isAuthor(by.authors, one));
    return seat === null ? [] : [{ ask, index, seat }];
  });
}

/** Why this person may not answer; `null`: they may. Every ask that they would answer has to let them. */
export function mayAnswer(
  approval: Approval,
  by: Answering,
): Extract<VoteRefusal, "own_run" | "author_unlinked" | "not_an_approver"> | null {
  const mine = seatsOf(approval, by);
  const author = isAuthor(by.authors, by);
  if (mine.length === 0) return author ? "own_run" : "not_an_approver";
  if (mine.every(({ ask, seat }) => maySit(ask, seat, true))) return null;
  if (author) return "own_run";
  return by.authors.some(({ account }) => account === null) ? "author_unlinked" : null;
}

/**
 * The votes for yes that count no more because their voter is an author by now: none when every ask has its quorum without
 * them. Who was in the groups is taken from when they were asked, for membership was looked at when the vote was cast and
 * when it was decided. `authorsOn`: the run's authors, with their accounts where this vote was cast.
 */
export function outvoted(
  { asks }: Pick<Approval, "asks">,
  votes: readonly CastVote[],
  authorsOn: (vote: CastVote) => readonly Author[],
): readonly CastVote[] {
  const yes = votes.filter(({ choice }) => choice === "approve");
  const lost = new Set<CastVote>();
  const met = asks.every((ask) => {
    const then: MembersNow = { members: ask.members, escalated: ask.escalated?.members ?? [] };
    const places = yes.flatMap((vote) => {
      const authors = authorsOn(vote);
      const seat = seatOf(ask, then, vote, (one) => isAuthor(authors, one));
      // An author who is not linked there may be the voter.
      const mayBe = isAuthor(authors, vote) || authors.some(({ account }) => account === null);
      if (seat !== null && maySit(ask, seat, mayBe)) return [seat.of];
      if (seat !== null || seatOf(ask, then, vote, () => false) !== null) lost.add(vote);
      return [];
    });
    return ask.quorum <= new Set(places).size;
  });
  return met ? [] : [...lost];
}

/** The same human under any identity: by person, and by account for what is not linked yet. */
export const isAuthor = (authors: readonly Author[], who: Who): boolean =>
  authors.some(
    ({ person, account }) => person.id === who.person.id || (account !== null && sameAccount(account, who.account)),
  );

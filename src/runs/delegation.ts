import type { Answering, Approval, CastVote, VoteRefusal } from "./approval.ts";
import { isAuthor, mayAnswer, seatsOf } from "./approval.ts";
import { type Delegate, type OpenAsk, sameAccount, type Who } from "./seat.ts";

/** Why nobody can be named beside what keeps a person from answering at all. */
export const DELEGATION_REFUSALS = [
  "not_delegable",
  "already_delegated",
  "delegate_self",
  "delegate_is_author",
  "delegate_may_answer",
  "delegate_voted",
  "no_such_delegate",
  "nothing_asked",
] as const;
export type DelegationRefusal = (typeof DELEGATION_REFUSALS)[number];

/** Somebody who is asked names another to answer this one question in their place. */
export interface Naming extends Answering {
  readonly to: Who;
  readonly now: Date;
}

export type Named =
  | { readonly refused: VoteRefusal | DelegationRefusal }
  /** The asks as they are then. `fresh`: `false` when it was so already. */
  | { readonly refused: null; readonly asks: readonly OpenAsk[]; readonly fresh: boolean };

const same = (a: Who, b: Who): boolean => a.person.id === b.person.id || sameAccount(a.account, b.account);

/**
 * What naming somebody does to a pending approval. Pure. Only a person of the group may name, once, and only somebody who
 * has no place of their own in it, is no author and has not answered: so that a place stays one answer, by one person.
 */
export function judgeNaming(approval: Approval, votes: readonly CastVote[], { to, now, ...by }: Naming): Named {
  if (approval.status === "expired" || (approval.status === "pending" && now >= approval.expiresAt)) {
    return { refused: "expired" };
  }
  if (approval.status !== "pending") return { refused: "already_decided" };
  const refused = mayAnswer(approval, by);
  if (refused !== null) return { refused };
  const before = delegatesOf(approval).find((one) => one.by.person.id === by.person.id);
  if (before !== undefined) {
    return same(before.to, to)
      ? { refused: null, asks: approval.asks, fresh: false }
      : { refused: "already_delegated" };
  }
  // What is kept of a naming proves a chat account and no more.
  const mine = seatsOf(approval, by).filter(
    ({ ask, seat }) => ask.delegate && ask.assurance === "chat" && !seat.delegated,
  );
  if (mine.length === 0) return { refused: "not_delegable" };
  if (votes.some((vote) => vote.person.id === by.person.id)) return { refused: "already_voted" };
  if (same(by, to)) return { refused: "delegate_self" };
  if (by.authors.some(({ account }) => account === null)) return { refused: "author_unlinked" };
  if (isAuthor(by.authors, to)) return { refused: "delegate_is_author" };
  if (votes.some((vote) => same(vote, to))) return { refused: "delegate_voted" };
  const theirs = seatsOf(approval, { ...by, ...to });
  const named = delegatesOf(approval).some((one) => same(one.to, to));
  if (named || mine.some(({ index }) => theirs.some((one) => one.index === index))) {
    return { refused: "delegate_may_answer" };
  }
  const delegate: Delegate = { by: { person: by.person, account: by.account }, to };
  const asks = approval.asks.map((ask, at) =>
    mine.some(({ index }) => index === at) ? { ...ask, delegates: [...(ask.delegates ?? []), delegate] } : ask,
  );
  return { refused: null, asks, fresh: true };
}

const delegatesOf = (approval: Approval): readonly Delegate[] =>
  approval.asks.flatMap(({ delegates }) => delegates ?? []);

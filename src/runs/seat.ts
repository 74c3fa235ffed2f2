import type { Ask } from "#policy/decision.ts";
import type { ExternalId } from "#ports/directory.ts";
import type { Person } from "./run.ts";

/** Whose click it is: the person, and the account they clicked with. */
export interface Who {
  readonly person: Person;
  readonly account: ExternalId;
}

/** Somebody who answers one question in the place of a person it was put to. */
export interface Delegate {
  readonly by: Who;
  readonly to: Who;
}

/** One question of policy, with who was in its group when it opened: a voter must have been there then and be there now. */
export interface OpenAsk extends Ask {
  readonly members: readonly ExternalId[];
  /** Who may answer too since nobody else did in time: the group of `escalate` as it was then. `at`: ISO 8601, UTC. */
  readonly escalated?: { readonly at: string; readonly members: readonly ExternalId[] };
  readonly delegates?: readonly Delegate[];
  /**
   * Of a question to code owners: who owns its `paths`, as CODEOWNERS writes them. None: nobody does, and `from` is asked
   * instead. `unknown`: of these nobody could be found.
   */
  readonly owners?: readonly string[];
  readonly unknown?: readonly string[];
}

/** Who is in the groups of one question right now. */
export interface MembersNow {
  readonly members: readonly ExternalId[];
  /** Of the group it was escalated to; none while it was not. */
  readonly escalated: readonly ExternalId[];
}

/**
 * The place a person answers from. `of`: the person of the group whose place it is; a group member has one place,
 * whoever sits in it, so that naming somebody else never makes two answers out of one.
 */
export interface Seat {
  readonly of: string;
  /** Named by the person whose place it is. */
  readonly delegated: boolean;
}

export const sameAccount = (a: ExternalId, b: ExternalId): boolean =>
  a.provider === b.provider && a.workspace === b.workspace && a.id === b.id;

export const isIn = (account: ExternalId, members: readonly ExternalId[]): boolean =>
  members.some((member) => sameAccount(member, account));

/** In the group when it was put to it, and in it now. */
function belongs(ask: OpenAsk, now: MembersNow, account: ExternalId): boolean {
  return (
    (isIn(account, ask.members) && isIn(account, now.members)) ||
    (ask.escalated !== undefined && isIn(account, ask.escalated.members) && isIn(account, now.escalated))
  );
}

/** Whoever the question is put to now: in its group then and now, and whom those have named. `null`: that is not known, and so nobody. */
export function askedOf(ask: OpenAsk, now: MembersNow | null): readonly ExternalId[] {
  if (now === null) return [];
  const asked = [...ask.members, ...(ask.escalated?.members ?? [])].filter((one) => belongs(ask, now, one));
  const named = (ask.delegates ?? []).filter(({ by }) => isIn(by.account, asked)).map(({ to }) => to.account);
  return [...asked, ...named];
}

/** Whose place a person was given. It ends when whoever gave it leaves the group, or becomes an author. */
function given(ask: OpenAsk, now: MembersNow, who: Who, isAuthor: (who: Who) => boolean): Delegate | undefined {
  return ask.delegates?.find(
    ({ by, to }) =>
      to.person.id === who.person.id &&
      sameAccount(to.account, who.account) &&
      belongs(ask, now, by.account) &&
      (ask.self || !isAuthor(by)),
  );
}

/** From which place this person would answer the question; `null`: from none. Whether they may is `maySit`'s to say. */
export function seatOf(ask: OpenAsk, now: MembersNow, who: Who, isAuthor: (who: Who) => boolean): Seat | null {
  if (belongs(ask, now, who.account)) return { of: who.person.id, delegated: false };
  const delegate = given(ask, now, who, isAuthor);
  return delegate === undefined ? null : { of: delegate.by.person.id, delegated: true };
}

/** An author answers only where policy lets authors answer, and never in somebody else's place. */
export const maySit = (ask: OpenAsk, seat: Seat, author: boolean): boolean => !author || (ask.self && !seat.delegated);

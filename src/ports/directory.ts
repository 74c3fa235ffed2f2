/** One account on one outside system. */
export interface ExternalId {
  /** "slack", "github", "linear". */
  readonly provider: string;
  /** Team, organisation or installation the id belongs to. */
  readonly workspace: string;
  readonly id: string;
}

export interface Account extends ExternalId {
  readonly name: string;
  /** Only "member" may ask, steer or vote. */
  readonly kind: "member" | "guest" | "external" | "bot" | "deactivated";
  readonly email: string | null;
}

/** A group as policy names it: exactly one source. */
export type GroupRef =
  | { readonly slack_usergroup: string }
  | { readonly github_team: string }
  /** `maxAgeMs`: how old the identity provider's export may be. */
  | { readonly idp: string; readonly maxAgeMs?: number }
  | { readonly people: readonly string[] };

/** One account or address, as a repository names its owners. */
export type OwnerRef = { readonly github_user: string } | { readonly email: string };

/** Live answers about people. Throws `DirectoryUnavailable` when it cannot know: the caller denies or parks. */
export interface Directory {
  account(id: ExternalId): Promise<Account | null>;
  /**
   * Accounts in the group right now, on the given workspace. Of a group that is kept elsewhere these are the accounts
   * that are known to be its people's; a group of which none is known is unavailable, never empty.
   */
  members(group: GroupRef | OwnerRef, workspace: string): Promise<readonly ExternalId[]>;
  /**
   * Accounts in a channel or a direct message, for who may read what was said there: of the last half minute, no older.
   * A channel that is not there, or that we are not in, is unavailable, never empty.
   */
  channelMembers(channel: ExternalId): Promise<readonly ExternalId[]>;
}

export class DirectoryUnavailable extends Error {
  override readonly name = "DirectoryUnavailable";
}

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
  | { readonly idp: string }
  | { readonly people: readonly string[] };

/** Live answers about people. Throws `DirectoryUnavailable` when it cannot know: the caller denies or parks. */
export interface Directory {
  account(id: ExternalId): Promise<Account | null>;
  /** Accounts in the group right now, on the given workspace. */
  members(group: GroupRef, workspace: string): Promise<readonly ExternalId[]>;
}

export class DirectoryUnavailable extends Error {
  override readonly name = "DirectoryUnavailable";
}

/** Tokens of one workspace as they are kept: sealed, each for its own row and purpose. */
export interface SealedTokens {
  /** Of the key that sealed them. */
  readonly keyId: string;
  readonly access: string;
  /** Good for one renewal; `null`: the access token does not end. */
  readonly refresh: string | null;
  /** When the access token ends; `null`: it does not. */
  readonly expiresAt: Date | null;
  /** In the chat's word, why there will be no next access token; `null`: nothing is known against it. */
  readonly lost: string | null;
}

/** A workspace of the chat that has installed our app. */
export interface InstalledWorkspace {
  /** "T0ACME". */
  readonly id: string;
  /** The organisation that the workspace belongs to at the chat; `null`: none. */
  readonly enterprise: string | null;
  readonly name: string;
  /** Where people read it, "https://acme.slack.com"; `null`: not said. */
  readonly url: string | null;
  readonly botUserId: string;
  readonly botId: string;
  /** What the app may do there. */
  readonly scopes: readonly string[];
  /** Id of the account that installed it. */
  readonly installedBy: string;
  readonly installedAt: Date;
  readonly tokens: SealedTokens;
}

/** Workspaces that have installed our app, and installations that are under way. */
export interface WorkspaceStore {
  /** `null`: it has not installed us. */
  get(id: string): Promise<InstalledWorkspace | null>;
  /** By id. */
  all(): Promise<readonly InstalledWorkspace[]>;
  /** Instead of what was known of it. */
  put(workspace: Omit<InstalledWorkspace, "installedAt">): Promise<void>;
  /**
   * Its tokens become what `work` makes of them, with the row locked from before they are read until they are kept: of two
   * processes the second sees what the first has kept. The one transaction that is held while somebody outside is asked, so
   * `work` answers within seconds. It may run again after a lost connection. `null`: the workspace is not there.
   */
  renew(id: string, work: (workspace: InstalledWorkspace) => Promise<SealedTokens>): Promise<InstalledWorkspace | null>;
  /** It is in this organisation now, or in none. Unless it was installed again since `of` was read. */
  moved(of: Pick<InstalledWorkspace, "id" | "installedAt">, enterprise: string | null): Promise<void>;
  /** Forgets it, unless it was installed again at or after `before`. `false`: there was nothing to forget. */
  remove(id: string, before: Date): Promise<boolean>;
  /** Somebody sets out to install us. Both are digests: of what the address carries, and of what the browser holds. */
  begin(attempt: { readonly state: string; readonly browser: string; readonly ttlMs: number }): Promise<void>;
  /** Once, in the browser that began it, and in time. Another browser's try uses nothing up. */
  redeem(attempt: { readonly state: string; readonly browser: string }): Promise<boolean>;
}

/** What comes of asking the chat about an installation of ours. */
export type InstallationWord =
  /** It takes our token. `enterprise`: where the workspace is now. */
  | { readonly kind: "taken"; readonly enterprise: string | null }
  /** The installation is over, in the chat's own word. */
  | { readonly kind: "gone"; readonly why: string }
  /** It does not take our token, which may as well be about us: from where we called. Only with news of its own it is over. */
  | { readonly kind: "refused"; readonly why: string }
  /** Nobody can ask: no key opens our tokens. The installation may be as good as ever. */
  | { readonly kind: "sealed" }
  /** Anything else. Nothing may be concluded from it. */
  | { readonly kind: "unknown"; readonly why: string };

/** What is true of installations now, at the chat and in the configuration. */
export interface Installations {
  /** Whether the operator lets this workspace in. */
  isAllowed(workspace: Pick<InstalledWorkspace, "id" | "enterprise">): boolean;
  /** Asks the chat. Never throws: no answer is "unknown". A workspace that has no row is "gone". */
  ask(id: string): Promise<InstallationWord>;
  /** Drops what is in memory of it. */
  forget(id: string): void;
}

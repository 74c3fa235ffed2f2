import type { Secret } from "./secret.ts";

export interface HostedRepository {
  /** "owner/name". */
  readonly name: string;
  readonly defaultBranch: string;
  /** Where git reads it from, for the relay's mirror: an https URL, or a path for the local host. */
  readonly cloneUrl: string;
  readonly webUrl: string;
}

export interface PullRequest {
  readonly repo: string;
  readonly number: number;
  readonly url: string;
  readonly state: "open" | "merged" | "closed";
  readonly draft: boolean;
  readonly branch: string;
  readonly base: string;
  readonly headOid: string;
}

export interface PullRequestText {
  readonly title: string;
  /** Markdown. */
  readonly body: string;
}

export interface CheckReport {
  readonly name: string;
  readonly conclusion: "success" | "failure" | "neutral" | "skipped";
  readonly summary: string;
}

export const VERDICTS = ["approved", "changes_requested", "commented", "dismissed"] as const;
/** How the host's own checks of a commit came out, in words that every host has. */
export const FORGE_CONCLUSIONS = ["success", "failure", "neutral", "cancelled"] as const;

/** What the host tells us afterwards; by webhook or by its own process. */
export interface PullRequestChange {
  /** Unique for this change: a repeat is dropped. */
  readonly deliveryId: string;
  readonly repo: string;
  readonly number: number;
  readonly kind: "merged" | "closed" | "reopened" | "reviewed" | "checked";
  /** The account that did it, as the host names it. */
  readonly by: string;
  /** The commit it is about: of a merge the one that landed. */
  readonly oid: string | null;
  /** Of a review. */
  readonly verdict?: (typeof VERDICTS)[number];
  /** Of the host's own checks; `by` is who ran them. */
  readonly conclusion?: (typeof FORGE_CONCLUSIONS)[number];
  /** Where people read it. */
  readonly url?: string;
}

/** What a reviewer or the host's own checks say of a pull request: the same as a change, asked for instead of told. */
export type PullRequestWord = Omit<PullRequestChange, "deliveryId" | "kind"> & {
  readonly kind: "reviewed" | "checked";
};

export type RepoHostErrorCode = "not_found" | "stale" | "denied" | "unavailable" | "invalid";

export class RepoHostError extends Error {
  override readonly name = "RepoHostError";
  readonly code: RepoHostErrorCode;

  constructor(code: RepoHostErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** A forge. There is no merge: a run ends at the pull request. */
export interface RepoHost {
  readonly name: string;
  /** Every repository we have access to, by name. */
  repositories(): Promise<readonly HostedRepository[]>;
  /**
   * `null` when there is no such repository. A host that does not tell that apart from one we may not see throws
   * "not_found" or "denied", with a sentence that says who gives us access.
   */
  repository(name: string): Promise<HostedRepository | null>;
  /** What the relay needs to read `name`; narrowed to that one repository, short-lived. `null` where none is needed. */
  readCredential(name: string): Promise<Secret | null>;
  /**
   * Pushes `oid` out of the bare repository at `gitDir` to `refs/heads/<branch>`, which must be at `expected`
   * (`null`: must not exist) or already at `oid`. Throws "stale" when it is anywhere else.
   */
  push(to: { repo: string; branch: string; oid: string; expected: string | null; gitDir: string }): Promise<void>;
  /** The newest pull request of this branch in any state: one that a person closed counts as ours. */
  findPullRequest(repo: string, branch: string): Promise<PullRequest | null>;
  /** Look up first: a second call for the same branch throws "invalid". Always a draft when `draft`. */
  openPullRequest(
    of: { repo: string; branch: string; base: string; draft: boolean } & PullRequestText,
  ): Promise<PullRequest>;
  editPullRequest(repo: string, number: number, text: PullRequestText): Promise<void>;
  pullRequest(repo: string, number: number): Promise<PullRequest | null>;
  /**
   * What is said of it by now: the last word of each reviewer, and of each of the host's own checks of its newest commit
   * that are over. Nothing of ours; nothing where the host has neither.
   */
  words(repo: string, number: number): Promise<readonly PullRequestWord[]>;
  /** Replaces our reports on this commit, by name. */
  reportChecks(repo: string, oid: string, checks: readonly CheckReport[]): Promise<void>;
  /**
   * Asks whom the repository itself names for what the pull request changes (code owners) for their review, each once; who
   * of them is asked by now. Nobody where it names nobody. Whom the host does not take is left out.
   */
  requestReview(repo: string, number: number): Promise<readonly string[]>;
  /** Takes an open pull request out of draft. Harmless when it is none. */
  markReady(repo: string, number: number): Promise<void>;
}

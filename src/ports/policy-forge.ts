import type { ExternalId } from "./directory.ts";

/** How a commit came onto a branch, as the forge tells it. */
export interface Backing {
  /** The branch takes nothing that was not reviewed: no push of its own, no rewriting. */
  readonly protected: boolean;
  /** Who stood for exactly this change, distinct, as accounts that the directory knows. Its authors are not among them. */
  readonly approvedBy: readonly ExternalId[];
  /** Authors whom the forge cannot name: each may be one of those who approved. */
  readonly unnamedAuthors?: number;
  /** What else it has to say of a change that does not count: begins small, and names the way out. */
  readonly remarks?: readonly string[];
}

/** The forge that holds the policy's repository, asked whether a change of the policy counts. */
export interface PolicyForge {
  /** `null`: it is not the merge of a pull request into this branch. Throws when the forge cannot be asked. */
  backing(branch: string, oid: string): Promise<Backing | null>;
}

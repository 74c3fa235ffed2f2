import type { LinkPlace } from "#policy/linked.ts";

/** How somebody shows that an account elsewhere is theirs, the weaker way first. */
export const LINK_PROOFS = ["code", "sign_in"] as const;
/**
 * "code": the account wrote a code of ours, which somebody else may have made. "sign_in": whoever it is of signed in there, and
 * the place itself says which account it is.
 */
export type LinkProof = (typeof LINK_PROOFS)[number];

/** A place whose accounts people may have linked. */
export type Linkable = {
  readonly provider: LinkPlace;
  /** Of its accounts' ids: "github.com", an organisation of Linear. */
  readonly workspace: string;
} & (
  | {
      readonly by: "sign_in";
      /** Where a person begins: the address that a code of theirs opens. */
      readonly page: (code: string) => string;
    }
  /** `null`: not any more, and what is linked stays so. */
  | { readonly by: "code" | null }
);

export type LinkRefusal =
  /** It is none of ours, was changed, or is good for another place. */
  | "code_bad"
  | "code_late"
  | "code_used"
  /** It was written down, and accounts of that place are linked by signing in there. It is good for nothing from then on. */
  | "sign_in"
  /** The account is of another workspace of the place than the one that is worked with here. */
  | "elsewhere"
  /** The account is linked with somebody else, who has shown no less. */
  | "theirs"
  /** Its maker has linked another account there. */
  | "another"
  /** Its maker is no full member any more. */
  | "guest"
  | "directory_unavailable";

/** Nothing was linked. `holder`: of "theirs", what the person is called whose account it is; `null` otherwise. */
export interface NotLinked {
  readonly refused: LinkRefusal;
  readonly holder: string | null;
}

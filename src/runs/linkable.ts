import type { LinkPlace } from "#policy/linked.ts";

/** A place whose accounts people may have linked. */
export interface Linkable {
  readonly provider: LinkPlace;
  /** Of its accounts' ids: "github.com", an organisation of Linear. */
  readonly workspace: string;
  /** By signing in there, or by writing a code there; `null`: not any more, and what is linked stays so. */
  readonly by: "sign_in" | "code" | null;
}

export type LinkRefusal =
  /** It is none of ours, was changed, or is good for another place. */
  | "code_bad"
  | "code_late"
  | "code_used"
  /** The account is linked with somebody else. */
  | "theirs"
  /** Its maker has linked another account there. */
  | "another"
  /** Its maker is no full member any more. */
  | "guest"
  | "directory_unavailable";

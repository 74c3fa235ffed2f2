import type { LinkPlace } from "#policy/linked.ts";
import type { VoteRefusal } from "./approval.ts";
import type { DelegationRefusal } from "./delegation.ts";

/** Everything we may refuse a person, with what their surface needs to say what to do next. */
export type Refusal =
  | { readonly code: "no_mapping"; readonly channel: string; readonly fix: string }
  /** Asked for elsewhere, and the team has no channel where people could read and answer. */
  | { readonly code: "no_mirror"; readonly team: string; readonly fix: string }
  | { readonly code: "not_a_member"; readonly team: string; readonly group: string }
  | { readonly code: "guest" }
  /** Accounts of that place cannot be linked here. */
  | { readonly code: "nothing_to_link"; readonly provider: LinkPlace }
  /** What was said has a code in it that links accounts. */
  | { readonly code: "code_here" }
  /** Policy wants an account elsewhere linked first. `rule`: where it says so. */
  | {
      readonly code: "not_linked";
      readonly provider: LinkPlace;
      readonly rule: string;
      readonly what: "words" | "answer";
    }
  /** In a direct message: in none of the policy's teams. */
  | { readonly code: "no_membership" }
  /** A choice whose words are not kept any more, or were not theirs. */
  | { readonly code: "stale_menu" }
  | { readonly code: "already_chosen"; readonly team: string }
  | { readonly code: "shared_channel" }
  | { readonly code: "directory_unavailable" }
  | { readonly code: "policy_unavailable"; readonly problem: string }
  | { readonly code: "no_repository"; readonly choices: readonly string[] }
  | { readonly code: "unknown_repository"; readonly repo: string; readonly choices: readonly string[] }
  /** Of a recipe: how it is asked for, and every field that does not fit. */
  | {
      readonly code: "recipe_fields";
      readonly recipe: string;
      readonly usage: string;
      readonly problems: readonly string[];
    }
  | { readonly code: "other_teams_recipe"; readonly recipe: string; readonly team: string }
  | { readonly code: "unknown_recipe"; readonly name: string; readonly near: string }
  | { readonly code: "no_run_here" }
  | { readonly code: "no_such_run"; readonly number: number }
  | { readonly code: "run_over"; readonly number: number; readonly state: string }
  | { readonly code: "not_yours_to_stop"; readonly requester: string }
  /** `from`: the groups that may answer. */
  | { readonly code: "not_yours_to_ask_again"; readonly requester: string; readonly from: readonly string[] }
  | { readonly code: "unknown_approval" }
  | {
      readonly code: VoteRefusal;
      /** The groups that may answer: "group:leads". */
      readonly from: readonly string[];
      /** "teams/shop.yaml:9:5". */
      readonly rule: string;
      /** Who decided and when, for "already_decided"; the unlinked author, for "author_unlinked". */
      readonly who: string | null;
      readonly at: Date | null;
      readonly status: string;
    }
  /** Nobody was named. `from` and `rule` as above. */
  | { readonly code: DelegationRefusal; readonly from: readonly string[]; readonly rule: string };

export type RefusalCode = Refusal["code"];

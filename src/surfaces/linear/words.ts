import type { VoteRefusal } from "#runs/approval.ts";
import type { DelegationRefusal } from "#runs/delegation.ts";
import type { LinkRefusal, NotLinked } from "#runs/linkable.ts";
import type { Refusal, RefusalCode } from "#runs/refusal.ts";
import { listed, some } from "#surfaces/slack/cards/text.ts";
import { code, said } from "./text.ts";

/** What is only done in Slack is only refused there. */
type Elsewhere =
  | VoteRefusal
  | DelegationRefusal
  | "stale_menu"
  | "already_chosen"
  | "no_membership"
  | "not_yours_to_ask_again"
  | "unknown_approval"
  | "nothing_to_link";
type Here = Exclude<RefusalCode, Elsewhere>;
type Of<C extends RefusalCode> = Refusal & { readonly code: C };

const repositories = (choices: readonly string[]): string =>
  choices.length === 0
    ? "(none: this team's policy names no repository)"
    : listed(
        some(
          choices.map((one) => code(one, 120)),
          10,
        ),
        "or",
      );

/** What stopped it, then what to do. A new code does not compile until it has words. */
const WORDS: { readonly [C in Here]: (refusal: Of<C>) => string } = {
  no_mapping: ({ fix }) =>
    `This ticket's team belongs to no team of the policy, so nothing was started. Whoever keeps the policy can change that with this line: ${code(fix, 600)}.`,
  no_mirror: ({ team, fix }) =>
    `Runs from tickets are answered in Slack, and team ${said(team)} has no channel there, so nothing was started. Whoever keeps the policy can change that with this line: ${code(fix, 600)}.`,
  not_a_member: ({ team, group }) =>
    `You are not in ${said(group.replace(/^group:/, ""), 80)}, so you cannot start work for team ${said(team)}. Ask to be added to that group, or have a member delegate the ticket.`,
  guest: () =>
    "Only full members of the Slack workspace may ask. Guests and apps may not. Have a member delegate the ticket.",
  shared_channel: () =>
    "The channel in Slack where people would answer is shared with another organisation, so nothing is started from tickets of this team.",
  directory_unavailable: () =>
    "Slack could not tell us who you are or who is in the group, so nothing was done. Say it again in a minute.",
  policy_unavailable: ({ problem }) =>
    `The policy cannot be read, so everything is refused until it can: ${said(problem, 600)}. Whoever keeps the policy has to mend it; then say it again.`,
  no_repository: ({ choices }) =>
    `It is not clear which repository is meant, and we do not guess. Answer with one of ${repositories(choices)}, for example ${code(`repo=${choices[0] ?? "owner/name"}`)}.`,
  unknown_repository: ({ repo, choices }) =>
    `This ticket's team may not ask about ${code(repo)}. Answer with one of ${repositories(choices)}, for example ${code(`repo=${choices[0] ?? "owner/name"}`)}.`,
  recipe_fields: ({ recipe, usage, problems }) =>
    `Nothing was started, because the recipe ${code(recipe, 80)} needs other words: ${some(
      problems.map((one) => said(one)),
      8,
    ).join("; ")}. Ask for it as ${code(usage, 300)}.`,
  other_teams_recipe: ({ recipe, team }) =>
    `The recipe ${code(recipe, 80)} belongs to team ${said(team, 60)}, so nothing was started.`,
  unknown_recipe: ({ name, near }) =>
    `There is no recipe ${code(name, 80)} here, so nothing was started. If you mean ${code(near, 80)}, ask again with that name.`,
  no_run_here: () => "No run belongs to this session.",
  no_such_run: ({ number }) => `There is no run ${number}.`,
  run_over: ({ number, state }) =>
    `Run ${number} is over (${said(state.replaceAll("_", " "))}). Say what to do next to start another.`,
  code_here: () =>
    "There is a code in the ticket's text that links accounts, so nothing was started. Take it out of the text.",
  not_linked: ({ provider, rule }) =>
    `Policy wants your ${provider === "github" ? "GitHub" : "Linear"} account linked first (${code(rule, 160)}), so nothing was added. Say ${code(`link ${provider}`)} to us in Slack, then say it again.`,
  not_yours_to_stop: ({ requester }) =>
    `Only ${said(requester, 60)}, the other authors and this run's approvers may stop it, so it goes on. Ask one of them.`,
};

/** The refusal in words. */
export function words(refusal: Refusal): string {
  const say = (WORDS as Partial<Record<RefusalCode, (refusal: Refusal) => string>>)[refusal.code];
  return say?.(refusal) ?? "That is done in Slack: say it in the run's thread there.";
}

/** Answers to these go on where the words stopped. */
export const WAITS_FOR_WORDS: ReadonlySet<RefusalCode> = new Set([
  "no_repository",
  "unknown_repository",
  "recipe_fields",
]);

const LINK_WORDS: Readonly<Record<Exclude<LinkRefusal, "theirs">, string>> = {
  code_bad: "That is no code of ours, or something of it is missing, so nothing was linked.",
  code_late: "That code has expired, so nothing was linked. A code is good for ten minutes.",
  code_used: "That code was used before, and each works once, so nothing was linked.",
  sign_in:
    "Accounts are linked by signing in to Linear here, and not by what is written, so nothing was linked. What you wrote could be read here, so that it is good for nothing any more.",
  elsewhere: "Your account is of another workspace than the one we work with, so nothing was linked.",
  another:
    "Whoever made that code has linked another account here, so nothing was linked. They can say `unlink linear` to us in Slack first.",
  guest: "Whoever made that code is no full member of the Slack workspace, so nothing was linked.",
  directory_unavailable:
    "Slack could not tell us whose code that is, so nothing was linked. Write it again in a minute.",
};

/** Why a code linked nothing. `account`: the id of whoever wrote it. */
export const notLinkedWords = ({ refused, holder }: NotLinked, account: string): string =>
  refused === "theirs"
    ? `Your account here is linked with ${holder === null ? "somebody else" : said(holder, 60)} in Slack already, so nothing was linked. They can say \`unlink linear\` to us there. If they do not, ask whoever runs this service for ${code(`countersign unlink linear ${account}`, 200)}.`
    : LINK_WORDS[refused];

export const linkedWords = ({ name }: { readonly name: string }): string =>
  `Your account is linked with ${said(name, 60)} in Slack. \`unlink linear\` there takes it back.`;

const LINK_WAYS = {
  code: "You get a code that only you see; write it here within ten minutes.",
  sign_in: "You get a link that only you see; it leads to Linear, where you sign in, and is good for ten minutes.",
} as const;

/** What whoever is not linked does. */
export const howToLink = (by: keyof typeof LINK_WAYS): string =>
  `Say \`link linear\` to us in Slack (mention us, or write us a direct message). ${LINK_WAYS[by]}`;

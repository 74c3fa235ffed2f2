import type { VoteRefusal } from "#runs/approval.ts";
import type { Refusal, RefusalCode } from "#runs/refusal.ts";
import { EGRESS_REASONS, POLICY_REASONS } from "#surfaces/reasons.ts";
import { PLACES } from "./cards/accounts.ts";
import { code, groupName, inUtc, listed, said, sentence, some } from "./cards/text.ts";

type Of<C extends RefusalCode> = Refusal & { readonly code: C };

/**
 * What we say when we say no: what stopped it, then what to do. mrkdwn, already safe.
 * A new code does not compile until it has words.
 */
const WORDS: { readonly [C in RefusalCode]: (refusal: Of<C>) => string } = {
  no_mapping: ({ fix }) =>
    `This channel belongs to no team, so nothing was started. Whoever keeps the policy can change that with this line: ${code(fix, 600)}.`,
  no_mirror: ({ team, fix }) =>
    `Team ${said(team)} has no channel where people could answer, so nothing was started. Whoever keeps the policy can change that with this line: ${code(fix, 600)}.`,
  nothing_to_link: ({ provider }) =>
    `Accounts of ${PLACES[provider]} cannot be linked here: that is not configured. Whoever runs this service can change that.`,
  code_here: () =>
    "Your message has a code in it that links accounts, so it was passed to nobody. Write the code where its card says; if others could read it here, say link for another and let this one expire.",
  not_linked: ({ provider, rule: at, what }) =>
    `Policy wants your ${PLACES[provider]} account linked first (rule ${code(at)}), so ${what === "answer" ? "your yes was not counted" : "your words were not passed on"}. Say ${code(`link ${provider}`)} to me, then ${what === "answer" ? "answer" : "say it"} again.`,
  not_a_member: ({ team, group }) =>
    `You are not in ${groups([group])}, so you cannot start work for team ${said(team)} here. Ask in your own team's channel, or ask to be added to that group.`,
  guest: () =>
    "Only full members of this workspace may ask or decide. Guests and apps may not. Ask a member to do it for you.",
  no_membership: () =>
    "You are in none of the teams that policy knows, so nothing was started. Ask to be added to your team's group, then write again.",
  stale_menu: () =>
    "This choice is not open any more, so nothing was started. Write your request again to get a new one.",
  already_chosen: ({ team }) =>
    `You chose team ${said(team, 60)} for this message already, and that stands. Write your request again to ask for another team.`,
  shared_channel: () =>
    "This channel is shared with another organisation, so nothing is started here. Ask in a channel of your own workspace.",
  directory_unavailable: () =>
    "Slack could not tell us who you are or who is in the group, so nothing was done. Try again in a minute.",
  policy_unavailable: ({ problem }) =>
    `The policy cannot be read, so everything is refused until it can: ${sentence(problem, 600)} Whoever keeps the policy has to mend it; then ask again.`,
  no_repository: ({ choices }) =>
    `It is not clear which repository you mean, and we do not guess. Ask again with one of: ${repositories(choices)}. For example ${code(`repo=${choices[0] ?? "owner/name"} your request`)}.`,
  unknown_repository: ({ repo, choices }) =>
    `This channel's team may not ask about ${code(repo)}. Ask in the channel of the team that owns it, or ask here about ${repositories(choices)}.`,
  recipe_fields: ({ recipe, usage, problems }) =>
    `Nothing was started, because the recipe ${code(recipe, 80)} needs other words: ${some(
      problems.map((one) => said(one, 200)),
      8,
    ).join("; ")}. Ask for it as ${code(usage, 300)}.`,
  other_teams_recipe: ({ recipe, team }) =>
    `The recipe ${code(recipe, 80)} belongs to team ${said(team, 60)}, so nothing was started. Ask for it in that team's channel.`,
  unknown_recipe: ({ name, near }) =>
    `There is no recipe ${code(name, 80)} here, so nothing was started. If you mean ${code(near, 80)}, ask again with that name; to ask in your own words, begin with ${code("new")}.`,
  no_run_here: () => "There is no run in this thread. Say it in the thread of the run you mean.",
  no_such_run: ({ number }) => `There is no run ${number}. Say ${code("mine")} for a list of yours.`,
  run_over: ({ number, state }) =>
    `Run ${number} is over (${said(state.replaceAll("_", " "))}). Mention me with a new request to start another.`,
  not_yours_to_stop: ({ requester }) =>
    `Only ${said(requester, 60)}, the other authors and this run's approvers may stop it. Ask one of them.`,
  not_yours_to_ask_again: ({ requester, from }) =>
    `Only ${said(requester, 60)}, the other authors and ${groups(from)} may have this asked again. Ask one of them.`,
  unknown_approval: () =>
    "This question is not known here any more, so nothing was done. What is asked now is on the newest card of the run's thread.",
  already_decided: (vote) =>
    `This is already ${said(vote.status)}${by(vote)}. Nothing is left to do here; the thread shows what came of it.`,
  stale: () =>
    "This request changed after the card was shown, so your answer was not counted. Answer the newest card in the thread.",
  expired: () =>
    "This question expired before you answered, so nothing was done. Press Ask again on the card to put it anew.",
  own_run: (vote) =>
    `You asked for this run or added to it, so your own answer does not count (${rule(vote)}). Somebody else from ${groups(vote.from)} has to decide.`,
  author_unlinked: (vote) =>
    `${vote.who === null ? "An author of this run" : said(vote.who, 60)} has no account known here, so we cannot tell that you are not the same person. Your answer was not counted. Ask for the run again, without their words.`,
  not_an_approver: (vote) =>
    `You are not an approver here, so your answer does not count. It needs somebody from ${groups(vote.from)} (${rule(vote)}), in the group both when it was asked and now. Ask one of them.`,
  already_voted: () => "You have answered this already; one person counts once. It waits for the others.",
  step_up: (vote) =>
    `This question asks for more proof of who you are than a chat account, and this version knows people by their chat account only. Your yes was not counted; a no would be. Whoever keeps the policy can change ${code("assurance")} (${rule(vote)}).`,
  not_delegable: (vote) =>
    `Nobody may answer this in your place (${rule(vote)}). Answer it yourself, or ask somebody else of ${groups(vote.from)}.`,
  already_delegated: () =>
    "You have named somebody for this question already, and one place has one holder. The card says who it is.",
  delegate_self: () => "That is you. Answer on the card, or name somebody else.",
  delegate_is_author: () =>
    "They asked for this run or added to it, so they cannot decide about it, in nobody's place. Name somebody else.",
  delegate_may_answer: () =>
    "They may answer this themselves already, so your place would be lost. Name somebody else.",
  delegate_voted: () => "They have answered this already; one person counts once. Name somebody else.",
  no_such_delegate: () =>
    `I did not understand who is meant, or they are no full member here. Mention one person: ${code("delegate to @name")}.`,
  nothing_asked: () => "Nothing is asked in this thread, so there is nothing to hand over.",
};

/** The refusal in words: mrkdwn with everything foreign escaped. */
export function words(refusal: Refusal): string {
  const say = WORDS[refusal.code] as (refusal: Refusal) => string;
  return say(refusal);
}

type Voted = Of<VoteRefusal>;

const groups = (from: readonly string[]): string =>
  listed(
    from.map((one) => said(groupName(one), 80)),
    "or",
  ) || "nobody";

const rule = (vote: Pick<Voted, "rule">): string => (vote.rule === "" ? "no rule" : `rule ${code(vote.rule)}`);

const by = (vote: Voted): string =>
  `${vote.who === null ? "" : ` by ${said(vote.who, 60)}`}${vote.at === null ? "" : ` at ${inUtc(vote.at)}`}`;

const repositories = (choices: readonly string[]): string =>
  choices.length === 0
    ? "(none: this team's policy names no repository)"
    : listed(
        some(
          choices.map((choice) => code(choice, 120)),
          10,
        ),
        "or",
      );

/** Why a host was refused. An unknown reason is shown as it is. */
export const egressReason = (reason: string): string => EGRESS_REASONS[reason] ?? said(reason.replaceAll("_", " "));

/** Why policy said no. */
export const policyReason = (reason: string | null): string =>
  reason === null ? "it is denied" : (POLICY_REASONS[reason] ?? said(reason.replaceAll("_", " "), 120));

/** What a person's own act did. */
export const NOTED = {
  approved: "Your approval is recorded.",
  denied: "Your denial is recorded, with your reason.",
  stopping: "Stopping. The thread says when everything has ended.",
  asked_again: "The question is asked again, with a new card in the thread.",
  queued: "Noted. The agent reads it at its next turn.",
  delegated: "Whoever you named may answer in your place now. The card says so, and they are called in the thread.",
} as const;

/** Our own failure, to the person who waits. */
export const TROUBLE = {
  again: "Something failed on our side. It is kept, and we try again by ourselves within a minute.",
  forGood: "We could not do this, and have stopped trying. Nothing was changed by it. Please ask again.",
  blocked:
    "Nothing can be done in this workspace now: the app's tokens for it cannot be opened. Whoever runs the app has to bring back their key, or install it here again. Nothing was changed by this.",
} as const;

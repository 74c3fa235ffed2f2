import type { GroupRef } from "#policy/policy.ts";
import type { ApprovalFacts } from "#runs/facts.ts";
import { peopleOf } from "#runs/view.ts";
import { groupName, listed, said, some } from "./text.ts";

/**
 * How the people of a question are called, so that Slack tells them, phones included. Only ids of the right form become a
 * mention. A group that Slack does not know is named. https://docs.slack.dev/messaging/formatting-message-text
 */
type Groups = Readonly<Record<string, GroupRef>>;

/** People called by name one by one; a longer list is cut, and says so. */
const PEOPLE_MOST = 10;

const OWNERS = "codeowners ";

const namedAs = (from: string): string =>
  from.startsWith(OWNERS)
    ? `the code owners ${said(from.slice(OWNERS.length).replaceAll(" ", ", "), 160)}`
    : said(groupName(from), 80);

function ids(from: string, groups: Groups): { readonly usergroup: string | null; readonly people: readonly string[] } {
  const group = groups[from];
  if (group !== undefined && "slack_usergroup" in group && /^S[A-Z0-9]+$/.test(group.slack_usergroup))
    return { usergroup: group.slack_usergroup, people: [] };
  const people = group !== undefined && "people" in group ? group.people : [];
  return { usergroup: null, people: people.filter((id) => /^[UW][A-Z0-9]+$/.test(id)).map((id) => `<@${id}>`) };
}

/** On the card: "<!subteam^S0LEADS>", "leads (<@U0BO>, <@U0CY>)", "leads". */
export function called(from: string, groups: Groups): string {
  const { usergroup, people } = ids(from, groups);
  if (usergroup !== null) return `<!subteam^${usergroup}>`;
  return people.length === 0 ? namedAs(from) : `${namedAs(from)} (${some(people, PEOPLE_MOST).join(", ")})`;
}

/** Everybody who may answer by now: who was asked, and whom it was escalated to. */
export const mayAnswer = ({ asks, escalated }: Pick<ApprovalFacts, "asks" | "escalated">): readonly string[] => [
  ...new Set([...asks.map(peopleOf), ...escalated.map(({ to }) => to)]),
];

/**
 * In the message's text, which is all that a phone shows of it and all that is left when the blocks are refused. The
 * label is for those who read it unresolved.
 */
export function calledInText(approval: Pick<ApprovalFacts, "asks" | "escalated">, groups: Groups): string {
  const calls = mayAnswer(approval).map((from) => {
    const { usergroup } = ids(from, groups);
    return usergroup === null ? called(from, groups) : `<!subteam^${usergroup}|@${namedAs(from).replaceAll("|", "/")}>`;
  });
  return listed([...new Set(calls)]);
}

/** Ids of what people can press. They are on cards that stay for years: add, never rename. */
export const ACTS = {
  approve: "approve",
  deny: "deny",
  askAgain: "ask_again",
  stop: "stop",
  why: "why",
  chooseTeam: "choose_team",
} as const;

/** The same in the app's Home, where a press comes without a channel. */
export const HOME_ACTS = {
  stop: "home_stop",
  policy: "home_policy",
  link: "home_link",
  unlink: "home_unlink",
} as const;

export const HOME_BUTTONS: readonly string[] = Object.values(HOME_ACTS);

/** Link buttons tell us of their click too; nothing is done about it. */
export const OPEN = {
  run: "open_run",
  pullRequest: "open_pull_request",
  card: "open_card",
  account: "open_account",
} as const;

export const BUTTONS: readonly string[] = Object.values(ACTS);

export const DENY_MODAL = "deny_reason";

/** What a button carries: which question, and which bytes its card showed. Never what policy says of it. */
export interface Asked {
  readonly approvalId: string;
  readonly digest: string;
}

export const packAsked = ({ approvalId, digest }: Asked): string => `${approvalId} ${digest}`;

/** `null` when it is not one of ours. */
export function unpackAsked(value: unknown): Asked | null {
  const match = /^(\S+) (\S+)$/.exec(typeof value === "string" ? value : "");
  return match?.[1] && match[2] ? { approvalId: match[1], digest: match[2] } : null;
}

/** What an option of a choice carries: which words wait, and the team that it stands for. */
export const packChoice = (key: string, team: string): string => `${key} ${team}`;

/** `null` when it is not one of ours. */
export function unpackChoice(value: unknown): { readonly key: string; readonly team: string } | null {
  const match = /^(\S+) (\S+)$/.exec(typeof value === "string" ? value : "");
  return match?.[1] && match[2] ? { key: match[1], team: match[2] } : null;
}

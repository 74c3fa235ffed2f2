import type { PullRequestFacts } from "#runs/pull-facts.ts";
import type { View } from "#runs/view.ts";
import { actions, type Card, card, section } from "./blocks.ts";
import { openPullRequest, openRun } from "./facts.ts";
import { link, said, some } from "./text.ts";

const LINES_MOST = 8;

const VERDICTS: Readonly<Record<PullRequestFacts["reviews"][number]["verdict"], string>> = {
  approved: "approved it",
  changes_requested: "asks for changes",
  commented: "commented",
  dismissed: "had a review dismissed",
};

const CONCLUSIONS: Readonly<Record<PullRequestFacts["forge"][number]["conclusion"], string>> = {
  success: "passed",
  failure: "failed",
  neutral: "ended without a verdict",
  cancelled: "was cancelled",
};

interface Word {
  readonly who: string;
  readonly what: string;
  readonly url: string | null;
  /** Somebody has to look. */
  readonly red: boolean;
}

/** What reviewers and the forge's own checks say: one short message, edited in place. What needs a look comes first. */
export function forgeCard({ run, facts }: Extract<View, { kind: "forge" }>): Card {
  const { pullRequest } = facts;
  const words = pullRequest === null ? [] : wordsOf(pullRequest);
  const red = words.filter((word) => word.red);
  const plainly = some(
    words.map(({ who, what }) => `${who} ${what}`),
    3,
  );
  const where = pullRequest === null ? said(run.repo, 80) : `${said(pullRequest.repo, 80)} #${pullRequest.number}`;
  const next =
    red.length > 0 ? "Look at what is red, and ask here for what is to change." : "It waits for a person to merge it.";
  return card(`Pull request ${where}: ${plainly.join(", ")}. ${pullRequest?.state === "open" ? next : ""}`, [
    section(
      `*Said of pull request ${pullRequest === null ? where : link(pullRequest.url, `${pullRequest.repo} #${pullRequest.number}`)}*`,
      ...some(
        words.map(({ who, what, url }) => `${who} ${url === null ? what : link(url, what)}`),
        LINES_MOST,
      ),
    ),
    actions(openPullRequest(run, facts), openRun(run)),
  ]);
}

function wordsOf({ reviews, forge }: PullRequestFacts): readonly Word[] {
  const words = [
    ...forge.map(({ by, conclusion, url }) => ({
      who: said(by, 60),
      what: CONCLUSIONS[conclusion],
      url,
      red: conclusion === "failure" || conclusion === "cancelled",
    })),
    ...reviews.map(({ by, verdict, url }) => ({
      who: said(by, 60),
      what: VERDICTS[verdict],
      url,
      red: verdict === "changes_requested",
    })),
  ];
  return words.toSorted((a, b) => Number(b.red) - Number(a.red));
}

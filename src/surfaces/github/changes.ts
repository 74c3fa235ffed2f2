import { z } from "zod";
import type { PullRequestChange } from "#ports/repo-host.ts";

/** What a delivery says about pull requests, in the port's words, without the id that it gets from the delivery. */
export type Told = Omit<PullRequestChange, "deliveryId">;

const Repository = z.object({ id: z.number(), full_name: z.string(), html_url: z.string() });
const Sender = z.object({ login: z.string() });

const PullRequestEvent = z.object({
  action: z.string(),
  repository: Repository,
  sender: Sender,
  pull_request: z.object({
    number: z.number(),
    html_url: z.string(),
    merged: z.boolean().nullish(),
    merge_commit_sha: z.string().nullish(),
    head: z.object({ sha: z.string() }),
  }),
});

const ReviewEvent = z.object({
  action: z.string(),
  repository: Repository,
  sender: Sender,
  pull_request: z.object({ number: z.number() }),
  review: z.object({
    state: z.string(),
    commit_id: z.string().nullish(),
    html_url: z.string(),
    user: Sender.nullish(),
  }),
});

const CheckSuiteEvent = z.object({
  action: z.string(),
  repository: Repository,
  check_suite: z.object({
    head_sha: z.string(),
    conclusion: z.string().nullish(),
    app: z.object({ id: z.number().nullish(), name: z.string() }).nullish(),
    pull_requests: z
      .array(z.object({ number: z.number(), base: z.object({ repo: z.object({ id: z.number() }) }) }))
      .nullish(),
  }),
});

const READERS: Readonly<Record<string, (payload: unknown, appId: number) => readonly Told[]>> = {
  pull_request: ofPullRequest,
  pull_request_review: ofReview,
  check_suite: ofCheckSuite,
};

/**
 * What a delivery says about pull requests; nothing of what is about something else. `appId` is ours: what we reported
 * ourselves is no news. Throws on a payload that is not what GitHub documents.
 */
export function changesIn(event: string, payload: unknown, appId: number): readonly Told[] {
  return Object.hasOwn(READERS, event) ? (READERS[event]?.(payload, appId) ?? []) : [];
}

function ofPullRequest(payload: unknown): readonly Told[] {
  const { action, repository, sender, pull_request: pull } = PullRequestEvent.parse(payload);
  const of = { repo: repository.full_name, number: pull.number, by: sender.login, url: pull.html_url };
  if (action === "closed" && pull.merged === true)
    return [{ ...of, kind: "merged", oid: pull.merge_commit_sha ?? null }];
  if (action === "closed" || action === "reopened") {
    return [{ ...of, kind: action, oid: action === "reopened" ? pull.head.sha : null }];
  }
  return [];
}

const VERDICTS: Readonly<Record<string, NonNullable<Told["verdict"]>>> = {
  approved: "approved",
  changes_requested: "changes_requested",
  commented: "commented",
  dismissed: "dismissed",
};

function ofReview(payload: unknown): readonly Told[] {
  const { action, repository, sender, pull_request: pull, review } = ReviewEvent.parse(payload);
  const verdict = VERDICTS[review.state.toLowerCase()];
  if ((action !== "submitted" && action !== "dismissed") || verdict === undefined) return [];
  return [
    {
      repo: repository.full_name,
      number: pull.number,
      kind: "reviewed",
      // Who dismisses a review is not its author; the word that stands is the author's.
      by: review.user?.login ?? sender.login,
      verdict: action === "dismissed" ? "dismissed" : verdict,
      oid: review.commit_id ?? null,
      url: review.html_url,
    },
  ];
}

/** docs.github.com, "Get a check suite". What is not here ("action_required", "skipped", "stale") says neither yes nor no. */
const CONCLUSIONS: Readonly<Record<string, NonNullable<Told["conclusion"]>>> = {
  success: "success",
  failure: "failure",
  timed_out: "failure",
  startup_failure: "failure",
  cancelled: "cancelled",
};

function ofCheckSuite(payload: unknown, appId: number): readonly Told[] {
  const { action, repository, check_suite: suite } = CheckSuiteEvent.parse(payload);
  if (action !== "completed" || suite.app?.id === appId) return [];
  const here = (suite.pull_requests ?? []).filter(({ base }) => base.repo.id === repository.id);
  return here.map(({ number }) => ({
    repo: repository.full_name,
    number,
    kind: "checked",
    by: suite.app?.name ?? "a GitHub App",
    conclusion: CONCLUSIONS[suite.conclusion ?? ""] ?? "neutral",
    oid: suite.head_sha,
    url: `${repository.html_url}/commit/${suite.head_sha}/checks`,
  }));
}

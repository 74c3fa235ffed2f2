import type { PullRequestWord } from "#ports/repo-host.ts";
import { type Access, type Permissions, partsOf } from "./access.ts";
import { told } from "./failures.ts";

/** Reads what others say; nothing of it is ours to change. */
const WORDS: Permissions = { checks: "read", metadata: "read", pull_requests: "read" };

const VERDICTS: Readonly<Record<string, NonNullable<PullRequestWord["verdict"]>>> = {
  APPROVED: "approved",
  CHANGES_REQUESTED: "changes_requested",
  COMMENTED: "commented",
  DISMISSED: "dismissed",
};

type Conclusion = NonNullable<PullRequestWord["conclusion"]>;

/** As the webhooks' reader has it (surfaces/github/changes.ts); what is not here says neither yes nor no. */
const CONCLUSIONS: Readonly<Record<string, Conclusion>> = {
  success: "success",
  failure: "failure",
  timed_out: "failure",
  startup_failure: "failure",
  cancelled: "cancelled",
};
/** The worst first: it is what an App says of a commit in all. */
const WORST: readonly Conclusion[] = ["failure", "cancelled", "neutral", "success"];

/** The last word of each reviewer, and of each App whose checks of the head are all over; of ours none. */
export async function readWords(
  access: Access,
  ours: { readonly appId: number; readonly webUrl: string },
  repo: string,
  number: number,
): Promise<readonly PullRequestWord[]> {
  const api = await access.client(repo, WORDS);
  const at = partsOf(repo);
  return told(`to hear what is said of ${repo}#${number}`, async () => {
    const { data: pull } = await api.rest.pulls.get({ ...at, pull_number: number });
    const reviews = await api.paginate(api.rest.pulls.listReviews, { ...at, pull_number: number, per_page: 100 });
    const oid = pull.head.sha;
    const runs = await api.paginate(api.rest.checks.listForRef, { ...at, ref: oid, filter: "latest", per_page: 100 });

    const words = new Map<string, PullRequestWord>();
    for (const { state, user, commit_id, html_url } of reviews) {
      const verdict = VERDICTS[state];
      if (verdict === undefined || user === null) continue;
      // Removed first: the order is that of the last words.
      words.delete(user.login);
      words.set(user.login, { repo, number, kind: "reviewed", by: user.login, verdict, oid: commit_id, url: html_url });
    }
    const others = Map.groupBy(
      runs.filter(({ app }) => app !== null && app.id !== ours.appId),
      ({ app }) => app?.name ?? "",
    );
    const checked = [...others].flatMap(([by, all]): PullRequestWord[] => {
      if (all.some((run) => run.status !== "completed")) return [];
      const said = all.map(({ conclusion }) => CONCLUSIONS[conclusion ?? ""] ?? "neutral");
      const conclusion = WORST.find((one) => said.includes(one)) ?? "neutral";
      const url = `${ours.webUrl}/${repo}/commit/${oid}/checks`;
      return [{ repo, number, kind: "checked", by, conclusion, oid, url }];
    });
    return [...words.values(), ...checked];
  });
}

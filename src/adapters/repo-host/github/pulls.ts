import { isBranch } from "#adapters/repo-host/names.ts";
import { type PullRequest, type PullRequestText, RepoHostError } from "#ports/repo-host.ts";
import { type Access, PULLS, partsOf, READY } from "./access.ts";
import { failureOf, told } from "./failures.ts";

/** GitHub's own bounds: a body is stored in 65,536 characters, a title in 256. */
const BODY_MOST = 65_536;
const TITLE_MOST = 256;
/** The end of a body is the receipt's address and the run's mark: it stays. */
const BODY_END = 2_000;

interface Answered {
  readonly number: number;
  readonly html_url: string;
  readonly state: string;
  readonly draft?: boolean;
  readonly merged_at: string | null;
  readonly head: { readonly ref: string; readonly sha: string; readonly repo: { readonly id: number } | null };
  readonly base: { readonly ref: string; readonly repo: { readonly id: number } };
}

export function pullOf(repo: string, data: Answered): PullRequest {
  return {
    repo,
    number: data.number,
    url: data.html_url,
    state: data.merged_at === null ? (data.state === "closed" ? "closed" : "open") : "merged",
    draft: data.draft ?? false,
    branch: data.head.ref,
    base: data.base.ref,
    headOid: data.head.sha,
  };
}

/** The newest of this branch of the repository itself: a fork may have a branch of the same name. */
export async function findPull(access: Access, repo: string, branch: string): Promise<PullRequest | null> {
  const api = await access.client(repo, PULLS);
  const parts = partsOf(repo);
  const { data } = await told(`to look for a pull request of ${branch} in ${repo}`, () =>
    api.rest.pulls.list({
      ...parts,
      head: `${parts.owner}:${branch}`,
      state: "all",
      sort: "created",
      direction: "desc",
      per_page: 100,
    }),
  );
  const ours = data.find((pull) => pull.head.ref === branch && pull.head.repo?.id === pull.base.repo.id);
  return ours === undefined ? null : pullOf(repo, ours);
}

/** Looks first: GitHub refuses a second one only while the first is open. */
export async function openPull(
  access: Access,
  of: { repo: string; branch: string; base: string; draft: boolean } & PullRequestText,
): Promise<PullRequest> {
  const { repo, branch, base, draft } = of;
  if (!isBranch(branch) || !isBranch(base) || branch === base)
    throw new RepoHostError("invalid", `there is nothing between ${base} and ${branch} in ${repo}`);
  const before = await findPull(access, repo, branch);
  if (before !== null) throw new RepoHostError("invalid", `${branch} has pull request ${repo}#${before.number}`);
  const api = await access.client(repo, PULLS);
  const { data } = await told(`to open a pull request from ${branch} in ${repo}`, () =>
    api.rest.pulls.create({ ...partsOf(repo), head: branch, base, draft, ...fitted(of) }).catch((error: unknown) => {
      if (/draft pull requests are not supported/i.test(failureOf(error)?.said ?? "")) {
        throw new RepoHostError(
          "denied",
          `${repo} takes no draft pull requests, and a run ends at one: GitHub has them for public repositories and for private ones of a paid plan`,
          { cause: error },
        );
      }
      throw error;
    }),
  );
  return pullOf(repo, data);
}

export async function editPull(access: Access, repo: string, number: number, text: PullRequestText): Promise<void> {
  const api = await access.client(repo, PULLS);
  await told(`to edit ${repo}#${number}`, () =>
    api.rest.pulls.update({ ...partsOf(repo), pull_number: number, ...fitted(text) }),
  );
}

export async function readPull(access: Access, repo: string, number: number): Promise<PullRequest | null> {
  const api = await access.client(repo, PULLS);
  return told(`to look at ${repo}#${number}`, () =>
    api.rest.pulls.get({ ...partsOf(repo), pull_number: number }).then(
      ({ data }) => pullOf(repo, data),
      (error: unknown) => {
        if (failureOf(error)?.status === 404) return null;
        throw error;
      },
    ),
  );
}

const MARK_READY =
  "mutation ($id: ID!) { markPullRequestReadyForReview(input: { pullRequestId: $id }) { pullRequest { isDraft } } }";

/** REST cannot do this; GraphQL can. */
export async function markPullReady(access: Access, repo: string, number: number): Promise<void> {
  const tried = `to take ${repo}#${number} out of draft`;
  const reader = await access.client(repo, PULLS);
  const { data } = await told(tried, () => reader.rest.pulls.get({ ...partsOf(repo), pull_number: number }));
  if (data.draft !== true || data.state !== "open") return;
  const writer = await access.client(repo, READY);
  await told(tried, () =>
    writer.graphql(MARK_READY, { id: data.node_id }).catch((error: unknown) => {
      // GraphQL answers 200 to what it refuses.
      if (!(error instanceof Error) || "status" in error) throw error;
      throw new RepoHostError("denied", `${tried}: GitHub says "${error.message.replace(/\s+/g, " ")}"`, {
        cause: error,
      });
    }),
  );
}

/** What GitHub stores of a text; what is left out is said. */
export function fitted({ title, body }: PullRequestText): PullRequestText {
  const short = title.length <= TITLE_MOST ? title : `${title.slice(0, TITLE_MOST - 1)}…`;
  if (body.length <= BODY_MOST) return { title: short, body };
  const gap = "\n\n… shortened: GitHub keeps 65,536 characters. The run page has the whole of it.\n\n";
  const end = body.slice(-BODY_END);
  return { title: short, body: `${body.slice(0, BODY_MOST - BODY_END - gap.length)}${gap}${end}` };
}

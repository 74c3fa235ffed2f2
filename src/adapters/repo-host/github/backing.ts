import type { ExternalId } from "#ports/directory.ts";
import type { Backing, PolicyForge } from "#ports/policy-forge.ts";
import type { Secret } from "#ports/secret.ts";
import { appAccess, type Permissions, partsOf } from "./access.ts";
import { webUrlOf } from "./addresses.ts";
import { authorsOf, type MergedPull } from "./authors.ts";
import type { Api, Transport } from "./client.ts";
import { told } from "./failures.ts";

/** Reads what protects a branch, and who asked for, wrote and approved what came onto it. */
const REVIEWS: Permissions = { contents: "read", metadata: "read", pull_requests: "read" };
/** A remark on a pull request neither gives nor takes an approval, on GitHub as here. */
const OPINIONS: ReadonlySet<string> = new Set(["APPROVED", "CHANGES_REQUESTED", "DISMISSED"]);

type Place = { readonly owner: string; readonly repo: string };

/**
 * GitHub, or an Enterprise server, as the forge of a policy. A branch is protected when a ruleset lets nothing but pull
 * requests reach it: of a classic protection an App learns only that there is one. `repo`: "owner/name". `accountOf`: the
 * account of a person behind GitHub's number; `null`: nobody vouches for one.
 */
export function githubPolicyForge(o: {
  readonly app: { readonly appId: number; readonly privateKey: Secret };
  readonly transport: Transport;
  readonly repo: string;
  readonly accountOf: (github: number) => Promise<ExternalId | null>;
}): PolicyForge {
  const { repo } = o;
  const webUrl = webUrlOf(o.transport.apiUrl);
  const access = appAccess({ app: o.app, transport: o.transport, webUrl });
  const at = partsOf(repo);
  return {
    async backing(branch, oid) {
      const api = await access.client(repo, REVIEWS);
      const pull = await told(`to see what brought ${oid.slice(0, 12)} into ${repo}`, () =>
        pullBehind(api, at, branch, oid),
      );
      if (pull === null) return null;
      const open = await told(`to see what protects ${branch} of ${repo}`, () => openness(api, at, branch));
      const approved = await told(`to see who approved ${repo}#${pull.number}`, () =>
        approvals(api, at, pull, new URL(webUrl).hostname, o.accountOf),
      );
      return {
        ...approved,
        protected: open === null,
        remarks: [...(open === null || open === "" ? [] : [open]), ...approved.remarks],
      };
    },
  };
}

/**
 * The merged pull request that a commit is the merge of. Not one whose commits are among those it brought: of a branch on
 * top of another's GitHub calls both merged, and a rebase brings states that nobody looked at.
 */
async function pullBehind(api: Api, at: Place, branch: string, oid: string): Promise<MergedPull | null> {
  const all = await api.paginate(api.rest.repos.listPullRequestsAssociatedWithCommit, {
    ...at,
    commit_sha: oid,
    per_page: 100,
  });
  const here = `${at.owner}/${at.repo}`.toLowerCase();
  const merged = all.filter(
    (pull) =>
      pull.merged_at !== null &&
      pull.merge_commit_sha === oid &&
      pull.base.ref === branch &&
      pull.base.repo.full_name.toLowerCase() === here,
  );
  if (merged.length === 0) return null;
  const { data } = await api.rest.git.getCommit({ ...at, commit_sha: oid });
  const [, second, ...more] = data.parents.map((parent) => parent.sha);
  const own = second === undefined ? merged : merged.filter((pull) => pull.head.sha === second && more.length === 0);
  const [first, ...others] = own;
  return first !== undefined && others.every((pull) => pull.head.sha === first.head.sha) ? first : null;
}

/** `null`: nothing but a pull request reaches the branch. Else what there is to say of it beside that. */
async function openness(api: Api, at: Place, branch: string): Promise<string | null> {
  const rules = await api.paginate(api.rest.repos.getBranchRules, { ...at, branch, per_page: 100 });
  if (rules.some((rule) => rule.type === "pull_request")) return null;
  const { data } = await api.rest.repos.getBranch({ ...at, branch });
  if (!data.protected) return "";
  return "GitHub has a protection of another kind there, which does not show whether it requires a pull request: add a ruleset that does";
}

async function approvals(
  api: Api,
  at: Place,
  pull: MergedPull,
  webHost: string,
  accountOf: (github: number) => Promise<ExternalId | null>,
): Promise<Omit<Backing, "protected"> & { readonly remarks: readonly string[] }> {
  const authors = await authorsOf(api, at, pull, webHost);
  if (authors === null) {
    const why = `pull request #${pull.number} has more commits than GitHub lists, so that its authors cannot be told`;
    return { approvedBy: [], remarks: [`${why}: make smaller ones`] };
  }
  const reviews = await api.paginate(api.rest.pulls.listReviews, { ...at, pull_number: pull.number, per_page: 100 });
  const latest = new Map<number, (typeof reviews)[number]>();
  for (const review of [...reviews].sort((a, b) => timeOf(a) - timeOf(b))) {
    if (review.user?.type === "User" && OPINIONS.has(review.state)) latest.set(Number(review.user.id), review);
  }
  const approvedBy: ExternalId[] = [];
  const remarks: string[] = [];
  for (const [id, { user, state, commit_id }] of latest) {
    if (state !== "APPROVED") continue;
    const name = user?.login ?? String(id);
    if (authors.ids.has(id)) remarks.push(`${name} is one of its authors`);
    else if (commit_id !== pull.head.sha) remarks.push(`${name} approved an older commit of #${pull.number}`);
    else {
      const account = await accountOf(id);
      if (account !== null) approvedBy.push(account);
      else {
        const way = `put github: ${id} beside that person in the identity provider's file (COUNTERSIGN_IDP_FILE)`;
        remarks.push(`${name} approved it, and nobody says whose account that is: ${way}`);
      }
    }
  }
  for (const who of authors.unnamed)
    remarks.push(
      `GitHub does not know ${who}, who wrote some of it and may be one of those who approved: one more is needed`,
    );
  return { approvedBy, unnamedAuthors: authors.unnamed.length, remarks };
}

const timeOf = ({ submitted_at }: { submitted_at?: string | null }): number => Date.parse(submitted_at ?? "") || 0;

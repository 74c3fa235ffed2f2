import type { Api } from "./client.ts";

/** A pull request that was merged, as GitHub lists it. */
export interface MergedPull {
  readonly number: number;
  readonly user: { readonly id: number | bigint } | null;
  readonly head: { readonly sha: string };
}

/** Everybody who had a hand in a pull request. */
interface Authors {
  /** GitHub's numbers of their accounts. */
  readonly ids: ReadonlySet<number>;
  /** Those it knows no account of, each once, by their address. */
  readonly unnamed: readonly string[];
}

/** docs.github.com, "List commits on a pull request": no more are listed. */
const COMMITS_MOST = 250;

/**
 * Who opened it, and whoever a commit of it names as author, committer or co-author. `webHost`: GitHub itself commits as
 * noreply@ that host. `null`: it has more commits than are listed.
 */
export async function authorsOf(
  api: Api,
  at: { readonly owner: string; readonly repo: string },
  pull: MergedPull,
  webHost: string,
): Promise<Authors | null> {
  const commits = await api.paginate(api.rest.pulls.listCommits, { ...at, pull_number: pull.number, per_page: 100 });
  if (commits.length >= COMMITS_MOST) return null;
  const ids = new Set<number>();
  const named = new Set([`noreply@${webHost}`]);
  const seen = new Set<string>();
  const note = (account: object | null, email: string | undefined) => {
    const address = (email ?? "an author without an address").toLowerCase();
    const id = account !== null && "id" in account ? Number(account.id) : numberIn(address, webHost);
    seen.add(address);
    if (id === null) return;
    ids.add(id);
    named.add(address);
  };
  if (pull.user === null) seen.add(`whoever opened #${pull.number}`);
  else ids.add(Number(pull.user.id));
  for (const { author, committer, commit } of commits) {
    note(author, commit.author?.email);
    note(committer, commit.committer?.email);
    for (const [, email] of commit.message.matchAll(/^co-authored-by:[^<\n]*<([^>\n]+)>/gim)) note(null, email);
  }
  return { ids, unnamed: [...seen].filter((who) => !named.has(who)) };
}

/** "1024025+bo@users.noreply.github.com" is the address that GitHub gives an account. */
function numberIn(address: string, webHost: string): number | null {
  const [, id] = /^(\d+)\+[^@]+@users\.noreply\.(.+)$/.exec(address.endsWith(`.${webHost}`) ? address : "") ?? [];
  return id === undefined ? null : Number(id);
}

import { cleanGit } from "#adapters/git.ts";
import { isRepositoryName, mustBePush } from "#adapters/repo-host/names.ts";
import { type HostedRepository, type RepoHost, RepoHostError } from "#ports/repo-host.ts";
import type { Secret } from "#ports/secret.ts";
import { appAccess, PUSH, partsOf, READ } from "./access.ts";
import { webUrlOf } from "./addresses.ts";
import { report } from "./checks.ts";
import type { Transport } from "./client.ts";
import { told } from "./failures.ts";
import { editPull, findPull, markPullReady, openPull, readPull } from "./pulls.ts";
import { pushTo } from "./push.ts";
import { askOwners } from "./reviewers.ts";
import { readWords } from "./words.ts";

/** The list answers what a pattern of policy may mean; a new repository may take that long to be seen. */
const LISTED_MS = 60_000;

/**
 * GitHub, or an Enterprise server, as a GitHub App. Every token is of one repository and of what it is for; none is kept
 * anywhere but in memory, and the one that may write code is seen by git alone. Nothing here merges.
 */
export function githubRepoHost(o: {
  readonly app: { readonly appId: number; readonly privateKey: Secret };
  readonly transport: Transport;
  /** An empty folder for git's own files. */
  readonly home: string;
  /** PATH to look for git in. */
  readonly path?: string;
}): RepoHost {
  const webUrl = webUrlOf(o.transport.apiUrl);
  const access = appAccess({ app: o.app, transport: o.transport, webUrl });
  const git = cleanGit({ home: o.home, ...(o.path === undefined ? {} : { path: o.path }) });
  let listed: { all: Promise<readonly HostedRepository[]>; until: number } | null = null;

  const hosted = (data: { full_name: string; default_branch: string }): HostedRepository => ({
    name: data.full_name,
    defaultBranch: data.default_branch,
    cloneUrl: `${webUrl}/${data.full_name}.git`,
    webUrl: `${webUrl}/${data.full_name}`,
  });

  async function mustHave(name: string): Promise<HostedRepository> {
    if (!isRepositoryName(name)) throw new RepoHostError("not_found", `there is no repository ${JSON.stringify(name)}`);
    const api = await access.client(name, READ);
    const { data } = await told(`to look at ${name}`, () => api.rest.repos.get(partsOf(name)));
    // What a run is bound to, and what a webhook says, is compared letter by letter.
    if (data.full_name !== name)
      throw new RepoHostError("not_found", `${name} is called ${data.full_name} on GitHub: write it so in policy`);
    return hosted(data);
  }

  async function list(): Promise<readonly HostedRepository[]> {
    const all: HostedRepository[] = [];
    for (const installation of await access.installations()) {
      if (installation.suspended) continue;
      const api = await access.lister(installation);
      const repositories = await told(`to list the repositories of ${installation.account}`, () =>
        api.paginate(api.rest.apps.listReposAccessibleToInstallation, { per_page: 100 }),
      );
      all.push(...repositories.map(hosted));
    }
    return all;
  }

  return {
    name: "GitHub",
    repositories() {
      if (listed === null || listed.until < Date.now()) {
        const all = list().catch((error: unknown) => {
          listed = null;
          throw error;
        });
        listed = { all, until: Date.now() + LISTED_MS };
      }
      return listed.all;
    },
    async repository(name) {
      return isRepositoryName(name) ? mustHave(name) : null;
    },
    readCredential: (name) => access.token(name, READ),
    async push(to) {
      mustBePush(to);
      const { defaultBranch, cloneUrl } = await mustHave(to.repo);
      if (to.branch === defaultBranch)
        throw new RepoHostError("denied", `${to.branch} is the default branch; only a person moves it`);
      await pushTo({ git, remote: cloneUrl, credential: await access.token(to.repo, PUSH), to });
    },
    findPullRequest: (repo, branch) => findPull(access, repo, branch),
    openPullRequest: (of) => openPull(access, of),
    editPullRequest: (repo, number, text) => editPull(access, repo, number, text),
    pullRequest: (repo, number) => readPull(access, repo, number),
    words: (repo, number) => readWords(access, { appId: o.app.appId, webUrl }, repo, number),
    reportChecks: async (repo, oid, checks) => report(access, await access.slug(), repo, oid, checks),
    requestReview: (repo, number) => askOwners(access, o.transport.log, repo, number),
    markReady: (repo, number) => markPullReady(access, repo, number),
  };
}

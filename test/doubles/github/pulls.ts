import { type Git, gitText } from "#adapters/git.ts";
import { gitDirIn } from "./git-http.ts";
import type { Call, mirror } from "./mirror.ts";

interface Answered {
  readonly status: number;
  readonly data: unknown;
}

interface Pull {
  readonly number: number;
  readonly node_id: string;
  readonly state: string;
  readonly draft: boolean;
  readonly head: { readonly ref: string; readonly sha: string };
  readonly base: { readonly ref: string; readonly sha: string; readonly repo: { readonly full_name: string } };
  readonly requested_reviewers: readonly unknown[];
  readonly requested_teams: readonly unknown[];
  readonly merge_commit_sha: string | null;
}

interface Listed {
  readonly commit: { readonly author: { readonly email: string }; readonly committer: { readonly email: string } };
}

const refused = (message: string): Answered => ({
  status: 422,
  data: { message: "Validation Failed", errors: [{ resource: "PullRequest", code: "custom", message }] },
});

/** What the emulator does not do with pull requests and GitHub does, out of the real repositories. */
export function pullRoutes(o: {
  readonly git: Git;
  readonly root: string;
  readonly call: Call;
  readonly mirrors: ReadonlyMap<string, ReturnType<typeof mirror>>;
  /** "acme/shop main": branches that a ruleset lets nothing but pull requests reach. */
  readonly rulesets: ReadonlySet<string>;
}) {
  const branch = async (repo: string, name: string): Promise<string | null> => {
    const found = await o.git(["rev-parse", "--verify", "--quiet", `refs/heads/${name}`], {
      gitDir: gitDirIn(o.root, repo),
    });
    return found.code === 0 ? found.stdout.toString("utf8").trim() : null;
  };
  const all = async (repo: string) =>
    (await o.call("GET", `/repos/${repo}/pulls?state=all&per_page=100`)) as readonly Pull[];

  /** The emulator makes branches that are missing and opens as many as it is asked for; GitHub does neither. */
  async function mayOpen(repo: string, body: { head?: string; base?: string }): Promise<Answered | null> {
    const { head = "", base = "" } = body;
    const [from, to] = [await branch(repo, head), await branch(repo, base)];
    if (from === null || to === null) {
      const field = from === null ? "head" : "base";
      return {
        status: 422,
        data: { message: "Validation Failed", errors: [{ resource: "PullRequest", field, code: "invalid" }] },
      };
    }
    const range = `${to}..${from}`;
    if ((await gitText(o.git, ["rev-list", "--count", range], { gitDir: gitDirIn(o.root, repo) })) === "0")
      return refused(`No commits between ${base} and ${head}`);
    const open = (await all(repo)).some(
      (pull) => pull.state === "open" && pull.head.ref === head && pull.base.ref === base,
    );
    return open ? refused(`A pull request already exists for ${repo.split("/")[0]}:${head}.`) : null;
  }

  async function files(repo: string, number: number): Promise<Answered> {
    const pull = (await o.call("GET", `/repos/${repo}/pulls/${number}`)) as Pull;
    const range = `${pull.base.ref}...${(await branch(repo, pull.head.ref)) ?? pull.head.sha}`;
    const lines = await gitText(o.git, ["diff", "--numstat", "--no-renames", range], {
      gitDir: gitDirIn(o.root, repo),
    });
    const data = lines
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => {
        const [additions = "0", deletions = "0", filename = ""] = line.split("\t");
        return { filename, status: "modified", additions: Number(additions), deletions: Number(deletions) };
      });
    return { status: 200, data };
  }

  /** The merged pull requests that brought a commit, also one that a merge left as it was. */
  async function behind(repo: string, oid: string): Promise<Answered> {
    const found: Pull[] = [];
    for (const pull of await all(repo)) {
      if (pull.merge_commit_sha === null) continue;
      const range = `${pull.base.sha}..${pull.merge_commit_sha}`;
      const brought = await gitText(o.git, ["rev-list", range], { gitDir: gitDirIn(o.root, repo) });
      if (brought.split("\n").includes(oid)) found.push(pull);
    }
    return { status: 200, data: found };
  }

  /** With the account that an address "login@example.com" is of. */
  async function commits(repo: string, number: string, query: URLSearchParams): Promise<Answered> {
    const listed = (await o.call("GET", `/repos/${repo}/pulls/${number}/commits?${query}`)) as readonly Listed[];
    const account = async ({ email }: { email: string }) =>
      o.call("GET", `/users/${email.replace(/@example\.com$/, "")}`).catch(() => null);
    const data: unknown[] = [];
    for (const one of listed) {
      const [author, committer] = [await account(one.commit.author), await account(one.commit.committer)];
      data.push({ ...one, author, committer });
    }
    return { status: 200, data };
  }

  return {
    branch,
    /** `null`: the emulator answers as GitHub would. */
    async answer(
      method: string,
      target: string,
      query: URLSearchParams,
      body: unknown,
      plain: () => Promise<Answered>,
    ): Promise<Answered | null> {
      const [, repo = "", rest = ""] = /^\/repos\/([^/]+\/[^/]+)\/(.+)$/.exec(target) ?? [];
      const [, number = "", what] = /^pulls\/(\d+)(?:\/(\w+))?$/.exec(rest) ?? [];
      if (method === "POST" && rest === "pulls") return mayOpen(repo, body as { head?: string });
      if (method === "GET" && what === "files") {
        return query.get("page") === "2" ? { status: 200, data: [] } : files(repo, Number(number));
      }
      const [, oid] = /^commits\/([0-9a-f]{40})\/pulls$/.exec(rest) ?? [];
      if (method === "GET" && oid !== undefined) return behind(repo, oid);
      if (method === "GET" && what === "commits") return commits(repo, number, query);
      const [, ruled] = /^rules\/branches\/(.+)$/.exec(rest) ?? [];
      if (method === "GET" && ruled !== undefined)
        return { status: 200, data: o.rulesets.has(`${repo} ${ruled}`) ? [{ type: "pull_request" }] : [] };
      if (method === "GET" && what === "requested_reviewers") {
        const pull = (await o.call("GET", `/repos/${repo}/pulls/${number}`)) as Pull;
        return { status: 200, data: { users: pull.requested_reviewers, teams: pull.requested_teams } };
      }
      const commit =
        /^check-runs$/.test(rest) && method === "POST" ? (body as { head_sha?: string }).head_sha : undefined;
      if (commit !== undefined) {
        const there = await o.git(["cat-file", "-e", `${commit}^{commit}`], { gitDir: gitDirIn(o.root, repo) });
        if (there.code !== 0) return { status: 422, data: { message: `No commit found for SHA: ${commit}` } };
      }
      return plain();
    },
    /** An open one as its branch is now: the emulator keeps the commit it was opened at. */
    current(data: Record<string, unknown>): unknown {
      const pull = data as unknown as Partial<Pull>;
      const repo = pull.base?.repo?.full_name;
      if (repo === undefined || pull.head === undefined || pull.state !== "open") return data;
      const sha = o.mirrors.get(repo)?.branches().get(`refs/heads/${pull.head.ref}`) ?? pull.head.sha;
      return { ...data, head: { ...pull.head, sha } };
    },
    async ready(nodeId: string): Promise<void> {
      for (const repo of o.mirrors.keys()) {
        const pull = (await all(repo)).find((one) => one.node_id === nodeId);
        if (pull) await o.call("PATCH", `/repos/${repo}/pulls/${pull.number}`, { draft: false });
      }
    },
    /** A person presses Ready for review, then Merge. */
    async merge(repo: string, number: number, person: Call): Promise<void> {
      const at = `/repos/${repo}/pulls/${number}`;
      await person("PATCH", at, { draft: false });
      await person("PUT", `${at}/merge`, {});
      const merged = (await person("GET", at)) as Pull;
      await o.mirrors.get(repo)?.bring(merged.merge_commit_sha ?? "", merged.base.ref);
    },
  };
}

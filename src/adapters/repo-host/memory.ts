import type {
  CheckReport,
  HostedRepository,
  PullRequest,
  PullRequestChange,
  PullRequestText,
  PullRequestWord,
  RepoHost,
} from "#ports/repo-host.ts";
import { RepoHostError } from "#ports/repo-host.ts";
import { isRepositoryName, mustBePush } from "./names.ts";

interface Kept {
  readonly repository: HostedRepository;
  readonly branches: Map<string, string>;
  readonly pulls: { pull: PullRequest; text: PullRequestText }[];
  readonly checks: Map<string, Map<string, CheckReport>>;
  readonly words: PullRequestWord[];
  owners: readonly string[];
}

/** What a person does on the host's own pages, and what can be read there. Not part of the port. */
export interface MemoryRepoHost extends RepoHost {
  /** Commit of a branch, or `null`. */
  branch(repo: string, branch: string): string | null;
  textOf(repo: string, number: number): PullRequestText | null;
  checksOf(repo: string, oid: string): readonly CheckReport[];
  /** Every push that moved a branch, oldest first. */
  readonly pushes: readonly { repo: string; branch: string; oid: string }[];
  /** The repository names these for whatever changes; each is asked once for a pull request. */
  own(repo: string, owners: readonly string[]): void;
  /** Whose review was asked for, oldest first: once for each time that somebody was. */
  readonly asked: readonly { repo: string; number: number; who: string }[];
  /** Resolves when `onChange` has. Throws "invalid" when the pull request is not open. */
  act(repo: string, number: number, kind: "merged" | "closed", by: string): Promise<void>;
  /** A person reviews, or checks of others are over. Nobody is told: whoever wants to know asks. */
  say(word: PullRequestWord): void;
}

/** Keeps repositories, branches and pull requests in a Map; a push is believed, no git runs. For tests. */
export function memoryRepoHost(o: {
  repositories: readonly { name: string; defaultBranch: string; oid: string; cloneUrl?: string }[];
  onChange?: (change: PullRequestChange) => Promise<void>;
}): MemoryRepoHost {
  const kept = new Map<string, Kept>();
  const pushes: { repo: string; branch: string; oid: string }[] = [];
  const asked: { repo: string; number: number; who: string }[] = [];
  let changes = 0;
  for (const { name, defaultBranch, oid, cloneUrl } of o.repositories) {
    const webUrl = `memory://${name}`;
    kept.set(name, {
      repository: { name, defaultBranch, cloneUrl: cloneUrl ?? webUrl, webUrl },
      branches: new Map([[defaultBranch, oid]]),
      pulls: [],
      checks: new Map(),
      words: [],
      owners: [],
    });
  }

  function mustHave(name: string): Kept {
    const found = isRepositoryName(name) ? kept.get(name) : undefined;
    if (found === undefined) throw new RepoHostError("not_found", `there is no repository ${JSON.stringify(name)}`);
    return found;
  }

  function mustHavePull(repo: string, number: number) {
    const found = kept.get(repo)?.pulls.find(({ pull }) => pull.number === number);
    if (found === undefined) throw new RepoHostError("not_found", `${repo} has no pull request ${number}`);
    return found;
  }

  const seen = (home: Kept, pull: PullRequest): PullRequest =>
    pull.state === "open" ? { ...pull, headOid: home.branches.get(pull.branch) ?? pull.headOid } : pull;

  return {
    name: "memory",
    pushes,
    asked,
    async repositories() {
      return [...kept.values()].map(({ repository }) => repository);
    },
    async repository(name) {
      return kept.get(name)?.repository ?? null;
    },
    async readCredential() {
      return null;
    },
    async push(to) {
      const { branches, repository } = mustHave(to.repo);
      mustBePush(to);
      if (to.branch === repository.defaultBranch)
        throw new RepoHostError("denied", `${to.branch} is the default branch; only a person moves it`);
      const at = branches.get(to.branch) ?? null;
      if (at === to.oid) return;
      if (at !== to.expected) throw new RepoHostError("stale", `${to.branch} is at ${at ?? "no commit"}`);
      branches.set(to.branch, to.oid);
      pushes.push({ repo: to.repo, branch: to.branch, oid: to.oid });
    },
    async findPullRequest(repo, branch) {
      const home = mustHave(repo);
      const found = home.pulls.findLast(({ pull }) => pull.branch === branch);
      return found === undefined ? null : seen(home, found.pull);
    },
    async openPullRequest({ repo, branch, base, draft, title, body }) {
      const home = mustHave(repo);
      if (home.pulls.some(({ pull }) => pull.branch === branch))
        throw new RepoHostError("invalid", `${branch} has a pull request`);
      const headOid = home.branches.get(branch);
      if (headOid === undefined || !home.branches.has(base) || branch === base)
        throw new RepoHostError("invalid", `there is nothing between ${base} and ${branch}`);
      const number = home.pulls.length + 1;
      const url = `${home.repository.webUrl}/pull/${number}`;
      const pull: PullRequest = { repo, number, url, state: "open", draft, branch, base, headOid };
      home.pulls.push({ pull, text: { title, body } });
      return pull;
    },
    async editPullRequest(repo, number, { title, body }) {
      mustHavePull(repo, number).text = { title, body };
    },
    async pullRequest(repo, number) {
      const home = mustHave(repo);
      const found = home.pulls.find(({ pull }) => pull.number === number);
      return found === undefined ? null : seen(home, found.pull);
    },
    async words(repo, number) {
      const { pull } = mustHavePull(repo, number);
      const { headOid } = seen(mustHave(repo), pull);
      const said = mustHave(repo).words.filter(
        (one) => one.number === number && (one.kind === "reviewed" || one.oid === headOid),
      );
      const last = said.filter(
        (one, index) => !said.slice(index + 1).some(({ kind, by }) => kind === one.kind && by === one.by),
      );
      return [...last.filter(({ kind }) => kind === "reviewed"), ...last.filter(({ kind }) => kind === "checked")];
    },
    async reportChecks(repo, oid, checks) {
      const home = mustHave(repo);
      const reports = home.checks.get(oid) ?? new Map<string, CheckReport>();
      for (const check of checks) reports.set(check.name, check);
      home.checks.set(oid, reports);
    },
    async requestReview(repo, number) {
      mustHavePull(repo, number);
      const { owners } = mustHave(repo);
      for (const who of owners) {
        const before = asked.some((one) => one.repo === repo && one.number === number && one.who === who);
        if (!before) asked.push({ repo, number, who });
      }
      return owners;
    },
    async markReady(repo, number) {
      const found = mustHavePull(repo, number);
      if (found.pull.state === "open") found.pull = { ...found.pull, draft: false };
    },
    say(word) {
      mustHavePull(word.repo, word.number);
      mustHave(word.repo).words.push(word);
    },
    own: (repo, owners) => {
      mustHave(repo).owners = owners;
    },
    branch: (repo, branch) => kept.get(repo)?.branches.get(branch) ?? null,
    textOf: (repo, number) => kept.get(repo)?.pulls.find(({ pull }) => pull.number === number)?.text ?? null,
    checksOf: (repo, oid) => [...(kept.get(repo)?.checks.get(oid)?.values() ?? [])],
    async act(repo, number, kind, by) {
      const home = mustHave(repo);
      const found = mustHavePull(repo, number);
      if (found.pull.state !== "open") throw new RepoHostError("invalid", `${repo}#${number} is ${found.pull.state}`);
      const { headOid, base } = seen(home, found.pull);
      found.pull = { ...found.pull, headOid, state: kind, draft: false };
      if (kind === "merged") home.branches.set(base, headOid);
      changes += 1;
      const oid = kind === "merged" ? headOid : null;
      await o.onChange?.({ deliveryId: `memory-${changes}`, repo, number, kind, by, oid });
    },
  };
}

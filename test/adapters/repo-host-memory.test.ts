import { memoryRepoHost } from "#adapters/repo-host/memory.ts";
import type { PullRequestChange } from "#ports/repo-host.ts";
import { repoHostContract } from "#test/contracts/repo-host.ts";

const oid = (digit: string): string => digit.repeat(40);

repoHostContract("memory", async () => {
  const repo = "acme/shop";
  const changes: PullRequestChange[] = [];
  const host = memoryRepoHost({
    repositories: [{ name: repo, defaultBranch: "main", oid: oid("a") }],
    onChange: async (change) => void changes.push(change),
  });
  return {
    host,
    repo,
    defaultBranch: "main",
    gitDir: "/nowhere",
    oids: [oid("1"), oid("2"), oid("3")],
    textOf: async (number) => host.textOf(repo, number),
    checksOf: async (commit) => host.checksOf(repo, commit),
    branch: async (name) => host.branch(repo, name),
    act: (number, kind, by) => host.act(repo, number, kind, by),
    review: async (number, verdict) => {
      const { headOid = null } = (await host.pullRequest(repo, number)) ?? {};
      host.say({ repo, number, kind: "reviewed", by: "bo", verdict, oid: headOid });
    },
    check: async (number, commit, _name, conclusion) =>
      host.say({ repo, number, kind: "checked", by: "GitHub Actions", conclusion, oid: commit }),
    changes,
    close: async () => {},
  };
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CheckReport, PullRequestChange, PullRequestText, RepoHost } from "#ports/repo-host.ts";

/** A host with one repository, the commits to push to it, and what only its own pages can do or tell. */
export interface RepoHostUnderTest {
  readonly host: RepoHost;
  readonly repo: string;
  readonly defaultBranch: string;
  /** Bare repository that holds the commits below. */
  readonly gitDir: string;
  /** Three commits that follow each other on top of the default branch. */
  readonly oids: readonly [string, string, string];
  textOf(number: number): Promise<PullRequestText | null>;
  checksOf(oid: string): Promise<readonly CheckReport[]>;
  branch(name: string): Promise<string | null>;
  /** A person acts on the pull request; resolves when the change has been told. */
  act(number: number, kind: "merged" | "closed", by: string): Promise<void>;
  /** "bo" reviews the newest commit. */
  review(number: number, verdict: "approved" | "changes_requested"): Promise<void>;
  /** A check of "GitHub Actions" is over. */
  check(number: number, oid: string, name: string, conclusion: "success" | "failure"): Promise<void>;
  /** Every change told so far. */
  readonly changes: readonly PullRequestChange[];
  close(): Promise<void>;
}

/** What every repo-host adapter promises. A skip carries its reason. */
export function repoHostContract(
  name: string,
  make: () => Promise<RepoHostUnderTest>,
  { skip = {} }: { skip?: Readonly<Record<string, string>> } = {},
): void {
  describe(`repo-host: ${name}`, () => {
    let it: RepoHostUnderTest;
    beforeEach(async () => {
      it = await make();
    });
    afterEach(async () => {
      await it.close();
    });

    function promise(sentence: string, work: () => Promise<void>): void {
      const reason = skip[sentence];
      if (reason === undefined) test(sentence, work);
      else test.skip(`${sentence} (${reason})`, work);
    }

    const text = { title: "Fix the total", body: "Rounds once." };
    const push = (oid: string, expected: string | null, branch = "agent/1") =>
      it.host.push({ repo: it.repo, branch, oid, expected, gitDir: it.gitDir });
    const open = (branch = "agent/1") =>
      it.host.openPullRequest({ repo: it.repo, branch, base: it.defaultBranch, draft: true, ...text });

    promise("a repository is found by its name, and what can be no name is null", async () => {
      expect(await it.host.repository(it.repo)).toMatchObject({ name: it.repo, defaultBranch: it.defaultBranch });
      for (const other of ["none", "../acme/shop", "acme/..", "acme/shop.git", "-x/y", "acme/a/b", ""]) {
        expect(await it.host.repository(other), other).toBeNull();
      }
    });

    promise("a repository that nobody has is null, or refused by its name", async () => {
      const found = await it.host.repository("acme/none").catch((error: unknown) => error);
      if (found === null) return;
      expect(found).toMatchObject({ code: expect.stringMatching(/^(not_found|denied)$/) });
      expect(found).toMatchObject({ message: expect.stringContaining("acme/none") });
    });

    promise("every repository is listed once, as it is found by its name", async () => {
      const all = await it.host.repositories();
      expect(all.map((one) => one.name)).toContain(it.repo);
      expect(new Set(all.map((one) => one.name)).size).toBe(all.length);
      expect(all.find((one) => one.name === it.repo)).toEqual(await it.host.repository(it.repo));
    });

    promise("a push makes the branch, and the same push again is harmless", async () => {
      await push(it.oids[0], null);
      await push(it.oids[0], null);
      expect(await it.branch("agent/1")).toBe(it.oids[0]);
    });

    promise("a push moves the branch from where we left it", async () => {
      await push(it.oids[0], null);
      await push(it.oids[2], it.oids[0]);
      await push(it.oids[2], it.oids[0]);
      await push(it.oids[1], it.oids[2]);
      expect(await it.branch("agent/1")).toBe(it.oids[1]);
    });

    promise("a push is stale when the branch is anywhere else, and leaves it there", async () => {
      await expect(push(it.oids[1], it.oids[0])).rejects.toMatchObject({ code: "stale" });
      expect(await it.branch("agent/1")).toBeNull();
      await push(it.oids[0], null);
      await expect(push(it.oids[1], null)).rejects.toMatchObject({ code: "stale" });
      await expect(push(it.oids[2], it.oids[1])).rejects.toMatchObject({ code: "stale" });
      expect(await it.branch("agent/1")).toBe(it.oids[0]);
    });

    promise("of two pushes that expect the same commit one is stale", async () => {
      await push(it.oids[0], null);
      const ends = await Promise.allSettled([push(it.oids[1], it.oids[0]), push(it.oids[2], it.oids[0])]);
      expect(ends.map((end) => end.status).sort()).toEqual(["fulfilled", "rejected"]);
      expect(ends.find((end) => end.status === "rejected")?.reason).toMatchObject({ code: "stale" });
    });

    promise("the default branch is never pushed", async () => {
      const before = await it.branch(it.defaultBranch);
      await expect(push(it.oids[0], before, it.defaultBranch)).rejects.toMatchObject({ code: "denied" });
      expect(await it.branch(it.defaultBranch)).toBe(before);
    });

    promise("a push that names no branch, no commit or no repository is refused", async () => {
      for (const branch of ["", "-f", "a..b", "a b", "refs/heads/x.lock", "x/", "a:b", "x~1"]) {
        await expect(push(it.oids[0], null, branch), branch).rejects.toMatchObject({ code: "invalid" });
      }
      for (const oid of ["", "HEAD", "main", "--all", "deadbeef"]) {
        await expect(push(oid, null), oid).rejects.toMatchObject({ code: "invalid" });
      }
      const nowhere = { repo: "acme/none", branch: "agent/1", oid: it.oids[0], expected: null, gitDir: it.gitDir };
      await expect(it.host.push(nowhere)).rejects.toMatchObject({ code: "not_found" });
    });

    promise("an opened pull request is found by branch and by number, as a draft", async () => {
      await push(it.oids[0], null);
      expect(await it.host.findPullRequest(it.repo, "agent/1")).toBeNull();
      const pull = await open();
      expect(pull).toMatchObject({ repo: it.repo, state: "open", draft: true, branch: "agent/1", headOid: it.oids[0] });
      expect(pull.base).toBe(it.defaultBranch);
      expect(await it.host.findPullRequest(it.repo, "agent/1")).toEqual(pull);
      expect(await it.host.pullRequest(it.repo, pull.number)).toEqual(pull);
      expect(await it.host.pullRequest(it.repo, pull.number + 1)).toBeNull();
      expect(await it.textOf(pull.number)).toEqual(text);
    });

    promise("an open pull request follows its branch", async () => {
      await push(it.oids[0], null);
      const { number } = await open();
      await push(it.oids[1], it.oids[0]);
      expect((await it.host.pullRequest(it.repo, number))?.headOid).toBe(it.oids[1]);
    });

    promise("a branch has one pull request, whoever opens it first", async () => {
      await push(it.oids[0], null);
      const ends = await Promise.allSettled([open(), open(), open()]);
      expect(ends.filter((end) => end.status === "fulfilled")).toHaveLength(1);
      await expect(open()).rejects.toMatchObject({ code: "invalid" });
    });

    promise("numbers are unique in a repository", async () => {
      const branches = ["agent/1", "agent/2", "agent/3", "agent/4"];
      for (const branch of branches) await push(it.oids[0], null, branch);
      const pulls = await Promise.all(branches.map((branch) => open(branch)));
      expect(new Set(pulls.map((pull) => pull.number)).size).toBe(branches.length);
    });

    promise("a pull request needs a branch and a base that exist and differ", async () => {
      await push(it.oids[0], null);
      await expect(open("agent/none")).rejects.toMatchObject({ code: "invalid" });
      await expect(open(it.defaultBranch)).rejects.toMatchObject({ code: "invalid" });
      const nowhere = { repo: it.repo, branch: "agent/1", base: "nowhere", draft: true, ...text };
      await expect(it.host.openPullRequest(nowhere)).rejects.toMatchObject({ code: "invalid" });
      expect(await it.host.findPullRequest(it.repo, "agent/1")).toBeNull();
    });

    promise("an edit replaces title and body", async () => {
      await push(it.oids[0], null);
      const { number } = await open();
      await it.host.editPullRequest(it.repo, number, { title: "Other", body: "**words**" });
      expect(await it.textOf(number)).toEqual({ title: "Other", body: "**words**" });
      const nobody = it.host.editPullRequest(it.repo, number + 1, text);
      await expect(nobody).rejects.toMatchObject({ code: "not_found" });
    });

    promise("a pull request leaves draft once, and only while it is open", async () => {
      await push(it.oids[0], null);
      const { number } = await open();
      await it.host.markReady(it.repo, number);
      await it.host.markReady(it.repo, number);
      expect(await it.host.pullRequest(it.repo, number)).toMatchObject({ number, state: "open", draft: false });
      expect(await it.host.findPullRequest(it.repo, "agent/1")).toMatchObject({ number, draft: false });
      await expect(it.host.markReady(it.repo, number + 1)).rejects.toMatchObject({ code: "not_found" });
    });

    promise("nobody is asked for a review where the repository names nobody", async () => {
      await push(it.oids[0], null);
      const { number } = await open();
      expect(await it.host.requestReview(it.repo, number)).toEqual([]);
      await expect(it.host.requestReview(it.repo, number + 1)).rejects.toMatchObject({ code: "not_found" });
    });

    promise("reported checks are replaced by name", async () => {
      await push(it.oids[0], null);
      const red = { name: "unit tests", conclusion: "failure", summary: "1 of 3 red" } as const;
      const types = { name: "typecheck", conclusion: "success", summary: "" } as const;
      await it.host.reportChecks(it.repo, it.oids[0], [red, types]);
      await it.host.reportChecks(it.repo, it.oids[0], [{ ...red, conclusion: "success", summary: "3 green" }]);
      const reports = await it.checksOf(it.oids[0]);
      expect(reports).toHaveLength(2);
      expect(reports.find((check) => check.name === red.name)).toMatchObject({ summary: "3 green" });
    });

    promise("who asks hears the last word of each reviewer and of others' checks, and none of ours", async () => {
      await push(it.oids[0], null);
      const { number } = await open();
      expect(await it.host.words(it.repo, number)).toEqual([]);
      const [oid] = it.oids;
      await it.host.reportChecks(it.repo, oid, [{ name: "unit", conclusion: "success", summary: "3 green" }]);
      await it.review(number, "changes_requested");
      await it.check(number, oid, "build", "success");
      await it.check(number, oid, "test", "failure");
      await it.review(number, "approved");
      const words = await it.host.words(it.repo, number);
      expect(words).toHaveLength(2);
      expect(words[0]).toMatchObject({ repo: it.repo, number, kind: "reviewed", by: "bo", verdict: "approved", oid });
      expect(words[1]).toMatchObject({ kind: "checked", by: "GitHub Actions", conclusion: "failure", oid });
      await expect(it.host.words(it.repo, number + 1)).rejects.toMatchObject({ code: "not_found" });
    });

    promise("a person's merge and close are told once and kept", async () => {
      await push(it.oids[0], null);
      await push(it.oids[1], null, "agent/2");
      const [first, second] = [await open(), await open("agent/2")];
      await it.act(second.number, "closed", "U0BO");
      await it.act(first.number, "merged", "U0BO");
      expect(it.changes.map(({ repo, number, kind, by }) => ({ repo, number, kind, by }))).toEqual([
        { repo: it.repo, number: second.number, kind: "closed", by: "U0BO" },
        { repo: it.repo, number: first.number, kind: "merged", by: "U0BO" },
      ]);
      expect(new Set(it.changes.map((change) => change.deliveryId)).size).toBe(2);
      expect(it.changes[1]?.oid).toBe(await it.branch(it.defaultBranch));
      expect(await it.host.pullRequest(it.repo, first.number)).toMatchObject({ state: "merged", headOid: it.oids[0] });
    });

    promise("a closed pull request still counts as the branch's", async () => {
      await push(it.oids[0], null);
      const { number } = await open();
      await it.act(number, "closed", "U0BO");
      expect(await it.host.findPullRequest(it.repo, "agent/1")).toMatchObject({ number, state: "closed" });
      await expect(open()).rejects.toMatchObject({ code: "invalid" });
    });
  });
}

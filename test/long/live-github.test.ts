import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { partsOf } from "#adapters/repo-host/github/access.ts";
import { githubRepoHost } from "#adapters/repo-host/github/host.ts";
import { openAppKey } from "#adapters/repo-host/github/key.ts";
import { examineApp } from "#adapters/repo-host/github/preflight.ts";

/**
 * The adapter against the real GitHub (or the server of LIVE_GITHUB_API_URL), in a repository for trials: it pushes a
 * branch of one empty commit, opens a draft, reports a check, and closes and deletes what it made.
 */
const { LIVE_GITHUB_APP_ID, LIVE_GITHUB_PRIVATE_KEY_FILE, LIVE_GITHUB_REPO, LIVE_GITHUB_API_URL } = process.env;
const asked = LIVE_GITHUB_APP_ID && LIVE_GITHUB_PRIVATE_KEY_FILE && LIVE_GITHUB_REPO;
if (!asked) {
  console.warn(
    "skipped: the real GitHub was not tried. Set LIVE_GITHUB_APP_ID, LIVE_GITHUB_PRIVATE_KEY_FILE and LIVE_GITHUB_REPO (owner/name).",
  );
}

test.skipIf(!asked)("a draft pull request with a check, on the real GitHub", { timeout: 180_000 }, async () => {
  const repo = LIVE_GITHUB_REPO ?? "";
  const app = {
    appId: Number(LIVE_GITHUB_APP_ID),
    privateKey: openAppKey({ file: path.resolve(LIVE_GITHUB_PRIVATE_KEY_FILE ?? "") }),
  };
  const transport = { apiUrl: LIVE_GITHUB_API_URL ?? "https://api.github.com", log: () => {} };
  expect(await examineApp({ app, transport })).toMatchObject({ lacks: [] });
  const folder = mkdtempSync(path.join(tmpdir(), "live-github-"));
  const host = githubRepoHost({ app, transport, home: folder });
  const found = await host.repository(repo);
  const base = found?.defaultBranch ?? "";
  expect((await host.repositories()).map((one) => one.name)).toContain(repo);
  const read = (await host.readCredential(repo))?.reveal() ?? "";
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: folder,
    GIT_CONFIG_COUNT: "1",
    GIT_CONFIG_KEY_0: "http.extraHeader",
    GIT_AUTHOR_NAME: "Countersign",
    GIT_AUTHOR_EMAIL: "live@example.com",
    GIT_COMMITTER_NAME: "Countersign",
    GIT_COMMITTER_EMAIL: "live@example.com",
  };
  const gitWith = (token: string, ...args: string[]) => {
    const header = `Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
    const o = { cwd: folder, env: { ...env, GIT_CONFIG_VALUE_0: header }, encoding: "utf8" } as const;
    return execFileSync("git", args, o).trim();
  };
  const git = (...args: string[]) => gitWith(read, ...args);
  const gitDir = path.join(folder, "relay.git");
  const branch = `agent/live-${randomBytes(4).toString("hex")}`;
  try {
    git("clone", "--quiet", "--bare", found?.cloneUrl ?? "", gitDir);
    const tree = git("--git-dir", gitDir, "rev-parse", `${base}^{tree}`);
    const oid = git("--git-dir", gitDir, "commit-tree", tree, "-p", base, "-m", "A trial of the live suite");
    await host.push({ repo, branch, oid, expected: null, gitDir });
    await host.push({ repo, branch, oid, expected: null, gitDir });
    await expect(host.push({ repo, branch, oid: tree, expected: null, gitDir })).rejects.toMatchObject({
      code: "stale",
    });
    const opened = await host.openPullRequest({
      repo,
      branch,
      base,
      draft: true,
      title: "A trial",
      body: "It closes itself.",
    });
    try {
      expect(opened).toMatchObject({ state: "open", draft: true, headOid: oid });
      expect(await host.findPullRequest(repo, branch)).toMatchObject({ number: opened.number });
      await expect(
        host.openPullRequest({ repo, branch, base, draft: true, title: "Another", body: "" }),
      ).rejects.toMatchObject({ code: "invalid" });
      await host.reportChecks(repo, oid, [{ name: "trial", conclusion: "neutral", summary: "Nothing was checked." }]);
      await host.requestReview(repo, opened.number);
      await host.markReady(repo, opened.number);
      expect(await host.pullRequest(repo, opened.number)).toMatchObject({ draft: false });
    } finally {
      await closeAndDelete(repo, opened.number, branch);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }

  /** What the port cannot do, and must not: ending a pull request is a person's. */
  async function closeAndDelete(name: string, number: number, made: string): Promise<void> {
    const { appClient, tokenClient } = await import("#adapters/repo-host/github/client.ts");
    const { Secret } = await import("#ports/secret.ts");
    const asApp = appClient(transport, app);
    const { data: installation } = await asApp.rest.apps.getRepoInstallation(partsOf(name));
    const tokenWith = async (permissions: { contents: "write" } | { pull_requests: "write" }) => {
      const { data } = await asApp.rest.apps.createInstallationAccessToken({
        installation_id: installation.id,
        repositories: [partsOf(name).repo],
        permissions,
      });
      return data.token;
    };
    const api = tokenClient(transport, new Secret("live", await tokenWith({ pull_requests: "write" })));
    await api.rest.pulls.update({ ...partsOf(name), pull_number: number, state: "closed" });
    const gone = ["push", "--quiet", found?.cloneUrl ?? "", `:refs/heads/${made}`];
    gitWith(await tokenWith({ contents: "write" }), "--git-dir", gitDir, ...gone);
  }
});

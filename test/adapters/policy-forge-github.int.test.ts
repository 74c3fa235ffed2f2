import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { memoryDirectory } from "#adapters/directory/memory.ts";
import { gitEnvironment, gitText } from "#adapters/git.ts";
import type { PolicyChange } from "#adapters/policy/keeper.ts";
import { watchPolicyRepository } from "#adapters/policy/repository.ts";
import { githubPolicyForge } from "#adapters/repo-host/github/backing.ts";
import type { Policy } from "#policy/policy.ts";
import { agreed } from "#runs/decision/agreement.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { commit, filled } from "#test/doubles/github/repository.ts";

/** A policy whose repository is on GitHub: a change counts when enough owners approved it there at its head. */
const ORG = `version: 1
kind: org
owners: {from: group:security, quorum: 2}
groups: {shop: {slack_usergroup: S0SHOP}, security: {slack_usergroup: S0SEC}}
routing: {slack: {C0SHOP: shop}}
ceiling:
  repos: ["acme/*"]
  egress: []
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;
const team = (usd: number) =>
  `version: 1\nkind: team\nteam: shop\nmembers: group:shop\nrules:\n  - allow: {git.repo: acme/shop}\nlimits: {cost_usd: ${usd}}\n`;
const REPO = "acme/policies";
/** Ana, Bo and Cy own the policy, and Dee does not; of Eve nobody says who she is in Slack. */
const SLACK: Readonly<Record<string, string>> = { ana: "U0ANA", bo: "U0BO", cy: "U0CY", dee: "U0DEE" };
const PEOPLE = [...Object.keys(SLACK), "eve"];

let double: GithubDouble;
let dir = "";
const closing: (() => unknown)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), "policy-github-"));
  const files = { "org.yaml": ORG, "teams/shop.yaml": team(1) };
  double = await githubDouble({
    repos: { [REPO]: (gitDir) => filled(gitDir, files) },
    installed: [REPO],
    people: PEOPLE,
  });
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  await double.close();
  await rm(dir, { recursive: true, force: true });
});

const gitDir = () => double.gitDir(REPO);
const point = (branch: string, oid: string) =>
  gitText(double.git, ["update-ref", `refs/heads/${branch}`, oid], { gitDir: gitDir() });

interface Account {
  readonly id: number;
  readonly login: string;
}
interface Proposal {
  readonly number: number;
  readonly older: string;
  readonly head: string;
}

/** Two commits that Ana wrote, as a pull request of hers. */
async function proposed(of: { email?: string; trailer?: string; usd?: number } = {}): Promise<Proposal> {
  const older = await commit(gitDir(), "refs/heads/main", { "README.md": "The policy.\n" }, of);
  const head = await commit(gitDir(), older, { "teams/shop.yaml": team(of.usd ?? 2) }, of);
  await point("raise", head);
  await double.settle(REPO);
  const body = { title: "A limit", head: "raise", base: "main" };
  const { number } = (await double.as("ana")("POST", `/repos/${REPO}/pulls`, body)) as { number: number };
  return { number, older, head };
}

const review = async (by: string, { number, head }: Proposal, o: { event?: string; at?: string } = {}) =>
  (await double.as(by)("POST", `/repos/${REPO}/pulls/${number}/reviews`, {
    event: o.event ?? "APPROVE",
    body: "seen",
    commit_id: o.at ?? head,
  })) as { id: number };

async function merged({ number }: Proposal): Promise<string> {
  await double.merge(REPO, number, "dee");
  const pull = (await double.as("admin")("GET", `/repos/${REPO}/pulls/${number}`)) as { merge_commit_sha: string };
  return pull.merge_commit_sha;
}

async function forge() {
  const accounts = new Map<number, string>();
  for (const login of PEOPLE) {
    const { id } = (await double.as("admin")("GET", `/users/${login}`)) as Account;
    accounts.set(id, SLACK[login] ?? "");
  }
  return githubPolicyForge({
    app: double,
    transport: { apiUrl: double.apiUrl, log: () => {}, pace: { paced: false, retryBaseMs: 0 } },
    repo: REPO,
    accountOf: async (number) => {
      const id = accounts.get(number);
      return id ? { provider: "slack", workspace: "T1", id } : null;
    },
  });
}

async function watched() {
  const directory = memoryDirectory();
  directory.group({ slack_usergroup: "S0SEC" }, ["U0ANA", "U0BO", "U0CY"]);
  const at = { forge: await forge(), branch: "main", workspace: "T1" };
  const changes: PolicyChange[] = [];
  const watch = await watchPolicyRepository(
    { url: gitDir(), branch: "main", folder: "" },
    {
      dir: path.join(dir, "mirror"),
      env: gitEnvironment({ home: double.home }),
      onChange: (change) => changes.push(change),
      agreement: (oid, inForce: Policy) => agreed({ directory }, at, oid, inForce),
    },
  );
  closing.push(() => watch.close());
  const limit = () => {
    const loaded = watch.current();
    if (!loaded.ok) throw new Error(loaded.problems[0]?.message);
    return loaded.policy.teams.shop?.limits.costUsd;
  };
  return { watch, changes, limit, said: () => watch.problems()[0]?.message };
}

describe("a change of a policy on GitHub", () => {
  test("is in force when enough owners approved its head, asked with tokens that only read", async () => {
    await double.protect(REPO, "main", "ruleset");
    const { watch, limit } = await watched();
    const change = await proposed();
    await review("bo", change);
    await review("cy", change);
    await review("cy", change, { event: "COMMENT" });
    await merged(change);
    await watch.reload();
    expect(watch.problems()).toEqual([]);
    expect(limit()).toBe(2);
    expect(double.problems).toEqual([]);
    const asked = double.requests.filter((one) => one.path.endsWith("/access_tokens")).map((one) => one.body);
    const permissions = { contents: "read", metadata: "read", pull_requests: "read" };
    expect(asked).toEqual([{ repositories: ["policies"], permissions }]);
  });

  test("waits for the last approval it needs, which may come after the merge", async () => {
    await double.protect(REPO, "main", "ruleset");
    const { watch, limit, said } = await watched();
    const change = await proposed();
    await review("bo", change);
    await review("dee", change);
    const oid = await merged(change);
    await watch.reload();
    expect(limit()).toBe(1);
    expect(said()).toBe(
      `the owners did not agree to ${oid.slice(0, 12)}: 1 of 2 needed from group:security approved it`,
    );
    await review("cy", change);
    await watch.reload();
    expect(limit()).toBe(2);
  });

  test.each<[string, (change: Proposal) => Promise<unknown>, RegExp]>([
    [
      "that is approved at an older head",
      (change) => review("cy", change, { at: change.older }),
      /: 1 of 2 .* approved it; cy approved an older commit of #1$/,
    ],
    ["that is approved by its author", (change) => review("ana", change), /: 1 of 2 .*; ana is one of its authors$/],
    [
      "whose approval was dismissed",
      async (change) => {
        const { id } = await review("cy", change);
        const dismissal = { message: "not yet" };
        await double.as("ana")("PUT", `/repos/${REPO}/pulls/${change.number}/reviews/${id}/dismissals`, dismissal);
      },
      /: 1 of 2 needed from group:security approved it$/,
    ],
    [
      "that an owner asked to change after approving it",
      async (change) => {
        await review("cy", change);
        await review("cy", change, { event: "REQUEST_CHANGES" });
      },
      /: 1 of 2 needed from group:security approved it$/,
    ],
    [
      "that is approved by an account that nobody vouches for",
      (change) => review("eve", change),
      /; eve approved it, and nobody says whose account that is: put github: \d+ beside .*COUNTERSIGN_IDP_FILE\)$/,
    ],
  ])("%s stays out with one approval too few", async (_what, second, expected) => {
    await double.protect(REPO, "main", "ruleset");
    const { watch, limit, said } = await watched();
    const change = await proposed();
    await review("bo", change);
    await second(change);
    await merged(change);
    await watch.reload();
    expect(limit()).toBe(1);
    expect(said()).toMatch(expected);
    expect(double.problems).toEqual([]);
  });

  test("by an author whom GitHub does not know needs one approval more, since they may have given one", async () => {
    await double.protect(REPO, "main", "ruleset");
    const { watch, limit, said } = await watched();
    const change = await proposed({ email: "root@build.example.org" });
    await review("bo", change);
    await review("cy", change);
    await merged(change);
    await watch.reload();
    expect(limit()).toBe(1);
    expect(said()).toContain("2 of 3 needed");
    expect(said()).toContain("GitHub does not know root@build.example.org");
  });

  test("does not count the approval of somebody whom a commit names as its co-author", async () => {
    await double.protect(REPO, "main", "ruleset");
    const bo = (await double.as("admin")("GET", "/users/bo")) as Account;
    const host = new URL(double.url).hostname;
    const change = await proposed({ trailer: `Co-authored-by: Bo <${bo.id}+bo@users.noreply.${host}>` });
    await review("bo", change);
    await review("cy", change);
    const oid = await merged(change);
    const slack = { provider: "slack", workspace: "T1" };
    expect(await (await forge()).backing("main", oid)).toMatchObject({
      approvedBy: [{ ...slack, id: "U0CY" }],
      unnamedAuthors: 0,
      remarks: ["bo is one of its authors"],
    });
  });

  test("is the merge itself: not a commit it brought, and not that of a branch on top of an approved one", async () => {
    await double.protect(REPO, "main", "ruleset");
    const change = await proposed();
    await review("bo", change, { at: change.older });
    const oid = await merged(change);
    const asked = await forge();
    expect(await asked.backing("main", oid)).toMatchObject({ protected: true });
    // A rebase leaves such commits on the branch.
    expect(await asked.backing("main", change.older)).toBeNull();
    expect(await asked.backing("release", oid)).toBeNull();
    const at = `/repos/${REPO}/pulls/${change.number}`;
    const pull = (await double.as("admin")("GET", at)) as { head: object };
    const below = { ...pull, head: { ...pull.head, sha: change.older } };
    double.fail((_method, target) => (target.endsWith(`/commits/${oid}/pulls`) ? Response.json([below]) : null));
    expect(await asked.backing("main", oid)).toBeNull();
  });

  test("that was pushed without a pull request stays out", async () => {
    await double.protect(REPO, "main", "ruleset");
    const { watch, limit, said } = await watched();
    await point("main", await commit(gitDir(), "refs/heads/main", { "teams/shop.yaml": team(9) }));
    await watch.reload();
    expect(limit()).toBe(1);
    expect(said()).toContain("it is not the merge of a pull request into main");
  });

  test("on an unprotected branch stays out until a ruleset requires pull requests; an older protection shows too little", async () => {
    const { watch, limit, said } = await watched();
    const change = await proposed();
    await review("bo", change);
    await review("cy", change);
    await merged(change);
    await watch.reload();
    expect(said()).toMatch(/main is not protected on the forge: let nothing reach it but a pull request$/);
    await double.protect(REPO, "main", "classic");
    await watch.reload();
    expect(said()).toMatch(/but a pull request; GitHub has a protection of another kind there, .*: add a ruleset/);
    expect(limit()).toBe(1);
    await double.protect(REPO, "main", "ruleset");
    await watch.reload();
    expect(limit()).toBe(2);
  });

  test.each<[string, () => Response, RegExp]>([
    ["is away", () => Response.json({ message: "Bad Gateway" }, { status: 502 }), /Bad Gateway/],
    [
      "has had too many questions",
      () =>
        Response.json(
          { message: "API rate limit exceeded" },
          { status: 403, headers: { "x-ratelimit-remaining": "0", "retry-after": "120" } },
        ),
      /rate limit is used up for about 2 min/,
    ],
  ])("leaves the last good policy in force while GitHub %s, and counts afterwards", async (_what, answer, why) => {
    await double.protect(REPO, "main", "ruleset");
    const { watch, changes, limit, said } = await watched();
    const change = await proposed();
    await review("bo", change);
    await review("cy", change);
    await merged(change);
    let down = true;
    double.fail((_method, target) => (down && target.endsWith("/reviews") ? answer() : null));
    await watch.reload();
    expect(limit()).toBe(1);
    expect(said()).toMatch(why);
    expect(changes).toMatchObject([{ ok: false, passing: true }]);
    down = false;
    await watch.reload();
    expect(limit()).toBe(2);
  });
});

import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { gitText } from "#adapters/git.ts";
import { githubRepoHost } from "#adapters/repo-host/github/host.ts";
import { githubVerifier } from "#adapters/repo-host/github/verifier.ts";
import { memoryDatabase } from "#db/memory.ts";
import type { Database } from "#db/open.ts";
import { ensureOrg } from "#db/orgs.ts";
import { stores } from "#db/stores.ts";
import type { PullRequestChange } from "#ports/repo-host.ts";
import { Secret } from "#ports/secret.ts";
import { githubWebhooks } from "#surfaces/github/webhooks.ts";
import { repoHostContract } from "#test/contracts/repo-host.ts";
import { type GithubDouble, githubDouble } from "#test/doubles/github/double.ts";
import { chain, filled } from "#test/doubles/github/repository.ts";

let database: Database;
let houses = 0;
beforeAll(async () => {
  database = await memoryDatabase();
});
afterAll(() => database.close());

const repo = "acme/shop";
const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of open.splice(0).reverse()) await end();
});

const UNPACED = { paced: false, retryBaseMs: 0 };

async function started(
  o: { files?: Record<string, string>; permissions?: Record<string, string>; others?: readonly string[] } = {},
) {
  const double = await githubDouble({
    repos: Object.fromEntries(
      [repo, ...(o.others ?? [])].map((name) => [name, (gitDir) => filled(gitDir, { "a.txt": "one\n", ...o.files })]),
    ),
    installed: [repo],
    people: ["U0BO", "bo", "cy"],
    ...(o.permissions ? { permissions: o.permissions } : {}),
  });
  open.push(() => double.close());
  const folder = await mkdtemp(path.join(tmpdir(), "repo-github-"));
  open.push(() => rm(folder, { recursive: true, force: true }));
  const relay = path.join(folder, "relay.git");
  await gitText(double.git, ["clone", "--quiet", "--bare", "--", double.gitDir(repo), relay]);
  const oids = await chain(relay, "main", ["c.txt", "d.txt", "e.txt"]);
  return { double, relay, oids, ...hostOf(double) };
}

function hostOf(double: GithubDouble, app: { appId?: number; privateKey?: Secret; path?: string } = {}) {
  const logged: string[] = [];
  const host = githubRepoHost({
    app: { appId: app.appId ?? double.appId, privateKey: app.privateKey ?? double.privateKey },
    transport: { apiUrl: double.apiUrl, log: (message) => void logged.push(message), pace: UNPACED },
    home: double.home,
    ...(app.path === undefined ? {} : { path: app.path }),
  });
  return { host, logged };
}

repoHostContract("github", async () => {
  const { double, host, relay, oids } = await started();
  houses += 1;
  const changes: PullRequestChange[] = [];
  const hooks = githubWebhooks({
    verify: await githubVerifier(double.webhookSecret),
    appId: double.appId,
    inbox: stores(database, { orgId: await ensureOrg(database.db, `house-${houses}`) }).inbox,
    changed: async (change) => void changes.push(change),
    log: (message) => {
      throw new Error(message);
    },
  });
  double.deliverTo(async (request) => hooks.routes.fetch(request));
  const asBo = double.as("admin");
  return {
    host,
    repo,
    defaultBranch: "main",
    gitDir: relay,
    oids,
    async textOf(number) {
      const pull = (await asBo("GET", `/repos/${repo}/pulls/${number}`)) as { title: string; body: string };
      return { title: pull.title, body: pull.body };
    },
    async checksOf(oid) {
      const { check_runs } = (await asBo("GET", `/repos/${repo}/commits/${oid}/check-runs`)) as {
        check_runs: { name: string; conclusion: "success" | "failure"; output: { summary: string } }[];
      };
      return check_runs
        .filter((run) => run.name !== "countersign")
        .map(({ name, conclusion, output }) => ({
          name: name.replace("countersign / ", ""),
          conclusion,
          summary: output.summary,
        }));
    },
    branch: (name) => double.branch(repo, name),
    async act(number, kind, by) {
      const told = changes.length + 1;
      await (kind === "merged" ? double.merge(repo, number, by) : double.closePull(repo, number, by));
      await expect.poll(() => changes.length).toBe(told);
      await hooks.drain();
    },
    async review(number, verdict) {
      const event = verdict === "approved" ? "APPROVE" : "REQUEST_CHANGES";
      await double.as("bo")("POST", `/repos/${repo}/pulls/${number}/reviews`, { event, body: "seen" });
    },
    async check(_number, oid, name, conclusion) {
      const done = { name, head_sha: oid, status: "completed", conclusion };
      await asBo("POST", `/repos/${repo}/check-runs`, done);
    },
    changes,
    close: async () => {
      for (const end of open.splice(0).reverse()) await end();
      expect(double.problems).toEqual([]);
    },
  };
});

const contents = async (double: GithubDouble): Promise<string> => JSON.stringify(double.requests);

const pushFirst = async (at: Awaited<ReturnType<typeof started>>) =>
  at.host.push({ repo, branch: "agent/1", oid: at.oids[0], expected: null, gitDir: at.relay });
const text = { title: "Fix the total", body: "Rounds once." };
const openFirst = async (at: Awaited<ReturnType<typeof started>>) =>
  at.host.openPullRequest({ repo, branch: "agent/1", base: "main", draft: true, ...text });

test("each token is of one repository and of what it is for, and no API call carries one that may write code", async () => {
  const at = await started();
  await pushFirst(at);
  const { number } = await openFirst(at);
  await at.host.reportChecks(repo, at.oids[0], [{ name: "unit", conclusion: "success", summary: "3 green" }]);
  const asked = at.double.requests.filter((one) => one.path.endsWith("/access_tokens")).map((one) => one.body);
  expect(asked).toEqual([
    { repositories: ["shop"], permissions: { contents: "read", metadata: "read" } },
    { repositories: ["shop"], permissions: { contents: "write", metadata: "read" } },
    { repositories: ["shop"], permissions: { contents: "read", metadata: "read", pull_requests: "write" } },
    { repositories: ["shop"], permissions: { checks: "write", metadata: "read" } },
  ]);
  expect(at.double.problems).toEqual([]);
  await at.host.markReady(repo, number);
  const writers = at.double.requests.filter((one) => one.permissions?.contents === "write").map((one) => one.path);
  expect(writers).toEqual(["/graphql"]);
  expect(at.double.problems).toEqual([]);
});

test("a token that may do more than was asked for is not used", async () => {
  const { double, host } = await started();
  const wide = { token: "ghs_wide", expires_at: "2030-01-01T00:00:00Z", repository_selection: "selected" };
  const answers = [
    { ...wide, permissions: { contents: "write", metadata: "read" }, repositories: [{ full_name: repo }] },
    {
      ...wide,
      permissions: { contents: "read", metadata: "read" },
      repositories: [{ full_name: repo }, { full_name: "acme/x" }],
    },
    { ...wide, permissions: { contents: "read", metadata: "read" }, repository_selection: "all" },
  ];
  const left = [...answers];
  double.fail((_method, target) =>
    target.endsWith("/access_tokens") ? Response.json(left.shift(), { status: 201 }) : null,
  );
  for (const _ of answers) {
    await expect(host.readCredential(repo)).rejects.toMatchObject({
      code: "denied",
      message: expect.stringMatching(/is not used$/),
    });
  }
  expect(double.requests.some((one) => one.permissions !== null)).toBe(false);
});

test("whoever has not installed the App is told where", async () => {
  const { double, host } = await started({ others: ["others/thing"] });
  await expect(host.repository("others/thing")).rejects.toMatchObject({
    code: "denied",
    message: `others has not installed the GitHub App: its owner does at ${double.url}/apps/countersign-test/installations/new`,
  });
});

test("a repository that the installation leaves out is told with where to add it", async () => {
  const { double, host } = await started({ others: ["acme/hidden"] });
  await expect(host.repository("acme/hidden")).rejects.toMatchObject({
    code: "not_found",
    message: `there is no repository acme/hidden that the GitHub App may use: see the name, or let the owner of acme add it at ${double.url}/settings/installations/77`,
  });
});

test("a suspended installation is told as that, and lists nothing", async () => {
  const { double, host } = await started();
  double.suspend("acme");
  await expect(host.repository(repo)).rejects.toMatchObject({
    code: "denied",
    message: expect.stringContaining("acme has suspended the GitHub App"),
  });
  expect(await host.repositories()).toEqual([]);
});

test("a permission that the owner has not granted is named, with where to accept it", async () => {
  const { double, host } = await started({
    permissions: { contents: "write", metadata: "read", pull_requests: "write" },
  });
  await expect(host.reportChecks(repo, "a".repeat(40), [])).rejects.toMatchObject({
    code: "denied",
    message: expect.stringMatching(
      new RegExp(
        `^acme does not grant the GitHub App checks: write, metadata: read on acme/shop .* ${double.url}/settings/installations/77$`,
      ),
    ),
  });
});

test("a key that is not the App's is told as that", async () => {
  const { double } = await started();
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const { host } = hostOf(double, { privateKey: new Secret("key", pem) });
  await expect(host.repository(repo)).rejects.toMatchObject({
    code: "denied",
    message: expect.stringMatching(/^GitHub does not accept the private key of GitHub App 4242: .*GITHUB_APP_ID/),
  });
});

test("a repository that was renamed is not followed: policy spoke of its old name", async () => {
  const { double, host } = await started();
  double.fail((_method, target) =>
    target === "/repos/acme/shop"
      ? Response.json(
          { message: "Moved Permanently" },
          { status: 301, headers: { location: `${double.apiUrl}/repos/acme/store` } },
        )
      : null,
  );
  await expect(host.repository(repo)).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("renamed or moved"),
  });
  expect(double.requests.some((one) => one.path.includes("store"))).toBe(false);
});

test("a name in another case is refused as GitHub writes it, since everything else compares it letter by letter", async () => {
  const { double, host } = await started();
  const data = { full_name: "Acme/Shop", default_branch: "main" };
  double.fail((_method, target) => (target === "/repos/acme/shop" ? Response.json(data) : null));
  await expect(host.repository(repo)).rejects.toMatchObject({
    code: "not_found",
    message: "acme/shop is called Acme/Shop on GitHub: write it so in policy",
  });
});

test("a server that fails is asked again, and a limit that is used up is told with its wait", async () => {
  const { double, host } = await started();
  let bad = 2;
  double.fail((_method, target) => {
    if (target !== "/repos/acme/shop" || bad === 0) return null;
    bad -= 1;
    return Response.json({ message: "bad gateway" }, { status: 502 });
  });
  expect(await host.repository(repo)).toMatchObject({ name: repo });
  expect(bad).toBe(0);
  double.fail((_method, target) =>
    target === "/repos/acme/shop"
      ? Response.json(
          { message: "API rate limit exceeded" },
          { status: 403, headers: { "x-ratelimit-remaining": "0", "retry-after": "1800" } },
        )
      : null,
  );
  await expect(host.repository(repo)).rejects.toMatchObject({
    code: "unavailable",
    message: "to look at acme/shop: GitHub's rate limit is used up for about 30 min",
  });
});

test("git gets the credential in its environment, for one origin, and says it nowhere", async () => {
  const at = await started();
  const bin = await mkdtemp(path.join(tmpdir(), "repo-github-bin-"));
  open.push(() => rm(bin, { recursive: true, force: true }));
  const [argv, env] = [path.join(bin, "argv"), path.join(bin, "env")];
  const script = `#!/bin/sh\nPATH=/usr/local/bin:/usr/bin:/bin\nprintf '%s\\n' "$*" >> ${argv}\nenv >> ${env}\nexec git "$@"\n`;
  await writeFile(path.join(bin, "git"), script, { mode: 0o755 });
  const { host } = hostOf(at.double, { path: `${bin}:/usr/local/bin:/usr/bin:/bin` });
  await host.push({ repo, branch: "agent/1", oid: at.oids[0], expected: null, gitDir: at.relay });
  const given = /Authorization: Basic (\S+)/.exec(await readFile(env, "utf8"))?.[1] ?? "";
  const token = Buffer.from(given, "base64").toString("utf8").replace("x-access-token:", "");
  expect(token).toMatch(/^ghs_/);
  const said = await readFile(argv, "utf8");
  expect(said).toContain(
    `push --quiet --no-verify --force-with-lease=refs/heads/agent/1: --end-of-options ${at.double.url}/acme/shop.git ${at.oids[0]}:refs/heads/agent/1`,
  );
  expect(said).not.toContain(token);
  expect(said).not.toContain(given);
  expect(await readFile(env, "utf8")).toContain(`GIT_CONFIG_KEY_0=http.${at.double.url}/.extraHeader`);
  expect(await contents(at.double)).not.toContain(token);
  expect(await readFile(path.join(at.relay, "config"), "utf8")).not.toContain(given);
});

test.each([
  [
    "a rule",
    "GH013: Repository rule violations found for refs/heads/agent/1.",
    "a rule of the repository refuses the branch",
  ],
  [
    "a workflow that the App may not write",
    "refusing to allow a GitHub App to create or update workflow `.github/workflows/ci.yml` without `workflows` permission",
    "the change touches .github/workflows",
  ],
  ["anything else", "we are closed today", '"we are closed today"'],
])("a push that GitHub refuses for %s is denied in a sentence", async (_what, words, sentence) => {
  const at = await started();
  const hook = path.join(at.double.gitDir(repo), "hooks", "pre-receive");
  await writeFile(hook, `#!/bin/sh\ncat > /dev/null\necho 'error: ${words}' >&2\nexit 1\n`, { mode: 0o755 });
  await expect(pushFirst(at)).rejects.toMatchObject({ code: "denied", message: expect.stringContaining(sentence) });
  expect(await at.double.branch(repo, "agent/1")).toBeNull();
});

test("code owners of what changed are asked, once, and whom GitHub does not take is left out", async () => {
  const files = { CODEOWNERS: "* @nobody-here\n*.txt @bo @acme/leads\nd.txt @cy\n" };
  const at = await started({ files });
  await at.host.push({ repo, branch: "agent/1", oid: at.oids[1], expected: null, gitDir: at.relay });
  const { number } = await openFirst(at);
  expect(await at.host.requestReview(repo, number)).toEqual(["bo", "cy"]);
  expect(await at.host.requestReview(repo, number)).toEqual(["bo", "cy"]);
  expect(askedOf(at).filter(({ body }) => "reviewers" in Object(body))).toHaveLength(2);
  expect(at.logged).toContain("GitHub does not ask a team for a review");
  const pull = (await at.double.as("admin")("GET", `/repos/${repo}/pulls/${number}`)) as {
    requested_reviewers: { login: string }[];
  };
  expect(pull.requested_reviewers.map((one) => one.login)).toEqual(["bo", "cy"]);
});

const OWNED = { CODEOWNERS: "* @bo @acme/leads @elsewhere/leads\n" };
const askedOf = (at: Awaited<ReturnType<typeof started>>) =>
  at.double.requests.filter(({ method, path: target }) => method === "POST" && target.endsWith("/requested_reviewers"));

test("a team of the organisation that owns what changed is asked, once, with leave to read its members", async () => {
  const at = await started({ files: OWNED });
  await at.double.as("admin")("POST", "/orgs/acme/teams", { name: "leads" });
  await pushFirst(at);
  const { number } = await openFirst(at);
  expect(await at.host.requestReview(repo, number)).toEqual(["bo", "acme/leads"]);
  expect(await at.host.requestReview(repo, number)).toEqual(["bo", "acme/leads"]);
  const write = { contents: "read", metadata: "read", pull_requests: "write" };
  expect(askedOf(at).map(({ body, permissions }) => [body, permissions])).toEqual([
    [{ reviewers: ["bo"] }, write],
    [{ team_reviewers: ["leads"] }, { ...write, members: "read" }],
  ]);
  expect(at.logged).toEqual([]);
  expect(at.double.problems).toEqual([]);
});

test("an App that may not read an organisation's members asks people alone, and the log says what it lacks", async () => {
  const at = await started({
    files: OWNED,
    permissions: { checks: "write", contents: "write", metadata: "read", pull_requests: "write" },
  });
  await at.double.as("admin")("POST", "/orgs/acme/teams", { name: "leads" });
  await pushFirst(at);
  const { number } = await openFirst(at);
  expect(await at.host.requestReview(repo, number)).toEqual(["bo"]);
  expect(askedOf(at).map(({ body }) => body)).toEqual([{ reviewers: ["bo"] }]);
  expect(at.logged).toEqual(["no team is asked for a review: the GitHub App lacks the permission Members: read"]);
});

test("code owners that cannot be read are nobody's guess: none is asked, and the log says why", async () => {
  const at = await started({ files: { CODEOWNERS: "*.txt @bo\n!a.txt @cy\n" } });
  await pushFirst(at);
  const { number } = await openFirst(at);
  expect(await at.host.requestReview(repo, number)).toEqual([]);
  expect(at.logged).toEqual(["nobody is asked for a review: the code owners cannot be read"]);
});

test("one check run sums the others up, and says so when there is none", async () => {
  const at = await started();
  await pushFirst(at);
  const sum = async () => {
    const { check_runs } = (await at.double.as("admin")("GET", `/repos/${repo}/commits/${at.oids[0]}/check-runs`)) as {
      check_runs: { name: string; conclusion: string; output: { summary: string } }[];
    };
    return check_runs.filter((run) => run.name === "countersign").map((run) => [run.conclusion, run.output.summary]);
  };
  await at.host.reportChecks(repo, at.oids[0], []);
  expect(await sum()).toEqual([["neutral", "No checks are declared for this repository: nothing was run."]]);
  const red = { name: "unit", conclusion: "failure", summary: "1 red" } as const;
  await at.host.reportChecks(repo, at.oids[0], [red, { name: "types", conclusion: "success", summary: "" }]);
  expect(await sum()).toEqual([["failure", "1 of 2 green, 1 red\n\n- unit: failure\n- types: success"]]);
  await at.host.reportChecks(repo, at.oids[0], [{ ...red, conclusion: "success" }]);
  expect((await sum()).map(([conclusion]) => conclusion)).toEqual(["success"]);
});

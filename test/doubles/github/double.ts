import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createEmulator } from "emulate";
import { cleanGit, gitText } from "#adapters/git.ts";
import { Secret } from "#ports/secret.ts";
import { answerGit, gitDirIn } from "./git-http.ts";
import { graphqlViolations } from "./graphql.ts";
import { type Call, mirror } from "./mirror.ts";
import { OAUTH_APP, oauthDouble } from "./oauth.ts";
import { violationsOf } from "./openapi.ts";
import { pullRoutes } from "./pulls.ts";
import { mayGit, tokenBook } from "./tokens.ts";

const API = "/api/v3";
const ACCOUNT = "acme";
export const INSTALLATION = 77;
const PERMISSIONS = { checks: "write", contents: "write", members: "read", metadata: "read", pull_requests: "write" };

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  /** Of the token it came with; `null`: it came in the App's own name, or in nobody's. */
  readonly permissions: Readonly<Record<string, string>> | null;
}

export type GithubDouble = Awaited<ReturnType<typeof githubDouble>>;

/**
 * GitHub as our adapter sees an Enterprise server: emulate's API with its gaps filled, real git over HTTP beside it, and
 * GitHub's own description held against every request. `repos` are bare repositories to begin with; of them the App is
 * installed on those of "acme" that are in `installed`.
 */
export async function githubDouble(o: {
  readonly repos: Readonly<Record<string, (gitDir: string) => Promise<void>>>;
  readonly installed: readonly string[];
  readonly people: readonly string[];
  readonly permissions?: Readonly<Record<string, string>>;
  /** What the App subscribes to; everything we wait for when absent. */
  readonly events?: readonly string[];
}) {
  const folder = await mkdtemp(path.join(tmpdir(), "github-double-"));
  const [home, root] = [path.join(folder, "home"), path.join(folder, "git")];
  for (const made of [home, root]) await mkdir(made);
  const git = cleanGit({ home });

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      problems.push(String(error));
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const names = Object.keys(o.repos);
  const owners = [...new Set(names.map((name) => name.split("/")[0] ?? ""))];
  const webhookSecret = "double-webhook-secret";
  const admin = "token-admin";
  const emulator = await createEmulator({
    service: "github",
    port: 0,
    seed: {
      tokens: Object.fromEntries(
        ["admin", ...o.people].map((login) => [`token-${login}`, { login, scopes: ["repo", "admin:org"] }]),
      ),
      github: {
        users: o.people.map((login) => ({ login })),
        orgs: owners.map((login) => ({
          login,
          members: ["admin", ...o.people].map((member) => ({ login: member, role: "admin" })),
        })),
        repos: names.map((name) => ({ owner: name.split("/")[0], name: name.split("/")[1], auto_init: false })),
        apps: [
          {
            app_id: 4242,
            slug: "countersign-test",
            name: "Countersign test",
            permissions: o.permissions ?? PERMISSIONS,
            events: [...(o.events ?? ["pull_request", "pull_request_review", "check_suite"])],
            webhook_url: `${url}/hooks`,
            webhook_secret: webhookSecret,
            installations: [
              {
                installation_id: INSTALLATION,
                account: ACCOUNT,
                repository_selection: "selected",
                repositories: [...o.installed],
                permissions: o.permissions ?? PERMISSIONS,
              },
            ],
          },
        ],
      },
    },
  });
  const key = emulator.generatedSecrets.find((secret) => secret.kind === "github.app_private_key")?.value;
  if (key === undefined) throw new Error("the emulator made no key for the App");

  const requests: Seen[] = [];
  const problems: string[] = [];
  const faults: ((method: string, path: string) => Response | null)[] = [];
  const suspended = new Set<string>();
  const rulesets = new Set<string>();
  const tokens = tokenBook();
  const oauth = oauthDouble(problems);
  let sink: ((request: Request) => Promise<Response>) | null = null;
  let deliveries: Promise<unknown> = Promise.resolve();
  let last: Promise<unknown> = Promise.resolve();
  /** One at a time, as a database would: two that open a pull request at once must not both find none. */
  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const mine = last.then(act, act);
    last = mine.catch(() => undefined);
    return mine;
  }

  async function forward(method: string, target: string, headers: Record<string, string>, body?: string) {
    const response = await fetch(`${emulator.url}${target}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined || body === "" ? {} : { body }),
    });
    const text = (await response.text()).replaceAll(emulator.url, url);
    return { status: response.status, data: text === "" ? null : (JSON.parse(text) as unknown) };
  }

  const callAs =
    (login: string): Call =>
    async (method, target, body) => {
      const headers = { authorization: `token token-${login}` };
      const answered = await forward(method, target, headers, body === undefined ? undefined : JSON.stringify(body));
      if (answered.status >= 300)
        throw new Error(`${method} ${target}: ${answered.status} ${JSON.stringify(answered.data)}`);
      return answered.data;
    };

  const mirrors = new Map<string, ReturnType<typeof mirror>>();
  for (const [name, fill] of Object.entries(o.repos)) {
    const gitDir = gitDirIn(root, name);
    await gitText(git, ["init", "--quiet", "--bare", "--initial-branch=main", gitDir]);
    await fill(gitDir);
    const made = mirror(git, callAs("admin"), { gitDir, repo: name });
    await made.pull();
    mirrors.set(name, made);
  }
  const pulls = pullRoutes({ git, root, call: callAs("admin"), mirrors, rulesets });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const at = new URL(request.url ?? "/", url);
    const found = /^\/([\w.-]+\/[\w.-]+)\.git\//.exec(at.pathname);
    if (at.pathname === "/hooks") return relay(request, response, body);
    if (at.pathname.startsWith("/login/oauth/")) return oauth.pages(request, response, at, body);
    if (found?.[1] !== undefined) return ofGit(request, response, { repo: found[1], url: at, body });
    const { status, data, headers } =
      at.pathname === "/api/graphql" ? await graphql(request, body) : await api(request, at, body);
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(data === null ? "" : JSON.stringify(data));
  }

  /** The emulator names deliveries after the millisecond, and two may share it; GitHub's names are unique. */
  async function relay(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
    const text = body.toString("utf8").replaceAll(emulator.url, url);
    const headers = {
      ...(request.headers as Record<string, string>),
      "x-github-delivery": randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", webhookSecret).update(text).digest("hex")}`,
    };
    const to = sink;
    if (to !== null) {
      const sent = () => to(new Request(`${url}/github/webhooks`, { method: "POST", headers, body: text }));
      deliveries = deliveries.then(sent, sent);
      const { status } = (await deliveries) as Response;
      if (status >= 300) problems.push(`a delivery was answered ${status}`);
    }
    response.end();
  }

  async function ofGit(
    request: IncomingMessage,
    response: ServerResponse,
    of: { repo: string; url: URL; body: Buffer },
  ): Promise<void> {
    const writes =
      of.url.pathname.endsWith("/git-receive-pack") || of.url.searchParams.get("service") === "git-receive-pack";
    const { authorization } = request.headers;
    if (authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="GitHub"' }).end();
      return;
    }
    if (!mayGit(tokens.of(authorization), of.repo, writes)) {
      response.writeHead(403).end("Write access to repository not granted.");
      return;
    }
    const done = () => (writes ? inTurn(() => mirrors.get(of.repo)?.pull() ?? Promise.resolve()) : Promise.resolve());
    await answerGit(request, response, { root, home, url: of.url, body: of.body, done });
  }

  interface Answered {
    readonly status: number;
    readonly data: unknown;
    readonly headers?: Readonly<Record<string, string>>;
  }

  function note(request: IncomingMessage, target: string, body: unknown): Seen {
    const granted = tokens.of(request.headers.authorization);
    const seen = { method: request.method ?? "", path: target, body, permissions: granted?.permissions ?? null };
    requests.push(seen);
    return seen;
  }

  async function api(request: IncomingMessage, at: URL, raw: Buffer): Promise<Answered> {
    const target = decodeURIComponent(at.pathname.slice(API.length));
    const text = raw.toString("utf8");
    const body = text === "" ? undefined : (JSON.parse(text) as unknown);
    const seen = note(request, target, body);
    const { method } = seen;
    problems.push(...violationsOf({ method, path: target, query: at.searchParams, body }));
    if (seen.permissions?.contents === "write") problems.push(`${method} ${target}: with a token that may write code`);
    const fault = faults.map((one) => one(method, target)).find((one) => one !== null);
    if (fault !== undefined && fault !== null) {
      return { status: fault.status, data: await fault.json(), headers: Object.fromEntries(fault.headers) };
    }
    const auth = request.headers.authorization;
    const granted = tokens.of(auth);
    if (auth?.startsWith("token ") && granted === null) return { status: 401, data: { message: "Bad credentials" } };
    const tokensOf = /^\/app\/installations\/(\d+)\/access_tokens$/.exec(target);
    if (tokensOf && suspended.has(ACCOUNT))
      return { status: 403, data: { message: "This installation has been suspended" } };
    const token = /^Bearer (ghu_.+)$/.exec(auth ?? "")?.[1];
    if (token !== undefined) return oauth.api(method, target, token);
    const [, code] = /^\/app-manifests\/([^/]+)\/conversions$/.exec(target) ?? [];
    if (code !== undefined) return manifestAnswer(code);
    if (target === "/installation/repositories") {
      const repositories = await Promise.all(o.installed.map((name) => callAs("admin")("GET", `/repos/${name}`)));
      return { status: 200, data: { total_count: repositories.length, repositories } };
    }
    const headers = { ...(auth === undefined ? {} : { authorization: auth }) };
    const plain = () => forward(method, `${target}${at.search}`, headers, text);
    const answered = await inTurn(
      async () => (await pulls.answer(method, target, at.searchParams, body, plain)) ?? plain(),
    );
    if (tokensOf && answered.status === 201) tokens.keep(Number(tokensOf[1]), answered.data);
    return { status: answered.status, data: shown(answered.data) };
  }

  /** A code works once; here it is "good". What GitHub says of an App that was just made from a manifest. */
  function manifestAnswer(code: string): Answered {
    if (code !== "good") return { status: 404, data: { message: "Not Found" } };
    const app = {
      id: 4242,
      slug: "countersign-test",
      name: "Countersign test",
      html_url: `${url}/apps/countersign-test`,
    };
    return { status: 201, data: { ...app, pem: key, webhook_secret: webhookSecret, ...OAUTH_APP } };
  }

  /** What the emulator leaves out of its answers. */
  function shown(data: unknown): unknown {
    if (Array.isArray(data)) return data.map(shown);
    if (typeof data !== "object" || data === null) return data;
    const all = data as Record<string, unknown>;
    if (Array.isArray(all.check_runs)) {
      const ours = { id: 4242, slug: "countersign-test", name: "Countersign test" };
      const others = { id: 15368, slug: "github-actions", name: "GitHub Actions" };
      const runs = all.check_runs as readonly { readonly name: string }[];
      const appOf = ({ name }: { name: string }) => (/^countersign(?: \/ |$)/.test(name) ? ours : others);
      return { ...all, check_runs: runs.map((run) => ({ ...run, app: appOf(run) })) };
    }
    const account = (all.account as { login?: string } | undefined)?.login;
    if (account !== undefined && "suspended_at" in all && suspended.has(account)) {
      return { ...all, suspended_at: "2026-01-01T00:00:00Z" };
    }
    return pulls.current(all);
  }

  /** The one mutation we send. What GitHub wants for it is not in its documentation: cli/cli discussion 6924. */
  async function graphql(request: IncomingMessage, raw: Buffer): Promise<Answered> {
    const body = JSON.parse(raw.toString("utf8")) as { variables: { id?: string } };
    const { permissions } = note(request, "/graphql", body);
    const wrong = graphqlViolations(body);
    if (wrong.length > 0) {
      problems.push(...wrong.map((one) => `GraphQL: ${one}`));
      return { status: 200, data: { errors: wrong.map((message) => ({ message })) } };
    }
    if (permissions?.contents !== "write" || permissions.pull_requests !== "write") {
      const errors = [{ type: "FORBIDDEN", message: "Resource not accessible by integration" }];
      return { status: 200, data: { data: null, errors } };
    }
    await inTurn(() => pulls.ready(body.variables.id ?? ""));
    return { status: 200, data: { data: { markPullRequestReadyForReview: { pullRequest: { isDraft: false } } } } };
  }

  return {
    url,
    apiUrl: `${url}${API}`,
    appId: 4242,
    /** What the product is started with to work as the App. Writes its key to `keyFile`. */
    settings(keyFile: string) {
      writeFileSync(keyFile, key, { mode: 0o600 });
      return {
        GITHUB_APP_ID: "4242",
        GITHUB_APP_PRIVATE_KEY_FILE: keyFile,
        GITHUB_WEBHOOK_SECRET: webhookSecret,
        GITHUB_API_URL: `${url}${API}`,
      };
    },
    privateKey: new Secret("github_app_private_key", key),
    webhookSecret: new Secret("github_webhook_secret", webhookSecret),
    git,
    home,
    requests: requests as readonly Seen[],
    /** What GitHub would have had against a request, and what went wrong in here. */
    problems: problems as readonly string[],
    gitDir: (repo: string) => gitDirIn(root, repo),
    as: callAs,
    admin,
    /** Branch of the bare repository; `null`: there is none. */
    branch: (repo: string, name: string) => pulls.branch(repo, name),
    /** Where webhooks go, and each one is waited for in turn. */
    deliverTo(to: (request: Request) => Promise<Response>) {
      sink = to;
    },
    /** Resolves when everything that was sent so far has been answered. */
    delivered: () => deliveries,
    fail(fault: (method: string, path: string) => Response | null) {
      faults.push(fault);
    },
    suspend: (account: string) => suspended.add(account),
    /** Hands on what was written into the bare repository without git's protocol. */
    settle: (repo: string) => inTurn(() => mirrors.get(repo)?.pull() ?? Promise.resolve()),
    /** A ruleset, or a protection of the older kind, lets nothing but pull requests reach a branch. */
    async protect(repo: string, branch: string, how: "ruleset" | "classic") {
      if (how === "ruleset") rulesets.add(`${repo} ${branch}`);
      else await callAs("admin")("PUT", `/repos/${repo}/branches/${branch}/protection`, {});
    },
    /** A person's browser at GitHub, and the accounts that people have there. */
    oauth,
    merge: (repo: string, number: number, by: string) => inTurn(() => pulls.merge(repo, number, callAs(by))),
    closePull: (repo: string, number: number, by: string) =>
      callAs(by)("PATCH", `/repos/${repo}/pulls/${number}`, { state: "closed" }),
    async close() {
      await emulator.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

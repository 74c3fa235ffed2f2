import { mkdir } from "node:fs/promises";
import path from "node:path";
import { webUrlOf } from "#adapters/repo-host/github/addresses.ts";
import type { Transport } from "#adapters/repo-host/github/client.ts";
import { openAppKey, openSecret } from "#adapters/repo-host/github/key.ts";
import type { AppFacts } from "#adapters/repo-host/github/preflight.ts";
import { type LocalRepoHost, localRepoHost } from "#adapters/repo-host/local/host.ts";
import type { Clock } from "#ports/clock.ts";
import { type PullRequestChange, type RepoHost, RepoHostError } from "#ports/repo-host.ts";
import type { Secret } from "#ports/secret.ts";
import type { Core } from "#runs/core.ts";
import type { Config } from "./config.ts";
import { StartError } from "./parts.ts";

/** A GitHub App that GitHub did not deny. */
export interface GithubApp {
  readonly appId: number;
  /** What GitHub says of it; `unasked`: why it could not be asked, so that nothing is known. */
  readonly said: AppFacts | { readonly unasked: string };
  readonly privateKey: Secret;
  readonly webhookSecret: Secret | null;
  /** As which people show whose account is theirs; `null`: not on GitHub's page. */
  readonly oauth: { readonly clientId: string; readonly clientSecret: Secret } | null;
  readonly apiUrl: string;
}

/** Where repositories are: GitHub as its App, or the git host of this machine. */
export interface Forge {
  readonly host: RepoHost;
  /** `null`: repositories are on GitHub, and so are their pages. */
  readonly local: LocalRepoHost | null;
  readonly github: GithubApp | null;
  /** Where people read a repository. */
  readonly repositoryUrl: (repo: string) => string;
  close(): Promise<void>;
}

/** Asked before anything is made: a key that does not fit leaves nothing behind. `null`: the local git host. */
export async function examineForge(
  config: Pick<Config, "githubApp" | "githubApiUrl">,
  o: { readonly repos: readonly string[]; readonly say: Core["log"]; readonly pace?: Transport["pace"] },
): Promise<GithubApp | null> {
  if (config.githubApp === null) return null;
  if (o.repos.length > 0) {
    throw new StartError(
      "--repo serves a repository from this machine's own git host, and with GITHUB_APP_ID repositories are on GitHub: leave one of them out",
    );
  }
  const { appId } = config.githubApp;
  const apiUrl = config.githubApiUrl;
  const privateKey = openAppKey(config.githubApp.privateKey);
  const hook = config.githubApp.webhookSecret;
  const webhookSecret = hook === null ? null : openSecret(hook, "github_webhook_secret");
  const { oauth: app } = config.githubApp;
  const oauth =
    app === null
      ? null
      : { clientId: app.clientId, clientSecret: openSecret(app.clientSecret, "github_app_client_secret") };
  const ours = { appId, privateKey, webhookSecret, oauth, apiUrl };
  try {
    const transport = { apiUrl, log: o.say, ...(o.pace === undefined ? {} : { pace: o.pace }) };
    // Octokit takes 150 ms to load, and a start without an App has no use for it.
    const { examineApp } = await import("#adapters/repo-host/github/preflight.ts");
    const facts = await examineApp({ app: { appId, privateKey }, transport });
    if (facts.lacks.length > 0) {
      throw new StartError(
        `the GitHub App ${facts.slug} lacks ${facts.lacks.join(", ")}: give it that under "Permissions" in its settings (${facts.settingsUrl})`,
      );
    }
    if (webhookSecret === null || facts.deaf.length > 0) {
      const events = webhookSecret === null ? "no event: there is no GITHUB_WEBHOOK_SECRET" : facts.deaf.join(", ");
      o.say("GitHub does not tell us everything, and a timer looks every ten minutes", { app: facts.slug, events });
    }
    return { ...ours, said: facts };
  } catch (cause) {
    if (!(cause instanceof RepoHostError)) throw cause;
    if (cause.code === "denied") throw new StartError(cause.message, { cause });
    // It may be away for a while; runs wait for it, and the rest of us need not.
    o.say("GitHub cannot be asked now", { error: cause.message });
    return { ...ours, said: { unasked: cause.message } };
  }
}

export async function openForge(o: {
  readonly dataDir: string;
  readonly baseUrl: string;
  readonly github: GithubApp | null;
  readonly clock: Clock;
  readonly changed: (change: PullRequestChange) => Promise<void>;
  readonly say: Core["log"];
}): Promise<Forge> {
  const { github, say } = o;
  if (github === null) {
    const local = await localRepoHost({
      dir: path.join(o.dataDir, "repos"),
      baseUrl: `${o.baseUrl}/code`,
      clock: o.clock,
      onChange: o.changed,
      onFailure: (error, what) =>
        say("a pull request's change was not taken and is tried again", { what, error: String(error) }),
    });
    return { host: local, local, github: null, repositoryUrl: (repo) => `/code/${repo}`, close: () => local.stop() };
  }
  const home = path.join(o.dataDir, "github", "home");
  await mkdir(home, { recursive: true, mode: 0o700 });
  const { githubRepoHost } = await import("#adapters/repo-host/github/host.ts");
  const host = githubRepoHost({ app: github, transport: { apiUrl: github.apiUrl, log: say }, home });
  const web = webUrlOf(github.apiUrl);
  return { host, local: null, github, repositoryUrl: (repo) => `${web}/${repo}`, close: async () => {} };
}

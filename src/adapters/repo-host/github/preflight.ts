import { RepoHostError } from "#ports/repo-host.ts";
import type { Secret } from "#ports/secret.ts";
import { appClient, type Transport } from "./client.ts";
import { failureOf, told } from "./failures.ts";

/** What a run needs; `members: read` beside it lets teams be asked for a review. */
const NEEDED = { checks: "write", contents: "write", pull_requests: "write" } as const;
/** What tells us of merges and reviews; without it the timer looks. */
const EVENTS = ["pull_request", "pull_request_review", "check_suite"] as const;

export interface AppFacts {
  readonly slug: string;
  readonly settingsUrl: string;
  /** "checks: write": without it no run can end at a pull request. */
  readonly lacks: readonly string[];
  /** Events that the App does not tell us of. */
  readonly deaf: readonly string[];
}

/** Who the App is, and what its registration lacks. Throws "denied" for a key that is not its own. */
export async function examineApp(o: {
  readonly app: { readonly appId: number; readonly privateKey: Secret };
  readonly transport: Transport;
}): Promise<AppFacts> {
  const api = appClient(o.transport, o.app);
  const data = await told(`to ask who GitHub App ${o.app.appId} is`, () =>
    api.rest.apps.getAuthenticated().then(
      (answer) => answer.data,
      (error: unknown) => {
        const status = failureOf(error)?.status;
        if (status !== 401 && status !== 404) throw error;
        throw new RepoHostError(
          "denied",
          `GitHub does not know GitHub App ${o.app.appId} by this private key: see that GITHUB_APP_ID and the key are of one App, and GITHUB_API_URL its server`,
          { cause: error },
        );
      },
    ),
  );
  if (data === null) throw new RepoHostError("unavailable", "GitHub said nothing about the App");
  const permissions: Readonly<Record<string, string | undefined>> = { ...data.permissions };
  return {
    slug: data.slug ?? String(o.app.appId),
    settingsUrl: data.html_url,
    lacks: Object.entries(NEEDED).flatMap(([what, level]) =>
      permissions[what] === level ? [] : [`${what}: ${level}`],
    ),
    deaf: EVENTS.filter((event) => !data.events.includes(event)),
  };
}

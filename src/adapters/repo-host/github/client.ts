import { createAppAuth } from "@octokit/auth-app";
import { retry } from "@octokit/plugin-retry";
import { throttling } from "@octokit/plugin-throttling";
import { Octokit } from "@octokit/rest";
import type { Secret } from "#ports/secret.ts";

const Client = Octokit.plugin(retry, throttling);
/** GitHub's API with a paced, retrying transport. Merging is among its methods and is called nowhere: a test holds that. */
export type Api = InstanceType<typeof Client>;

export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

export interface Transport {
  /** "https://api.github.com", or an Enterprise Server's ".../api/v3". */
  readonly apiUrl: string;
  readonly log: Log;
  /**
   * How requests are spaced and tried again. Default: as GitHub asks (a second between writes, three between those that
   * notify people) and up to three tries with growing waits. For a server of one's own in tests: `paced: false`.
   */
  readonly pace?: { readonly paced: boolean; readonly retryBaseMs: number };
}

const ANSWER_MS = 30_000;
/** A limit that lasts longer is not waited for: the step fails as "unavailable" and the engine comes back. */
const WAIT_SEC_MOST = 20;
const LIMIT_TRIES = 1;
/** The retry plugin's own list, and 429: a limit is waited for as GitHub says, by the throttling plugin, or not at all. */
const NOT_RETRIED = [400, 401, 403, 404, 410, 422, 429, 451];

/** Speaks as one installation token. */
export const tokenClient = (transport: Transport, token: Secret): Api =>
  new Client({ ...optionsOf(transport), auth: token.reveal() });

/** Speaks as the App itself: only what is about installations is allowed to it. */
export const appClient = (transport: Transport, app: { appId: number; privateKey: Secret }): Api =>
  new Client({
    ...optionsOf(transport),
    authStrategy: createAppAuth,
    auth: { appId: app.appId, privateKey: app.privateKey.reveal() },
  });

/** Speaks as nobody: for the one call that exchanges the code of a new App. */
export const anonymousClient = (transport: Transport): Api => new Client(optionsOf(transport));

function optionsOf({ apiUrl, log, pace = { paced: true, retryBaseMs: 1_000 } }: Transport) {
  const limited = (kind: string) => (afterSec: number, of: object, _api: unknown, tries: number) => {
    const { method, url } = of as { method?: string; url?: string };
    const again = afterSec <= WAIT_SEC_MOST && tries < LIMIT_TRIES;
    log(`GitHub's ${kind} rate limit is used up`, { method, url, afterSec, again });
    return again;
  };
  return {
    baseUrl: apiUrl.replace(/\/+$/, ""),
    userAgent: "countersign",
    request: { fetch: reach },
    log: {
      debug: () => {},
      info: () => {},
      warn: (message: string) => log("GitHub's client warns", { warning: message }),
      // Each failed request, also those that are an answer, such as a 404; what is a failure is thrown.
      error: () => {},
    },
    throttle: {
      enabled: pace.paced,
      onRateLimit: limited("primary"),
      onSecondaryRateLimit: limited("secondary"),
    },
    retry: { retryAfterBaseValue: pace.retryBaseMs, doNotRetry: NOT_RETRIED },
  };
}

/**
 * Redirects are not followed: GitHub redirects for a repository that was renamed or moved, and policy spoke of the name
 * it had. Such an answer reads as "not found".
 */
async function reach(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const answer = await fetch(input, { ...init, redirect: "manual", signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer.status < 300 || answer.status >= 400 || answer.status === 304) return answer;
  await answer.body?.cancel();
  return Response.json({ message: "it was renamed or moved; name it as it is called now" }, { status: 404 });
}

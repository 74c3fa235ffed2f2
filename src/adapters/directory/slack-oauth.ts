import { type FetchFunction, WebClient, type WebClientOptions } from "@slack/web-api";
import { z } from "zod";
import { Secret } from "#ports/secret.ts";
import {
  type SlackAccessOptions,
  type SlackTokenOf,
  slackIdentity,
  slackLogger,
  slackRefusal,
} from "./slack-access.ts";

/** Tokens that Slack gave for one workspace. */
export interface SlackTokens {
  readonly access: Secret;
  /** Good once, for the next pair; `null`: the access token does not end. */
  readonly refresh: Secret | null;
  /** How long the access token is good from now; `null`: until it is revoked. */
  readonly goodForMs: number | null;
}

/** What a workspace has granted. */
export interface SlackGrant extends SlackTokens {
  /** Of a whole organisation, not of one workspace: then `workspace` is `null`. */
  readonly orgWide: boolean;
  readonly workspace: { readonly id: string; readonly name: string } | null;
  readonly enterprise: string | null;
  readonly scopes: readonly string[];
  /** Id of the account that said yes. */
  readonly installedBy: string;
}

/** Slack's word for why it gives nothing: "invalid_code", "invalid_refresh_token". Nothing was granted. */
export class SlackRefused extends Error {
  override readonly name = "SlackRefused";
  readonly code: string;

  constructor(code: string, options?: { cause?: unknown }) {
    super(`Slack refuses it: ${code}`, options);
    this.code = code;
  }
}

/** No answer, or none that can be read: what came of it is not known. */
export class SlackSilent extends Error {
  override readonly name = "SlackSilent";
}

/** The app itself at Slack, with its secret inside. All but `address` throw `SlackRefused` and `SlackSilent`. */
export interface SlackOauth {
  /** Where a browser goes to install us. `state` comes back. */
  address(o: { readonly state: string; readonly scopes: readonly string[] }): string;
  /** A code is good once. */
  exchange(code: string): Promise<SlackGrant>;
  /** A refresh token is good once. */
  renew(refresh: Secret): Promise<SlackTokens>;
  /** Who the app is where this token is good. */
  identity(access: Secret): Promise<SlackTokenOf>;
  /** Takes the app out of the workspace; every token of it ends. */
  uninstall(access: Secret): Promise<void>;
}

export interface SlackOauthOptions {
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** Where Slack sends browsers back to; the app's settings name it too. */
  readonly redirectUrl: string;
  /** "https://slack.com", without a slash at the end: where people say yes. */
  readonly site: string;
  /** Another address of the Web API than Slack's, ending in "/". */
  readonly slackApiUrl?: string;
  readonly fetch?: FetchFunction;
  /** Also how long a row is locked at most; below what the database lets a transaction idle. Default 8 s. */
  readonly timeoutMs?: number;
  readonly log: SlackAccessOptions["log"];
}

const TIMEOUT_MS = 8_000;

const Id = z.string().regex(/^[A-Z][A-Z0-9]{1,30}$/);
const Token = z.string().min(1).max(4_096);
const Pair = z.object({
  access_token: Token,
  refresh_token: Token.optional(),
  expires_in: z.number().int().positive().optional(),
});

/** https://docs.slack.dev/reference/methods/oauth.v2.access */
const Grant = Pair.extend({
  token_type: z.literal("bot"),
  scope: z.string(),
  is_enterprise_install: z.boolean().optional(),
  team: z.object({ id: Id, name: z.string().max(500).optional() }).nullish(),
  enterprise: z.object({ id: Id }).nullish(),
  authed_user: z.object({ id: Id }),
});

/** Slack's errors that say nothing about whether the call took effect, and those after which the same may work. */
const AGAIN: readonly string[] = [
  "internal_error",
  "fatal_error",
  "service_unavailable",
  "request_timeout",
  "ratelimited",
  "accesslimited",
];

/** Slack's OAuth for apps (v2) and its token rotation: https://docs.slack.dev/authentication/using-token-rotation */
export function slackOauth(o: SlackOauthOptions): SlackOauth {
  const options: WebClientOptions = {
    ...(o.slackApiUrl === undefined ? {} : { slackApiUrl: o.slackApiUrl }),
    ...(o.fetch === undefined ? {} : { fetch: o.fetch }),
    timeout: o.timeoutMs ?? TIMEOUT_MS,
    rejectRateLimitedCalls: true,
    // What is good once is sent once.
    retryConfig: { retries: 0 },
    logger: slackLogger(o.log),
  };
  const anonymous = new WebClient(undefined, options);
  const app = () => ({ client_id: o.clientId, client_secret: o.clientSecret.reveal() });

  return {
    address({ state, scopes }) {
      const url = new URL("/oauth/v2/authorize", o.site);
      url.search = new URLSearchParams({
        client_id: o.clientId,
        scope: scopes.join(","),
        redirect_uri: o.redirectUrl,
        state,
      }).toString();
      return url.href;
    },
    async exchange(code) {
      const answer = await asked(() => anonymous.oauth.v2.access({ ...app(), code, redirect_uri: o.redirectUrl }));
      const { team, enterprise, scope, authed_user, is_enterprise_install, ...pair } = readAs(Grant, answer);
      return {
        ...tokensOf(pair),
        orgWide: is_enterprise_install === true,
        workspace: team ? { id: team.id, name: team.name ?? team.id } : null,
        enterprise: enterprise?.id ?? null,
        scopes: scope.split(",").filter((one) => one !== ""),
        installedBy: authed_user.id,
      };
    },
    async renew(refresh) {
      const answer = await asked(() =>
        anonymous.oauth.v2.access({ ...app(), grant_type: "refresh_token", refresh_token: refresh.reveal() }),
      );
      return tokensOf(readAs(Pair, answer));
    },
    identity: (access) => asked(() => slackIdentity(new WebClient(access.reveal(), options))),
    async uninstall(access) {
      const client = new WebClient(access.reveal(), options);
      await asked(() => client.apps.uninstall(app()));
    },
  };
}

const tokensOf = ({ access_token, refresh_token, expires_in }: z.infer<typeof Pair>): SlackTokens => ({
  access: new Secret("slack_bot_token", access_token),
  refresh: refresh_token === undefined ? null : new Secret("slack_refresh_token", refresh_token),
  goodForMs: expires_in === undefined ? null : expires_in * 1_000,
});

/** The names of what is missing, never a value. */
function readAs<T>(shape: z.ZodType<T>, answer: unknown): T {
  const read = shape.safeParse(answer);
  if (read.success) return read.data;
  const where = [...new Set(read.error.issues.map((issue) => issue.path.join(".")))].join(", ");
  throw new SlackSilent(`Slack's answer cannot be read: ${where}`);
}

async function asked<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    const code = slackRefusal(cause);
    if (code !== null && !AGAIN.includes(code)) throw new SlackRefused(code, { cause });
    throw new SlackSilent(code ?? (cause instanceof Error ? cause.message : String(cause)), { cause });
  }
}

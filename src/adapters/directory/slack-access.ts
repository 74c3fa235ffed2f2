import { createHmac } from "node:crypto";
import { ErrorCode, type FetchFunction, type Logger, LogLevel, WebClient } from "@slack/web-api";
import { Secret } from "#ports/secret.ts";
import { type RotatedToken, withToken } from "./slack-rotated.ts";

export interface SlackAccessOptions {
  readonly botToken: Secret | RotatedToken;
  /** Another address than Slack's, for the playground: "http://127.0.0.1:3000/api/". */
  readonly slackApiUrl?: string;
  /** A proxy, or a stand-in in tests. */
  readonly fetch?: FetchFunction;
  /** One call's limit; default 10 s. */
  readonly timeoutMs?: number;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}

/** Everything that needs the bot token, with the token inside. */
export interface SlackAccess {
  /** For what a person waits for: approvals, answers to clicks, people, modals. */
  readonly urgent: WebClient;
  /** For edits of what is already shown. */
  readonly progress: WebClient;
  /** For questions about people, groups and channels: one that got no answer is asked once more, as nothing comes of it. */
  readonly reads: WebClient;
}

/** Who we are on Slack. */
export interface SlackIdentity {
  readonly workspace: string;
  readonly botUserId: string;
  readonly botId: string;
  /** Where people read the workspace, "https://acme.slack.com"; what is below it are permalinks. `null`: not said. */
  readonly url: string | null;
}

/** Whose a token is, in its own words: what an installation's papers say of it is held to this. */
export interface SlackTokenOf extends SlackIdentity {
  /** The organisation that the workspace is in now; `null`: none. */
  readonly enterprise: string | null;
  /** Of a whole organisation, whatever workspace it names. */
  readonly orgWide: boolean;
}

const TIMEOUT_MS = 10_000;
const AGAIN_MS = 100;

/**
 * Several clients: one that waits on a rate limit holds every call of its own. None waits; what writes does not try
 * again by itself either: the outbox does, by what is due.
 */
export function slackAccess(options: SlackAccessOptions): SlackAccess {
  const { botToken, slackApiUrl, timeoutMs, log } = options;
  const fixed = botToken instanceof Secret;
  const fetch = fixed ? options.fetch : withToken(botToken, options.fetch ?? globalThis.fetch);
  const client = (retries: number) =>
    new WebClient(fixed ? botToken.reveal() : undefined, {
      ...(slackApiUrl === undefined ? {} : { slackApiUrl }),
      ...(fetch === undefined ? {} : { fetch }),
      timeout: timeoutMs ?? TIMEOUT_MS,
      rejectRateLimitedCalls: true,
      retryConfig: { retries, minTimeout: AGAIN_MS, maxTimeout: AGAIN_MS },
      logger: slackLogger(log),
    });
  return {
    urgent: client(0),
    progress: client(0),
    reads: client(1),
  };
}

/** HMAC-SHA256 of a text under the signing secret, which is the app's, whoever installed it. */
export const slackHmac =
  (signingSecret: Secret) =>
  (text: string): Buffer =>
    createHmac("sha256", signingSecret.reveal()).update(text).digest();

/** Asks Slack who the token is. Throws when it is not a bot's, is refused, or Slack cannot be reached. */
export async function slackIdentity(client: WebClient): Promise<SlackTokenOf> {
  const { team_id, user_id, bot_id, url, enterprise_id, is_enterprise_install } = await client.auth.test();
  if (!team_id || !user_id || !bot_id) throw new Error("SLACK_BOT_TOKEN is not a bot's token: it starts with xoxb-");
  return {
    ...{ workspace: team_id, botUserId: user_id, botId: bot_id, url: url?.replace(/\/$/, "") ?? null },
    ...{ enterprise: enterprise_id || null, orgWide: is_enterprise_install === true },
  };
}

/** Slack's word for why it did not do what was asked: "invalid_auth". `null`: nothing that came was Slack's refusal. */
export const slackRefusal = (error: unknown): string | null =>
  error instanceof Error && "code" in error && error.code === ErrorCode.PlatformError && "data" in error
    ? ((error.data as { error?: string }).error ?? "unknown")
    : null;

/** How a token begins, which says of what kind it is and no more; "" when that is like none of Slack's. */
export const tokenKind = (token: Secret): string => /^x[a-z]{3}[-.]/.exec(token.reveal())?.[0] ?? "";

/** Slack's signing secrets are 32 hexadecimal digits. */
export const fitsSigningSecret = (secret: Secret): boolean => /^[0-9a-f]{32}$/.test(secret.reveal());

/** Slack's packages log bodies at debug; only what went wrong passes. */
export function slackLogger(log: SlackAccessOptions["log"]): Logger {
  const pass =
    (level: string) =>
    (...parts: unknown[]) =>
      log(parts.map(String).join(" "), { from: "slack", level });
  return {
    debug: () => {},
    info: () => {},
    warn: pass("warn"),
    error: pass("error"),
    setLevel: () => {},
    getLevel: () => LogLevel.WARN,
    setName: () => {},
  };
}

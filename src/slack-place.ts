import { z } from "zod";
import { Secret } from "#ports/secret.ts";

/** Several workspaces install the app by a link of ours, and each has a token of its own, kept in the database. */
export interface SlackInstalls {
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** The first seals tokens; the others open what they sealed before. */
  readonly keys: readonly [Secret, ...Secret[]];
  /** Ids of workspaces, and of organisations whose workspaces are all meant. Nobody else may install. */
  readonly allowed: readonly string[];
  /** The first workspace of them: where the policy's owners are, and GitHub's people. */
  readonly home: string;
  /** "https://slack.com": where people say yes. */
  readonly site: string;
}

/** Real workspaces, and how their requests come: over a socket of ours where there is an app token, else signed over HTTP. */
export type SlackPlace = {
  readonly intake: /** `unused`: a signing secret that is configured too. */
    | { readonly by: "socket"; readonly appToken: Secret; readonly unused: Secret | null }
    | { readonly by: "http"; readonly signingSecret: Secret };
  /** Ends in "/"; `null`: slack.com's. */
  readonly apiUrl: string | null;
  /** The app's own id; `null`: Slack is asked for it. */
  readonly appId: string | null;
  /** Of whoever made the app: reads its settings, for twelve hours. Doctor's alone. */
  readonly configToken: Secret | null;
} & (
  | { readonly botToken: Secret; readonly installs: null }
  | { readonly botToken: null; readonly installs: SlackInstalls }
);

/** 32 bytes. */
const KEY = /^[A-Za-z0-9+/]{43}=$/;
const NO_KEY = "is not 32 bytes in base64: make one with `openssl rand -base64 32`";
const WORKSPACE = /^[TE][A-Z0-9]{1,30}$/;

const parts = (text: string): string[] => text.split(",").map((part) => part.trim());

/** The settings, of the kinds that all settings have. */
export const slackSettings = <S extends z.ZodType<Secret | undefined>, U extends z.ZodType<string | undefined>>(
  secret: (name: string) => S,
  url: U,
) => ({
  SLACK_BOT_TOKEN: secret("slack_bot_token").describe(
    "Bot token of a real Slack workspace; the local Slack page when absent.",
  ),
  SLACK_APP_TOKEN: secret("slack_app_token").describe(
    "App-level token with connections:write: Slack's requests come over a socket of ours, and no public address is needed.",
  ),
  SLACK_SIGNING_SECRET: secret("slack_signing_secret").describe(
    "Signing secret of the Slack app: its requests come to PUBLIC_URL/slack; not used beside SLACK_APP_TOKEN.",
  ),
  SLACK_CLIENT_ID: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Client ID of the Slack app: people sign in to the pages with Slack; without it the start link opens them.",
    ),
  SLACK_CLIENT_SECRET: secret("slack_client_secret").describe("Client secret of the Slack app."),
  SLACK_CONFIG_TOKEN: secret("slack_config_token").describe(
    "App configuration token (xoxe.xoxp-, good for twelve hours): `countersign doctor` reads the Slack app's settings with it, and nothing else does.",
  ),
  SLACK_APP_ID: z
    .string()
    .regex(/^A[A-Z0-9]{1,30}$/, "is not an app's id such as A0ACME")
    .optional()
    .describe("Id of the Slack app, for that; Slack is asked for it with SLACK_BOT_TOKEN when absent."),
  SLACK_API_URL: url.describe("Web API of a workspace that is not on slack.com, such as https://slack-gov.com/api/."),
  COUNTERSIGN_SLACK_WORKSPACES: z
    .string()
    .transform(parts)
    .refine(
      (ids) => ids.every((id) => WORKSPACE.test(id)),
      "is not a list of ids such as T0ACME (or E0ACME for an organisation)",
    )
    .default([])
    .describe(
      "Ids of the workspaces that may install the app at PUBLIC_URL/slack/install, in place of SLACK_BOT_TOKEN; an organisation's id means all of its workspaces. The policy's owners are in the first.",
    ),
  COUNTERSIGN_TOKENS_KEY: z
    .string()
    .regex(KEY, NO_KEY)
    .transform((value) => new Secret("tokens_key", value))
    .optional()
    .describe("Key that seals the tokens of those workspaces in the database: 32 bytes in base64."),
  COUNTERSIGN_TOKENS_KEY_OLD: z
    .string()
    .transform(parts)
    .refine((keys) => keys.every((key) => KEY.test(key)), NO_KEY)
    .transform((keys) => keys.map((key) => new Secret("tokens_key_old", key)))
    .default([])
    .describe("Keys before it, separated by commas: what they sealed is sealed anew at the start."),
});

interface Settings {
  readonly SLACK_BOT_TOKEN?: Secret | undefined;
  readonly SLACK_APP_TOKEN?: Secret | undefined;
  readonly SLACK_SIGNING_SECRET?: Secret | undefined;
  readonly SLACK_CLIENT_ID?: string | undefined;
  readonly SLACK_CLIENT_SECRET?: Secret | undefined;
  readonly SLACK_CONFIG_TOKEN?: Secret | undefined;
  readonly SLACK_APP_ID?: string | undefined;
  readonly SLACK_API_URL?: string | undefined;
  readonly COUNTERSIGN_SLACK_WORKSPACES: readonly string[];
  readonly COUNTERSIGN_TOKENS_KEY?: Secret | undefined;
  readonly COUNTERSIGN_TOKENS_KEY_OLD: readonly Secret[];
}

const SEVERAL = "several workspaces install the app";
const INTAKE = "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET";

/** `null`: the local page stands in for it. A text says what is wrong, with the fix. */
export function slackOf(e: Settings): SlackPlace | null | string {
  const { SLACK_BOT_TOKEN: botToken, SLACK_APP_TOKEN: appToken, SLACK_SIGNING_SECRET: signingSecret } = e;
  const common = {
    apiUrl: e.SLACK_API_URL?.replace(/\/?$/, "/") ?? null,
    appId: e.SLACK_APP_ID ?? null,
    configToken: e.SLACK_CONFIG_TOKEN ?? null,
  };
  const intake: SlackPlace["intake"] | null =
    appToken !== undefined
      ? { by: "socket", appToken, unused: signingSecret ?? null }
      : signingSecret !== undefined
        ? { by: "http", signingSecret }
        : null;
  const several = severalIn(e);
  if (botToken !== undefined) {
    if (several !== null)
      return `SLACK_BOT_TOKEN is of one workspace, and ${several} is for when ${SEVERAL}: unset one of the two`;
    if (intake !== null) return { botToken, installs: null, ...common, intake };
    return "SLACK_BOT_TOKEN alone hears nothing: set SLACK_APP_TOKEN (Socket Mode: an app-level token with connections:write, xapp-…) or SLACK_SIGNING_SECRET with PUBLIC_URL (HTTP)";
  }
  if (several !== null) {
    const installs = installsOf(e, several, intake !== null);
    if (typeof installs === "string") return installs;
    if (intake !== null) return { botToken: null, installs, ...common, intake };
  }
  if (intake === null) return null;
  if (e.SLACK_CLIENT_ID !== undefined)
    return `SLACK_CLIENT_ID needs SLACK_BOT_TOKEN, or, where ${SEVERAL}, COUNTERSIGN_SLACK_WORKSPACES and COUNTERSIGN_TOKENS_KEY`;
  const given = appToken === undefined ? "SLACK_SIGNING_SECRET" : "SLACK_APP_TOKEN";
  return `${given} needs SLACK_BOT_TOKEN beside it: set both, or neither for the local Slack page`;
}

/** The setting that says so; `null`: none does. */
function severalIn(e: Settings): string | null {
  if (e.COUNTERSIGN_SLACK_WORKSPACES.length > 0) return "COUNTERSIGN_SLACK_WORKSPACES";
  if (e.COUNTERSIGN_TOKENS_KEY !== undefined) return "COUNTERSIGN_TOKENS_KEY";
  return e.COUNTERSIGN_TOKENS_KEY_OLD.length > 0 ? "COUNTERSIGN_TOKENS_KEY_OLD" : null;
}

function installsOf(e: Settings, given: string, heard: boolean): SlackInstalls | string {
  const { SLACK_CLIENT_ID: clientId, SLACK_CLIENT_SECRET: clientSecret, COUNTERSIGN_TOKENS_KEY: key } = e;
  const allowed = e.COUNTERSIGN_SLACK_WORKSPACES;
  const [home] = allowed;
  if (home === undefined || key === undefined || clientId === undefined || clientSecret === undefined || !heard) {
    const missing = [
      ...(clientId === undefined ? ["SLACK_CLIENT_ID"] : []),
      ...(clientSecret === undefined ? ["SLACK_CLIENT_SECRET"] : []),
      ...(home === undefined ? ["COUNTERSIGN_SLACK_WORKSPACES"] : []),
      ...(key === undefined ? ["COUNTERSIGN_TOKENS_KEY (`openssl rand -base64 32`)"] : []),
      ...(heard ? [] : [INTAKE]),
    ];
    return `${given} is for when ${SEVERAL}, and that needs ${missing.join(", ")} too; for one workspace set SLACK_BOT_TOKEN instead`;
  }
  if (!home.startsWith("T"))
    return `COUNTERSIGN_SLACK_WORKSPACES begins with ${home}: the first is the workspace of the policy's owners, and its id begins with T`;
  const site = e.SLACK_API_URL === undefined ? "https://slack.com" : new URL(e.SLACK_API_URL).origin;
  return { clientId, clientSecret, keys: [key, ...e.COUNTERSIGN_TOKENS_KEY_OLD], allowed, home, site };
}

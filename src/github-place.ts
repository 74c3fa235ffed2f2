import path from "node:path";
import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { isPrivate } from "./address.ts";

/** A secret as it was given: itself, or the absolute path of the file that holds it. */
export type Given = Secret | { readonly file: string };

/** The GitHub App that the environment names. What lies in a file is read by whoever opens the forge. */
export interface GithubAppPlace {
  readonly appId: number;
  readonly privateKey: Given;
  readonly webhookSecret: Given | null;
  /** As which people show on GitHub's own page whose account is theirs; `null`: they do it with a code. */
  readonly oauth: { readonly clientId: string; readonly clientSecret: Given } | null;
}

/** How people link their GitHub account here; `null`: there is no way. */
export const githubLinkWay = (
  app: { readonly oauth: object | null; readonly webhookSecret: object | null } | null,
): "sign_in" | "code" | null =>
  app === null ? null : app.oauth !== null ? "sign_in" : app.webhookSecret !== null ? "code" : null;

/** The settings, of the kinds that all settings have. */
export const githubSettings = <S extends z.ZodType<Secret | undefined>, U extends z.ZodType<string | undefined>>(
  secret: (name: string) => S,
  url: U,
) => ({
  GITHUB_APP_ID: z.coerce
    .number({ error: "is not a number" })
    .int()
    .positive()
    .optional()
    .describe("The GitHub App to work as (`countersign github create-app` makes one); the local git host when absent."),
  GITHUB_APP_PRIVATE_KEY: secret("github_app_private_key").describe("Private key of the GitHub App, in PEM."),
  GITHUB_APP_PRIVATE_KEY_FILE: z
    .string()
    .min(1)
    .optional()
    .describe("File with that key, readable by its owner alone."),
  GITHUB_WEBHOOK_SECRET: secret("github_webhook_secret").describe(
    "Secret of the App's webhook, which posts to PUBLIC_URL/github/webhooks; without it a timer looks instead.",
  ),
  GITHUB_WEBHOOK_SECRET_FILE: z
    .string()
    .min(1)
    .optional()
    .describe("File with that secret, readable by its owner alone."),
  GITHUB_APP_CLIENT_ID: z
    .string()
    .min(1)
    .optional()
    .describe("Client ID of the GitHub App: people link their account on GitHub's own page; with a code when absent."),
  GITHUB_APP_CLIENT_SECRET: secret("github_app_client_secret").describe("Client secret of the GitHub App."),
  GITHUB_APP_CLIENT_SECRET_FILE: z
    .string()
    .min(1)
    .optional()
    .describe("File with that secret, readable by its owner alone."),
  GITHUB_API_URL: url.describe("API of a GitHub that is not github.com, such as https://ghe.example.com/api/v3."),
});

/** `null`: the local git host. A text: what is wrong, since half an App is a mistake and not the local git host. */
export function githubAppOf(
  e: {
    readonly GITHUB_APP_ID?: number | undefined;
    readonly GITHUB_APP_PRIVATE_KEY?: Secret | undefined;
    readonly GITHUB_APP_PRIVATE_KEY_FILE?: string | undefined;
    readonly GITHUB_WEBHOOK_SECRET?: Secret | undefined;
    readonly GITHUB_WEBHOOK_SECRET_FILE?: string | undefined;
    readonly GITHUB_APP_CLIENT_ID?: string | undefined;
    readonly GITHUB_APP_CLIENT_SECRET?: Secret | undefined;
    readonly GITHUB_APP_CLIENT_SECRET_FILE?: string | undefined;
    readonly PUBLIC_URL?: string | undefined;
  },
  cwd: string,
): GithubAppPlace | null | string {
  const twice = (["GITHUB_APP_PRIVATE_KEY", "GITHUB_WEBHOOK_SECRET", "GITHUB_APP_CLIENT_SECRET"] as const).find(
    (name) => e[name] !== undefined && e[`${name}_FILE`] !== undefined,
  );
  if (twice !== undefined) return `${twice} and ${twice}_FILE say the same thing twice: unset one of them`;
  const given = (secret: Secret | undefined, file: string | undefined): Given | null =>
    secret ?? (file === undefined ? null : { file: path.resolve(cwd, file) });
  const privateKey = given(e.GITHUB_APP_PRIVATE_KEY, e.GITHUB_APP_PRIVATE_KEY_FILE);
  const webhookSecret = given(e.GITHUB_WEBHOOK_SECRET, e.GITHUB_WEBHOOK_SECRET_FILE);
  const { GITHUB_APP_CLIENT_ID: clientId, PUBLIC_URL: publicUrl } = e;
  const clientSecret = given(e.GITHUB_APP_CLIENT_SECRET, e.GITHUB_APP_CLIENT_SECRET_FILE);
  if ((clientId === undefined) !== (clientSecret === null))
    return "GITHUB_APP_CLIENT_ID and GITHUB_APP_CLIENT_SECRET (or GITHUB_APP_CLIENT_SECRET_FILE) go together: set both, or neither for people to link their accounts with a code";
  const oauth = clientId === undefined || clientSecret === null ? null : { clientId, clientSecret };
  if (e.GITHUB_APP_ID !== undefined && privateKey !== null) {
    if (oauth !== null && publicUrl === undefined)
      return "GITHUB_APP_CLIENT_ID needs PUBLIC_URL: GitHub sends people back to PUBLIC_URL/identity/github/callback";
    if (oauth !== null && publicUrl !== undefined && !isPrivate(publicUrl))
      return "GITHUB_APP_CLIENT_ID needs an https:// PUBLIC_URL: a link that is made over http can be read and taken over on its way";
    return { appId: e.GITHUB_APP_ID, privateKey, webhookSecret, oauth };
  }
  if (e.GITHUB_APP_ID === undefined && privateKey === null && webhookSecret === null && oauth === null) return null;
  return "GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY (or GITHUB_APP_PRIVATE_KEY_FILE) go together: set both, or none of GITHUB_APP_* and GITHUB_WEBHOOK_* for the local git host";
}

import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { isPrivate } from "./address.ts";

/** The Linear app that the environment names. */
export interface LinearPlace {
  /** A token that was made by hand, or what one is asked for with. */
  readonly access: { readonly token: Secret } | { readonly clientId: string; readonly clientSecret: Secret };
  /** As which people show on Linear's own page whose account is theirs; `null`: they do it with a code. */
  readonly oauth: { readonly clientId: string; readonly clientSecret: Secret } | null;
  readonly webhookSecret: Secret;
  /** Without a slash at the end. */
  readonly apiUrl: string;
}

const API_URL = "https://api.linear.app";

/** The settings, of the kinds that all settings have. */
export const linearSettings = <S extends z.ZodType<Secret | undefined>, U extends z.ZodType<string | undefined>>(
  secret: (name: string) => S,
  url: U,
) => ({
  LINEAR_CLIENT_ID: z
    .string()
    .min(1)
    .optional()
    .describe(
      "Client id of the Linear app whose tickets become runs; no tickets when absent. With an https:// PUBLIC_URL people link their account on Linear's own page, with a code without one.",
    ),
  LINEAR_CLIENT_SECRET: secret("linear_client_secret").describe(
    "Its client secret: access is asked for with it, and renewed.",
  ),
  LINEAR_ACCESS_TOKEN: secret("linear_access_token").describe(
    "Access token of the Linear app (actor=app), in place of its client id and secret.",
  ),
  LINEAR_WEBHOOK_SECRET: secret("linear_webhook_secret").describe(
    "Signing secret of the app's webhook, which posts to PUBLIC_URL/linear/webhooks.",
  ),
  LINEAR_API_URL: url.describe("Linear's API, when it is not https://api.linear.app."),
});

/** `null`: no tickets. A text: what is wrong, since half an app is a mistake. */
export function linearOf(e: {
  readonly LINEAR_CLIENT_ID?: string | undefined;
  readonly LINEAR_CLIENT_SECRET?: Secret | undefined;
  readonly LINEAR_ACCESS_TOKEN?: Secret | undefined;
  readonly LINEAR_WEBHOOK_SECRET?: Secret | undefined;
  readonly LINEAR_API_URL?: string | undefined;
  readonly PUBLIC_URL?: string | undefined;
}): LinearPlace | null | string {
  const { LINEAR_CLIENT_ID: clientId, LINEAR_CLIENT_SECRET: clientSecret, LINEAR_ACCESS_TOKEN: token } = e;
  const { LINEAR_WEBHOOK_SECRET: webhookSecret, LINEAR_API_URL: url } = e;
  if ([clientId, clientSecret, token, webhookSecret, url].every((one) => one === undefined)) return null;
  if (token !== undefined && (clientId !== undefined || clientSecret !== undefined))
    return "LINEAR_ACCESS_TOKEN and LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET say who we are twice: unset one of them";
  const access =
    token !== undefined
      ? { token }
      : clientId !== undefined && clientSecret !== undefined
        ? { clientId, clientSecret }
        : null;
  if (access === null || webhookSecret === undefined)
    return "LINEAR_WEBHOOK_SECRET and LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET (or LINEAR_ACCESS_TOKEN) go together: set all of them, or none of LINEAR_* for no tickets";
  // Linear sends people back to where they open us, and over http what they bring could be read and taken over on its way.
  const oauth = access.clientId !== undefined && e.PUBLIC_URL !== undefined && isPrivate(e.PUBLIC_URL) ? access : null;
  return { access, oauth, webhookSecret, apiUrl: url?.replace(/\/+$/, "") ?? API_URL };
}

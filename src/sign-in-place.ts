import type { Secret } from "#ports/secret.ts";
import { isPrivate } from "./address.ts";

/** The app as which people sign in to the pages with Slack. */
export interface SignInPlace {
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** "https://slack.com": whose word about people counts. */
  readonly issuer: string;
}

const SLACK = "https://slack.com";

/** `null`: the start link opens the pages. A text: what is wrong. */
export function signInOf(e: {
  readonly SLACK_CLIENT_ID?: string | undefined;
  readonly SLACK_CLIENT_SECRET?: Secret | undefined;
  readonly SLACK_API_URL?: string | undefined;
  readonly PUBLIC_URL?: string | undefined;
}): SignInPlace | null | string {
  const { SLACK_CLIENT_ID: clientId, SLACK_CLIENT_SECRET: clientSecret, PUBLIC_URL: publicUrl } = e;
  if (clientId === undefined && clientSecret === undefined) return null;
  if (clientId === undefined || clientSecret === undefined)
    return "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET go together: set both, or neither for pages that open by the start link";
  if (publicUrl === undefined)
    return "SLACK_CLIENT_ID needs PUBLIC_URL: Slack sends people back to PUBLIC_URL/signin/slack after they sign in";
  if (!isPrivate(publicUrl))
    return "SLACK_CLIENT_ID needs an https:// PUBLIC_URL: a sign-in over http can be read and taken over on its way";
  return { clientId, clientSecret, issuer: e.SLACK_API_URL === undefined ? SLACK : new URL(e.SLACK_API_URL).origin };
}

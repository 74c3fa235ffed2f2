import type { Secret } from "#ports/secret.ts";

/** A real workspace, and how its requests come: over a socket of ours where there is an app token, else signed over HTTP. */
export interface SlackPlace {
  readonly botToken: Secret;
  readonly intake: /** `unused`: a signing secret that is configured too. */
    | { readonly by: "socket"; readonly appToken: Secret; readonly unused: Secret | null }
    | { readonly by: "http"; readonly signingSecret: Secret };
  /** Ends in "/"; `null`: slack.com's. */
  readonly apiUrl: string | null;
}

interface Settings {
  readonly SLACK_BOT_TOKEN?: Secret | undefined;
  readonly SLACK_APP_TOKEN?: Secret | undefined;
  readonly SLACK_SIGNING_SECRET?: Secret | undefined;
  readonly SLACK_API_URL?: string | undefined;
}

/** `null`: the local page stands in for it. A text says what is wrong, with the fix. */
export function slackOf(e: Settings): SlackPlace | null | string {
  const { SLACK_BOT_TOKEN: botToken, SLACK_APP_TOKEN: appToken, SLACK_SIGNING_SECRET: signingSecret } = e;
  if (botToken === undefined) {
    if (appToken === undefined && signingSecret === undefined) return null;
    const given = appToken === undefined ? "SLACK_SIGNING_SECRET" : "SLACK_APP_TOKEN";
    return `${given} needs SLACK_BOT_TOKEN beside it: set both, or neither for the local Slack page`;
  }
  const apiUrl = e.SLACK_API_URL?.replace(/\/?$/, "/") ?? null;
  if (appToken !== undefined)
    return { botToken, apiUrl, intake: { by: "socket", appToken, unused: signingSecret ?? null } };
  if (signingSecret !== undefined) return { botToken, apiUrl, intake: { by: "http", signingSecret } };
  return "SLACK_BOT_TOKEN alone hears nothing: set SLACK_APP_TOKEN (Socket Mode: an app-level token with connections:write, xapp-…) or SLACK_SIGNING_SECRET with PUBLIC_URL (HTTP)";
}

/** For whoever keeps them out of the record. */
export function slackSecrets(place: SlackPlace | null): readonly Secret[] {
  if (place === null) return [];
  const { botToken, intake } = place;
  if (intake.by === "http") return [botToken, intake.signingSecret];
  return [botToken, intake.appToken, ...(intake.unused === null ? [] : [intake.unused])];
}

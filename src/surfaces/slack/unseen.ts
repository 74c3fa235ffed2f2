import type { WebClient } from "@slack/web-api";
import { z } from "zod";
import { SIGNED_IN_AT } from "#surfaces/web/sign-in.ts";
import { fine, MANIFEST, note, type SlackFinding, saidOf, wrong } from "./examine.ts";
import { type Setting, type SettingsWanted, settingsNeeded } from "./settings.ts";

export interface Unseen extends SettingsWanted {
  /** As our settings name it; `null`: Slack is asked. */
  readonly appId: string | null;
  /** A client with the bot's token; `null`: there is none. */
  readonly bot: WebClient | null;
  /** A client with an app configuration token, and how the token begins; `null`: nobody gave one. */
  readonly owner: { readonly client: WebClient; readonly tokenKind: string } | null;
}

const GENERATE =
  'At https://api.slack.com/apps, under "Your App Configuration Tokens", generate one for the workspace that the app belongs to, and set SLACK_CONFIG_TOKEN to its access token (xoxe.xoxp-), for doctor alone';
const PAGE = `On the app's "App Manifest" page`;

/** What no token of the app can see: its own settings, which its maker's token can, and who sees the pages. */
export async function examineUnseen(o: Unseen): Promise<readonly SlackFinding[]> {
  const needed = settingsNeeded(o);
  const looked = o.owner === null ? [unseen(needed)] : await compared(o, o.owner, needed);
  return [...looked, signInOf(o)];
}

/** One line for each setting, with what fails without it: whoever looks for a fault finds it by what they miss. */
const unseen = (needed: readonly Setting[]): SlackFinding =>
  note(
    "events",
    "Slack tells no token of an app which events, commands, features and addresses the app has.",
    [
      `${GENERATE}: it then compares them itself. Or compare the app's "App Manifest" page with ${MANIFEST}, setting by setting:`,
      ...needed.map(({ name, without }) => `${name}: without it ${without}.`),
    ].join("\n"),
  );

/** Each setting that the app lacks, as its maker's token shows it; where that shows nothing, why, and what to look for. */
async function compared(
  o: Unseen,
  owner: NonNullable<Unseen["owner"]>,
  needed: readonly Setting[],
): Promise<readonly SlackFinding[]> {
  if (owner.tokenKind !== "xoxe.")
    return [
      wrong(
        "config_token.kind",
        `SLACK_CONFIG_TOKEN begins with "${owner.tokenKind}": that is no app configuration token.`,
        `${GENERATE}. Beside it stands its refresh token (xoxe-), which is another.`,
      ),
      unseen(needed),
    ];
  const app = await appIdOf(o);
  if (typeof app !== "string") return [app, unseen(needed)];
  let manifest: unknown;
  try {
    ({ manifest } = Exported.parse(await owner.client.apps.manifest.export({ app_id: app })));
  } catch (error) {
    return [refused(app, saidOf(error)), unseen(needed)];
  }
  const [seen, rest] = [needed.filter(({ isIn }) => isIn !== null), needed.filter(({ isIn }) => isIn === null)];
  const missing = seen.filter(({ isIn }) => isIn?.(manifest) === false);
  return [
    ...(missing.length === 0
      ? [fine("events", `The app has each of the ${seen.length} events, features and settings that we need.`)]
      : missing.map(({ id, name, without }) =>
          wrong(
            id,
            `The app's settings lack ${name}; without it ${without}.`,
            `${PAGE}, set that as ${MANIFEST} has it${o.intake === "http" ? ", with your addresses" : ""}, and install the app again where Slack asks for it.`,
          ),
        )),
    ...rest.map(({ id, name, without }) =>
      note(id, `No token shows one setting that is needed: ${name}.`, `See that it is there: without it ${without}.`),
    ),
  ];
}

const Exported = z.object({ manifest: z.record(z.string(), z.unknown()) });
const Bot = z.object({ bot: z.object({ app_id: z.string().min(1) }) });

/** The app's id, or why nobody knows it. A token of the bot's is of one app alone. */
async function appIdOf({ appId, bot }: Unseen): Promise<string | SlackFinding> {
  if (appId !== null) return appId;
  const fix = 'Set SLACK_APP_ID to the "App ID" of "Basic Information".';
  if (bot === null)
    return wrong(
      "app_id",
      "Without a bot token Slack says of no app that it is ours, so its settings are unseen.",
      fix,
    );
  try {
    const { bot_id } = await bot.auth.test();
    if (bot_id === undefined) throw new Error("the token is no bot's");
    return Bot.parse(await bot.bots.info({ bot: bot_id })).bot.app_id;
  } catch (error) {
    return wrong("app_id", `Slack did not say which app the bot is of: ${saidOf(error)}.`, fix);
  }
}

/** https://docs.slack.dev/reference/methods/apps.manifest.export */
function refused(app: string, why: string): SlackFinding {
  if (why === "token_expired")
    return wrong("config_token", "SLACK_CONFIG_TOKEN has ended: it is good for twelve hours.", `${GENERATE}.`);
  if (["invalid_auth", "not_authed", "token_revoked", "account_inactive", "not_allowed_token_type"].includes(why))
    return wrong("config_token", `Slack does not take SLACK_CONFIG_TOKEN: ${why}.`, `${GENERATE}.`);
  if (why.startsWith("app_") || why === "invalid_app_id" || why === "no_permission")
    return wrong(
      "config_token.app",
      `Slack shows the owner of SLACK_CONFIG_TOKEN no settings of the app ${app}: ${why}.`,
      "Have somebody who may edit the app (its collaborators are under its settings) generate the token, in the workspace that the app belongs to; or correct SLACK_APP_ID.",
    );
  return wrong("config_token", `Slack did not say which settings the app has: ${why}.`, "Try again in a minute.");
}

function signInOf({ publicUrl, signsIn }: Unseen): SlackFinding {
  if (signsIn) return fine("sign_in", "People sign in to the pages with Slack, and see what is theirs.");
  return note(
    "sign_in",
    "Nobody signs in to the pages: the start link shows every run of every channel to whoever holds it.",
    `Set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET ("Basic Information") and an https:// PUBLIC_URL, and add ${publicUrl ?? "PUBLIC_URL"}${SIGNED_IN_AT} to the app's redirect URLs: docs/signing-in.md.`,
  );
}

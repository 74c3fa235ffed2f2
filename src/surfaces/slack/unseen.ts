import { SIGNED_IN_AT } from "#surfaces/web/sign-in.ts";
import { fine, MANIFEST, note, type SlackFinding } from "./examine.ts";
import { INSTALLED_AT } from "./install.ts";
import { EVENTS, FEATURES } from "./needs.ts";

/** What of the settings decides which settings of the app are needed. */
export interface Unseen {
  readonly intake: "http" | "socket";
  /** Without a slash at its end; `null`: there is no public address. */
  readonly publicUrl: string | null;
  /** People sign in to the pages with Slack. */
  readonly signsIn: boolean;
  /** Several workspaces install the app. */
  readonly installs: boolean;
}

/** What no token of the app can see, so that a person has to look: its own settings, and who sees the pages. */
export const examineUnseen = (o: Unseen): readonly SlackFinding[] => [settingsOf(o), signInOf(o)];

/** One line for each setting, with what fails without it: whoever looks for a fault finds it by what they miss. */
function settingsOf(o: Unseen): SlackFinding {
  const needed = [
    ...Object.entries(EVENTS).map(
      ([event, need]) => [`settings.event_subscriptions.bot_events, ${event}`, need.for] as const,
    ),
    ...Object.entries(FEATURES).map(([feature, need]) => [feature, need.for] as const),
    ...addresses(o),
  ];
  return note(
    "events",
    "Slack tells no token of an app which events, commands, features and addresses the app has.",
    [
      `Compare the app's "App Manifest" page with ${MANIFEST}, setting by setting:`,
      ...needed.map(([setting, without]) => `${setting}: without it ${without}.`),
    ].join("\n"),
  );
}

function addresses({ intake, publicUrl, signsIn, installs }: Unseen): (readonly [string, string])[] {
  const at = publicUrl ?? "PUBLIC_URL";
  return [
    ...(intake === "socket"
      ? []
      : ([
          ["settings.socket_mode_enabled: false", "nothing comes over HTTP"],
          [`settings.event_subscriptions.request_url, ${at}/slack/events`, "no event is heard"],
          [`settings.interactivity.request_url, ${at}/slack/interactivity`, "no button is heard"],
          [`features.slash_commands, url ${at}/slack/commands`, "/agent is not heard"],
        ] as const)),
    ...(signsIn ? [[`oauth_config.redirect_urls, ${at}${SIGNED_IN_AT}`, "nobody can sign in"] as const] : []),
    ...(installs
      ? ([
          [`oauth_config.redirect_urls, ${at}${INSTALLED_AT}`, "no workspace can install the app"],
          [
            "Manage Distribution, a page of its own: public distribution",
            "no workspace but the app's own can install it",
          ],
        ] as const)
      : []),
  ];
}

function signInOf({ publicUrl, signsIn }: Unseen): SlackFinding {
  if (signsIn) return fine("sign_in", "People sign in to the pages with Slack, and see what is theirs.");
  return note(
    "sign_in",
    "Nobody signs in to the pages: the start link shows every run of every channel to whoever holds it.",
    `Set SLACK_CLIENT_ID and SLACK_CLIENT_SECRET ("Basic Information") and an https:// PUBLIC_URL, and add ${publicUrl ?? "PUBLIC_URL"}${SIGNED_IN_AT} to the app's redirect URLs: docs/signing-in.md.`,
  );
}

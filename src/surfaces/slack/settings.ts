import { SIGNED_IN_AT } from "#surfaces/web/sign-in.ts";
import { INSTALLED_AT } from "./install.ts";
import { EVENTS, FEATURES } from "./needs.ts";

/** What of our own settings decides which settings of the app are needed. */
export interface SettingsWanted {
  readonly intake: "http" | "socket";
  /** Without a slash at its end; `null`: there is no public address. */
  readonly publicUrl: string | null;
  /** People sign in to the pages with Slack. */
  readonly signsIn: boolean;
  /** Several workspaces install the app. */
  readonly installs: boolean;
}

/** One thing that the app's settings at Slack have to say. */
export interface Setting {
  /** The end of a finding's id. */
  readonly id: string;
  /** Where it is in the manifest, for people. */
  readonly name: string;
  /** What does not work without it, as the end of "without it …". */
  readonly without: string;
  /** Whether an exported manifest has it; `null`: no manifest says. */
  readonly isIn: ((manifest: unknown) => boolean) | null;
}

const EVENT_LIST = "settings.event_subscriptions.bot_events";
const COMMAND = "/agent";

/** All that the app needs, in the order in which doctor names it: https://docs.slack.dev/reference/app-manifest */
export const settingsNeeded = (o: SettingsWanted): readonly Setting[] => [
  ...Object.entries(EVENTS).map(([event, need]) => ({
    id: `event.${event}`,
    name: `${EVENT_LIST}, ${event}`,
    without: need.for,
    isIn: (manifest: unknown) => listed(manifest, EVENT_LIST).includes(event),
  })),
  ...Object.entries(FEATURES).map(([feature, need]) => ({
    id: `setting.${feature}`,
    name: feature,
    without: need.for,
    isIn: (manifest: unknown) =>
      feature === "features.slash_commands" ? commandIn(manifest) !== undefined : Boolean(valueAt(manifest, feature)),
  })),
  is("features.app_home.messages_tab_read_only_enabled", false, "nobody can write to the bot directly"),
  ...addresses(o),
];

function addresses({ intake, publicUrl, signsIn, installs }: SettingsWanted): readonly Setting[] {
  const at = publicUrl ?? "PUBLIC_URL";
  const known = (isIn: NonNullable<Setting["isIn"]>) => (publicUrl === null ? null : isIn);
  const url = (key: string, path: string, without: string): Setting => ({
    id: `setting.${key}`,
    name: `${key}, ${at}${path}`,
    without,
    isIn: known((manifest) => valueAt(manifest, key) === `${at}${path}`),
  });
  const redirect = (path: string, without: string): Setting => ({
    id: `setting.oauth_config.redirect_urls${path}`,
    name: `oauth_config.redirect_urls, ${at}${path}`,
    without,
    // Slack also sends people back to what lies below one of them.
    isIn: known((manifest) =>
      listed(manifest, "oauth_config.redirect_urls").some((one) =>
        `${at}${path}/`.startsWith(`${one}`.replace(/\/?$/, "/")),
      ),
    ),
  });
  const command: Setting = {
    id: "setting.features.slash_commands.url",
    name: `features.slash_commands, url ${at}/slack/commands`,
    without: `${COMMAND} is not heard`,
    isIn: known((manifest) => valueAt(commandIn(manifest), "url") === `${at}/slack/commands`),
  };
  return [
    ...(intake === "socket"
      ? [is("settings.socket_mode_enabled", true, "Slack's requests do not come over our socket")]
      : [
          is("settings.socket_mode_enabled", false, "nothing comes over HTTP"),
          url("settings.event_subscriptions.request_url", "/slack/events", "no event is heard"),
          url("settings.interactivity.request_url", "/slack/interactivity", "no button is heard"),
          command,
        ]),
    ...(signsIn ? [redirect(SIGNED_IN_AT, "nobody can sign in")] : []),
    ...(installs
      ? [
          redirect(INSTALLED_AT, "no workspace can install the app"),
          {
            id: "setting.distribution",
            name: "Manage Distribution, a page of its own: public distribution",
            without: "no workspace but the app's own can install it",
            isIn: null,
          },
        ]
      : []),
  ];
}

/** A switch; one that the manifest does not name is off. */
const is = (key: string, on: boolean, without: string): Setting => ({
  id: `setting.${key}`,
  name: `${key}: ${on}`,
  without,
  isIn: (manifest) => (valueAt(manifest, key) === true) === on,
});

/** What lies below a dotted key; `undefined`: nothing. */
const valueAt = (of: unknown, key: string): unknown =>
  key
    .split(".")
    .reduce(
      (part, name) => (typeof part === "object" && part !== null ? (part as Record<string, unknown>)[name] : undefined),
      of,
    );

function listed(manifest: unknown, key: string): readonly unknown[] {
  const value = valueAt(manifest, key);
  return Array.isArray(value) ? value : [];
}

const commandIn = (manifest: unknown): unknown =>
  listed(manifest, "features.slash_commands").find((one) => valueAt(one, "command") === COMMAND);

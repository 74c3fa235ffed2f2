/**
 * What our code asks of a Slack app. The manifest is held to this, and this to the calls and listeners in the code, by
 * test/surfaces/slack/manifest.test.ts; `countersign doctor` names what an installed app lacks of it.
 */

interface Need {
  /** Bot scopes; each is needed, for another kind of channel or answer. */
  readonly scopes: readonly string[];
  /** What does not work without it, as the end of "without it …". */
  readonly for: string;
}

/** Web API methods by their bot scopes: https://docs.slack.dev/reference/methods */
export const METHODS: Readonly<Record<string, Need>> = {
  "agents.sessions.setStatus": { scopes: ["chat:write", "assistant:write"], for: "threads show no native Stop button" },
  "auth.test": { scopes: [], for: "nothing works" },
  "bots.info": { scopes: ["users:read"], for: "doctor has to be told the app's id" },
  "chat.postEphemeral": { scopes: ["chat:write"], for: "nobody is answered" },
  "chat.postMessage": { scopes: ["chat:write"], for: "nobody is answered" },
  "chat.update": { scopes: ["chat:write"], for: "messages stay as they were posted" },
  "conversations.history": {
    scopes: ["channels:history", "groups:history", "im:history"],
    for: "a message that was posted just before a crash may be posted twice",
  },
  "conversations.info": {
    scopes: ["channels:read", "groups:read", "im:read"],
    for: "no request is taken, since a channel could be shared with another organisation",
  },
  "conversations.members": {
    scopes: ["channels:read", "groups:read", "im:read"],
    for: "nobody is known to be in a channel, so its runs' pages open only to who is asked and to auditors",
  },
  "conversations.replies": {
    scopes: ["channels:history", "groups:history", "im:history"],
    for: "a message that was posted just before a crash may be posted twice",
  },
  "usergroups.list": { scopes: ["usergroups:read"], for: "doctor cannot see which user groups there are" },
  "usergroups.users.list": {
    scopes: ["usergroups:read"],
    for: "nobody is known to be in a group, so everything is refused",
  },
  "users.info": { scopes: ["users:read"], for: "nobody is known, so everything is refused" },
  "users.lookupByEmail": { scopes: ["users:read.email"], for: "code owners named by e-mail cannot be asked" },
  "views.open": { scopes: [], for: "nobody can deny with a reason" },
  "views.publish": { scopes: [], for: "the app's Home stays empty" },
};

/** App-level scopes of the token that opens sockets. */
export const APP_METHODS: Readonly<Record<string, Need>> = {
  "apps.connections.open": { scopes: ["connections:write"], for: "Slack's requests do not reach us over Socket Mode" },
};

/** What doctor asks as whoever made the app, with an app configuration token. */
export const OWNER_METHODS: Readonly<Record<string, Need>> = {
  "apps.manifest.export": { scopes: [], for: "doctor cannot see which events and features the app has" },
};

/** What an app that several workspaces install asks of Slack by its own secret, or by a token that it gives back. */
export const OAUTH_METHODS: Readonly<Record<string, Need>> = {
  "apps.uninstall": { scopes: [], for: "an installation that is not allowed stays in its workspace" },
  "oauth.v2.access": { scopes: [], for: "no workspace can install the app, and no token is renewed" },
};

/** Events that listeners of ours wait for, by the scopes that bring them: https://docs.slack.dev/reference/events */
export const EVENTS: Readonly<Record<string, Need>> = {
  agent_session_stopped: { scopes: ["assistant:write"], for: "the native Stop button stops nothing" },
  app_home_opened: { scopes: [], for: "the app's Home stays empty" },
  app_mention: { scopes: ["app_mentions:read"], for: "mentions are not heard" },
  app_uninstalled: { scopes: [], for: "runs of a workspace that has removed the app go on" },
  "message.channels": { scopes: ["channels:history"], for: "a bare stop in a public channel's thread is not heard" },
  "message.groups": { scopes: ["groups:history"], for: "a bare stop in a private channel's thread is not heard" },
  "message.im": { scopes: ["im:history"], for: "direct messages are not heard" },
  tokens_revoked: { scopes: [], for: "runs of a workspace that has revoked the bot's token go on" },
};

/** What else of the app's settings brings something to us, by its key in the manifest. */
export const FEATURES: Readonly<Record<string, Need>> = {
  "features.agent_view": { scopes: ["assistant:write"], for: "threads show no native Stop button" },
  "features.app_home.home_tab_enabled": { scopes: [], for: "the app has no Home" },
  "features.app_home.messages_tab_enabled": { scopes: ["im:history"], for: "nobody can write to the bot directly" },
  "settings.interactivity.is_enabled": {
    scopes: [],
    for: "no button is heard: nobody can approve, deny or stop by one",
  },
  "features.slash_commands": { scopes: ["commands"], for: "/agent is not known in the workspace" },
};

/** Every bot scope, with what does not work without it; sorted. */
export function scopesNeeded(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const need of [METHODS, EVENTS, FEATURES].flatMap((table) => Object.values(table)))
    for (const scope of need.scopes) {
      const before = found.get(scope) ?? [];
      if (!before.includes(need.for)) found.set(scope, [...before, need.for]);
    }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

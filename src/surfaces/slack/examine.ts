import { ErrorCode, type WebClient } from "@slack/web-api";
import { z } from "zod";
import { scopesNeeded } from "./needs.ts";

/** Something about a Slack app. "wrong": its operator has to do what `fix` says; "note": worth knowing. */
export interface SlackFinding {
  readonly level: "ok" | "note" | "wrong";
  readonly id: string;
  readonly what: string;
  readonly fix: string | null;
}

export const fine = (id: string, what: string): SlackFinding => ({ level: "ok", id: `slack.${id}`, what, fix: null });
export const note = (id: string, what: string, fix: string | null): SlackFinding => ({
  level: "note",
  id: `slack.${id}`,
  what,
  fix,
});
export const wrong = (id: string, what: string, fix: string): SlackFinding => ({
  level: "wrong",
  id: `slack.${id}`,
  what,
  fix,
});

/** The way Slack's requests come. */
export type IntakeExamination =
  | { readonly by: "http"; readonly secretFits: boolean; readonly publicUrl: string | null }
  /** `probe` throws what Slack says. */
  | { readonly by: "socket"; readonly tokenKind: string; readonly probe: () => Promise<void> };

export interface SlackExamination {
  readonly client: WebClient;
  /** The bot token's first letters, as far as they say of which kind it is; never more of it. */
  readonly botTokenKind: string;
  readonly intake: IntakeExamination;
  /** Channels that policy routes to a team: id → position of the line. */
  readonly channels: ReadonlyMap<string, string>;
  /** User groups that policy names: id → the group's name in policy. */
  readonly usergroups: ReadonlyMap<string, string>;
}

export const MANIFEST = "docs/slack-manifest.yaml";
export const INSTALL_AGAIN = `Add it under "OAuth & Permissions", "Bot Token Scopes" (${MANIFEST} has all of them), then install the app again.`;

/** What each kind of token is, by how it begins. */
const KINDS: Readonly<Record<string, string>> = {
  "xoxb-": "a bot token",
  "xoxp-": "a user token",
  "xapp-": "an app-level token",
  "xoxe.": "a token that is rotated",
  "xoxe-": "a refresh token",
};

const Auth = z.object({
  bot_id: z.string(),
  team: z.string().optional(),
  enterprise_id: z.string().optional(),
  response_metadata: z.object({ scopes: z.array(z.string()).optional() }).optional(),
});
const Channel = z.object({
  name: z.string().optional(),
  is_archived: z.boolean().optional(),
  is_member: z.boolean().optional(),
  is_im: z.boolean().optional(),
  is_ext_shared: z.boolean().optional(),
});
const Groups = z.array(z.object({ id: z.string(), handle: z.string().optional(), date_delete: z.number().optional() }));

/** Looks at the app as Slack has it. Changes nothing, and posts nothing. */
export async function examineSlack(o: SlackExamination): Promise<readonly SlackFinding[]> {
  const { client } = o;
  const [bot, intake] = await Promise.all([examineBot(client, o.botTokenKind), examineIntake(o.intake)]);
  if (bot.some(({ level, id }) => level === "wrong" && id.startsWith("slack.bot_token"))) return [...bot, ...intake];
  const [channels, groups] = await Promise.all([
    Promise.all([...o.channels].map(([id, at]) => examineChannel(client, id, at))),
    examineGroups(client, o.usergroups),
  ]);
  return [...bot, ...intake, ...channels.flat(), ...groups];
}

const kindOf = (begins: string): string => KINDS[begins] ?? "no token of Slack's";

async function examineBot(client: WebClient, kind: string): Promise<SlackFinding[]> {
  if (kind !== "xoxb-") {
    const rotated = kind.startsWith("xoxe");
    return [
      wrong(
        "bot_token.kind",
        `SLACK_BOT_TOKEN begins with "${kind}": that is ${kindOf(kind)}, not a bot token.`,
        rotated
          ? "A token that Slack rotates is kept in the database: let the workspace install the app, with COUNTERSIGN_SLACK_WORKSPACES in place of SLACK_BOT_TOKEN."
          : 'Copy the "Bot User OAuth Token" from "OAuth & Permissions": it begins with xoxb-.',
      ),
    ];
  }
  try {
    const { team, scopes: granted } = await grantedTo(client);
    return [fine("bot_token", `The bot token is of the workspace ${team ?? "(no name)"}.`), ...scopes(granted)];
  } catch (error) {
    return [
      wrong(
        "bot_token",
        `Slack does not take SLACK_BOT_TOKEN: ${saidOf(error)}.`,
        'Copy the "Bot User OAuth Token" again from "OAuth & Permissions", and see that slack.com (or SLACK_API_URL) can be reached.',
      ),
    ];
  }
}

/** Whose workspace the client's token is of, and what it may do there. Throws what Slack says. */
export async function grantedTo(client: WebClient): Promise<{
  team: string | undefined;
  /** The organisation that the workspace is in now; `null`: none. */
  enterprise: string | null;
  scopes: readonly string[];
}> {
  const { team, enterprise_id, response_metadata } = Auth.parse(await client.auth.test());
  return { team, enterprise: enterprise_id || null, scopes: response_metadata?.scopes ?? [] };
}

function scopes(granted: readonly string[]): SlackFinding[] {
  const needed = scopesNeeded();
  const missing = [...needed].filter(([scope]) => !granted.includes(scope));
  if (missing.length === 0) return [fine("scopes", `All ${needed.size} bot scopes are granted.`)];
  return missing.map(([scope, without]) =>
    wrong(`scope.${scope}`, `The bot scope ${scope} is missing, so ${without.join("; ")}.`, INSTALL_AGAIN),
  );
}

export async function examineIntake(intake: IntakeExamination): Promise<SlackFinding[]> {
  if (intake.by === "socket") return [await examineSocket(intake)];
  return [
    intake.secretFits
      ? fine("signing_secret", "The signing secret has the form of one.")
      : wrong(
          "signing_secret",
          "SLACK_SIGNING_SECRET has not the form of one: 32 hexadecimal digits.",
          'Copy "Signing Secret" from "Basic Information". It is no token, and not the client secret.',
        ),
    intake.publicUrl === null
      ? wrong(
          "public_url",
          "Slack's requests are to come over HTTP and there is no PUBLIC_URL, so Slack does not reach this machine.",
          "Set PUBLIC_URL to the https address that a proxy of yours brings here, or set SLACK_APP_TOKEN for Socket Mode.",
        )
      : fine("public_url", `Slack's requests are to come to ${intake.publicUrl}/slack.`),
  ];
}

async function examineSocket({
  tokenKind,
  probe,
}: Extract<IntakeExamination, { by: "socket" }>): Promise<SlackFinding> {
  if (tokenKind !== "xapp-")
    return wrong(
      "app_token.kind",
      `SLACK_APP_TOKEN begins with "${tokenKind}": that is ${kindOf(tokenKind)}, not an app-level token.`,
      'Make one under "Basic Information", "App-Level Tokens", with the scope connections:write: it begins with xapp-.',
    );
  try {
    await probe();
    return fine("app_token", "Slack gives us sockets: Socket Mode works.");
  } catch (error) {
    const why = saidOf(error);
    return why === "missing_scope"
      ? wrong(
          "app_token.scope.connections:write",
          "The app-level token lacks the scope connections:write, so Slack's requests do not reach us.",
          'Make another one with connections:write under "Basic Information", "App-Level Tokens".',
        )
      : wrong(
          "app_token",
          `Slack gives SLACK_APP_TOKEN no socket: ${why}.`,
          'Turn on "Socket Mode" in the app\'s settings, and copy the app-level token again.',
        );
  }
}

async function examineChannel(client: WebClient, id: string, at: string): Promise<SlackFinding[]> {
  const finding = (kind: string, what: string, fix: string) => [wrong(`channel.${kind}.${id}`, what, fix)];
  let read: z.infer<typeof Channel>;
  try {
    read = Channel.parse((await client.conversations.info({ channel: id })).channel);
  } catch (error) {
    const why = saidOf(error);
    // Whether the token may ask is said above.
    if (why === "missing_scope") return [];
    return why === "channel_not_found"
      ? finding(
          "gone",
          `Policy routes ${id} (${at}), and there is no such channel, or it is private and the bot is not in it.`,
          `Invite the bot with "/invite @agent" if it is private; else correct the id, which is at the end of the channel's details.`,
        )
      : finding("unknown", `Slack did not say what ${id} (${at}) is: ${why}.`, "Try again in a minute.");
  }
  const name = read.name === undefined ? id : `#${read.name} (${id})`;
  if (read.is_archived === true)
    return finding(
      "archived",
      `Policy routes ${name} (${at}), and it is archived.`,
      "Unarchive it, or remove the line.",
    );
  if (read.is_ext_shared === true)
    return finding(
      "shared",
      `Policy routes ${name} (${at}), and it is shared with another organisation: every request there is refused.`,
      "Route a channel of your own workspace.",
    );
  if (read.is_member !== true && read.is_im !== true)
    return finding(
      "not_member",
      `The bot is not in ${name} (${at}): nothing is heard there.`,
      `Type "/invite @agent" in it.`,
    );
  return [fine(`channel.${id}`, `The bot is in ${name}.`)];
}

async function examineGroups(client: WebClient, wanted: ReadonlyMap<string, string>): Promise<SlackFinding[]> {
  if (wanted.size === 0) return [];
  let groups: z.infer<typeof Groups>;
  try {
    groups = Groups.parse((await client.usergroups.list({ include_disabled: true })).usergroups);
  } catch (error) {
    const why = saidOf(error);
    if (why === "missing_scope") return [];
    return [wrong("usergroups", `Slack did not say which user groups there are: ${why}.`, "Try again in a minute.")];
  }
  return [...wanted].map(([id, name]) => {
    const group = groups.find((one) => one.id === id);
    if (group === undefined)
      return wrong(
        `usergroup.gone.${id}`,
        `Policy's group ${name} is the user group ${id}, and there is none, so whoever needs it is refused.`,
        'Correct the id: "Copy group ID" in the menu of the group, under "People", "User groups".',
      );
    return (group.date_delete ?? 0) > 0
      ? wrong(
          `usergroup.disabled.${id}`,
          `Policy's group ${name} is the user group @${group.handle ?? id}, and it is disabled.`,
          "Enable it, or name another in policy.",
        )
      : fine(`usergroup.${id}`, `Policy's group ${name} is @${group.handle ?? id}.`);
  });
}

/** Slack's word for what went wrong, else what was thrown. */
export function saidOf(error: unknown): string {
  if (error instanceof Error && "code" in error && error.code === ErrorCode.PlatformError && "data" in error)
    return (error.data as { error?: string }).error ?? error.message;
  return error instanceof Error ? error.message : String(error);
}

import type { WebClient } from "@slack/web-api";
import { z } from "zod";
import { type Account, type Directory, DirectoryUnavailable } from "#ports/directory.ts";
import { heldAnswers, READ_MOST_MS } from "./held.ts";
import { slackRefusal } from "./slack-access.ts";

const flag = z.boolean().optional().default(false);

/** What we read of users.info: https://docs.slack.dev/reference/objects/user-object */
const User = z.object({
  id: z.string(),
  team_id: z.string().optional(),
  name: z.string().optional(),
  real_name: z.string().optional(),
  deleted: flag,
  is_bot: flag,
  is_workflow_bot: flag,
  is_restricted: flag,
  is_ultra_restricted: flag,
  is_stranger: flag,
  is_email_confirmed: z.boolean().optional(),
  enterprise_user: z.object({ teams: z.array(z.string()).optional() }).optional(),
  profile: z
    .object({ display_name: z.string().optional(), real_name: z.string().optional(), email: z.string().optional() })
    .optional(),
});
type User = z.infer<typeof User>;

/** Slackbot is a person in `users.info`, with a fixed id on every workspace. */
const SLACKBOT = "USLACKBOT";

function kindOf(user: User, workspace: string): Account["kind"] {
  if (user.deleted) return "deactivated";
  if (user.is_bot || user.is_workflow_bot || user.id === SLACKBOT) return "bot";
  if (user.is_stranger) return "external";
  const here = user.team_id === workspace || (user.enterprise_user?.teams ?? []).includes(workspace);
  if (!here) return "external";
  // An address that nobody confirmed is an invitation, not a member.
  if (user.is_restricted || user.is_ultra_restricted || user.is_email_confirmed === false) return "guest";
  return "member";
}

/** What we read of conversations.members: https://docs.slack.dev/reference/methods/conversations.members */
const ChannelPage = z.object({
  members: z.array(z.string()),
  response_metadata: z.object({ next_cursor: z.string().optional() }).optional(),
});
/** The most that Slack gives at once, and how often we ask: a channel of more people than this is read by nobody. */
const CHANNEL_PAGE = 1_000;
const CHANNEL_PAGES_MOST = 50;

/** Errors of users.info that say "no such account" rather than "cannot know". */
const NO_SUCH_USER: readonly string[] = ["user_not_found", "user_not_visible", "users_not_found"];

export interface SlackDirectoryOptions {
  readonly client: WebClient;
  /** The workspace that the client's token belongs to: every account is named as this workspace sees it. */
  readonly workspace: string;
  /** At most 5 s; default 2 s. */
  readonly cacheMs?: number;
  readonly now?: () => number;
}

/** People and groups as Slack knows them this moment. Anything that it does not answer plainly is `DirectoryUnavailable`. */
export function slackDirectory({ client, workspace, cacheMs, now }: SlackDirectoryOptions): Directory {
  const ask = heldAnswers({ cacheMs, now });
  const askToRead = heldAnswers({ cacheMs: READ_MOST_MS, mostMs: READ_MOST_MS, now });

  async function account(id: string): Promise<Account | null> {
    let reply: { user?: unknown };
    try {
      reply = await client.users.info({ user: id });
    } catch (cause) {
      if (NO_SUCH_USER.includes(slackRefusal(cause) ?? "")) return null;
      throw new DirectoryUnavailable(`Slack did not say who ${id} is: ${words(cause)}`, { cause });
    }
    const user = User.safeParse(reply.user);
    if (!user.success || user.data.id !== id) {
      throw new DirectoryUnavailable(`Slack's answer about ${id} cannot be read`, { cause: user.error });
    }
    const { profile, name, real_name } = user.data;
    return {
      provider: "slack",
      workspace,
      id,
      name: profile?.real_name || real_name || profile?.display_name || name || id,
      kind: kindOf(user.data, workspace),
      email: profile?.email ?? null,
    };
  }

  /** The full member of this workspace who has confirmed the address. */
  async function byEmail(email: string): Promise<readonly string[]> {
    let reply: { user?: unknown };
    try {
      reply = await client.users.lookupByEmail({ email });
    } catch (cause) {
      throw new DirectoryUnavailable(`Slack did not say whose address ${email} is: ${words(cause)}`, { cause });
    }
    const user = User.safeParse(reply.user);
    const same = user.success && user.data.profile?.email?.toLowerCase() === email.toLowerCase();
    if (!same || kindOf(user.data, workspace) !== "member") {
      throw new DirectoryUnavailable(`no full member has the address ${email}`, { cause: user.error });
    }
    return [user.data.id];
  }

  async function usergroup(id: string): Promise<readonly string[]> {
    let reply: { users?: unknown };
    try {
      reply = await client.usergroups.users.list({ usergroup: id });
    } catch (cause) {
      throw new DirectoryUnavailable(`Slack did not say who is in ${id}: ${words(cause)}`, { cause });
    }
    const users = z.array(z.string()).safeParse(reply.users);
    if (!users.success) {
      throw new DirectoryUnavailable(`Slack's answer about ${id} cannot be read`, { cause: users.error });
    }
    return users.data;
  }

  async function channel(id: string): Promise<readonly string[]> {
    const found: string[] = [];
    let cursor = "";
    for (let page = 0; page < CHANNEL_PAGES_MOST; page += 1) {
      let reply: unknown;
      try {
        reply = await client.conversations.members({ channel: id, limit: CHANNEL_PAGE, ...(cursor ? { cursor } : {}) });
      } catch (cause) {
        throw new DirectoryUnavailable(`Slack did not say who is in ${id}: ${words(cause)}`, { cause });
      }
      const read = ChannelPage.safeParse(reply);
      if (!read.success) {
        throw new DirectoryUnavailable(`Slack's answer about ${id} cannot be read`, { cause: read.error });
      }
      found.push(...read.data.members);
      cursor = read.data.response_metadata?.next_cursor ?? "";
      if (cursor === "") return found;
    }
    throw new DirectoryUnavailable(`Slack did not say who is in ${id}: its list does not end`);
  }

  return {
    async account(id) {
      if (id.provider !== "slack" || id.workspace !== workspace) return null;
      return ask(`user ${id.id}`, () => account(id.id));
    },
    async members(group, on) {
      if (on !== workspace) throw new DirectoryUnavailable(`this directory is of ${workspace}, not of ${on}`);
      const named = (ids: readonly string[]) => ids.map((id) => ({ provider: "slack", workspace, id }));
      if ("people" in group) return named(group.people);
      if ("email" in group) return named(await ask(`email ${group.email}`, () => byEmail(group.email)));
      if (!("slack_usergroup" in group)) {
        throw new DirectoryUnavailable(`Slack cannot say who is in ${JSON.stringify(group)}`);
      }
      const { slack_usergroup: id } = group;
      return named(await ask(`group ${id}`, () => usergroup(id)));
    },
    async channelMembers({ provider, workspace: on, id }) {
      if (provider !== "slack" || on !== workspace) {
        throw new DirectoryUnavailable(
          `this directory knows Slack's channels of ${workspace}, not ${provider}'s of ${on}`,
        );
      }
      const ids = await askToRead(id, () => channel(id));
      return ids.map((member) => ({ provider: "slack", workspace, id: member }));
    },
  };
}

const words = (cause: unknown): string =>
  slackRefusal(cause) ?? (cause instanceof Error ? cause.message : String(cause));

import type { JsonObject, Message, OpenView, SeedChannel, SeedGroup, SeedUser, World } from "./world.ts";
import { isDirect, messagesOf } from "./world.ts";

/** Our records in the words of Slack's responses and events. */

export const CREATED = 1_700_000_000;

export function userJson(world: World, user: SeedUser): JsonObject {
  return {
    id: user.id,
    team_id: world.seed.team.id,
    name: user.name,
    deleted: false,
    real_name: user.realName,
    tz: "Etc/UTC",
    tz_label: "Coordinated Universal Time",
    tz_offset: 0,
    is_admin: false,
    is_owner: false,
    is_primary_owner: false,
    is_restricted: user.isGuest,
    is_ultra_restricted: false,
    is_bot: user.isBot,
    is_app_user: false,
    is_email_confirmed: true,
    updated: CREATED,
    profile: {
      real_name: user.realName,
      real_name_normalized: user.realName,
      display_name: user.name,
      display_name_normalized: user.name,
      team: world.seed.team.id,
      ...(user.isBot
        ? { bot_id: world.seed.app.botId, api_app_id: world.seed.app.id }
        : { email: `${user.name}@example.com` }),
    },
  };
}

export function channelJson(world: World, channel: SeedChannel): JsonObject {
  return {
    id: channel.id,
    name: channel.name,
    name_normalized: channel.name,
    is_channel: !isDirect(channel.id),
    is_group: false,
    is_im: isDirect(channel.id),
    is_mpim: false,
    is_private: false,
    is_archived: false,
    is_general: false,
    is_shared: false,
    is_org_shared: false,
    is_ext_shared: false,
    is_pending_ext_shared: false,
    is_member: channel.members.includes(world.seed.app.botUser),
    created: CREATED,
    creator: channel.members[0] ?? "",
    context_team_id: world.seed.team.id,
    num_members: channel.members.length,
    topic: { value: channel.topic, creator: "", last_set: 0 },
    purpose: { value: channel.topic, creator: "", last_set: 0 },
  };
}

export function groupJson(world: World, group: SeedGroup, withUsers: boolean): JsonObject {
  return {
    id: group.id,
    team_id: world.seed.team.id,
    is_usergroup: true,
    is_subteam: true,
    name: group.name,
    handle: group.handle,
    description: group.name,
    is_external: false,
    date_create: CREATED,
    date_update: CREATED,
    date_delete: 0,
    user_count: group.users.length,
    ...(withUsers ? { users: group.users } : {}),
  };
}

/** As `conversations.replies` and events carry it. */
export function messageJson(world: World, message: Message, o: { metadata: boolean }): JsonObject {
  const { team, app } = world.seed;
  const fromBot = message.user === app.botUser;
  const replies = message.threadTs
    ? []
    : messagesOf(world, message.channel).filter((reply) => reply.threadTs === message.ts && reply.visibleTo === null);
  const latest = replies.at(-1);
  const isRoot = replies.length > 0;
  const parent = message.threadTs ? world.messages.get(message.channel)?.get(message.threadTs) : undefined;
  return {
    type: "message",
    user: message.user,
    text: message.text,
    ts: message.ts,
    team: team.id,
    ...(message.clientMsgId ? { client_msg_id: message.clientMsgId } : {}),
    ...(fromBot
      ? {
          bot_id: app.botId,
          app_id: app.id,
          bot_profile: {
            id: app.botId,
            app_id: app.id,
            name: "agent",
            deleted: false,
            updated: CREATED,
            team_id: team.id,
          },
        }
      : {}),
    ...(message.blocks.length > 0 ? { blocks: message.blocks } : {}),
    ...(message.attachments.length > 0 ? { attachments: message.attachments } : {}),
    ...(message.threadTs ? { thread_ts: message.threadTs } : {}),
    ...(parent ? { parent_user_id: parent.user } : {}),
    ...(message.broadcast ? { subtype: "thread_broadcast" } : {}),
    ...(isRoot
      ? {
          thread_ts: message.ts,
          reply_count: replies.length,
          reply_users: [...new Set(replies.map((reply) => reply.user))],
          reply_users_count: new Set(replies.map((reply) => reply.user)).size,
          latest_reply: latest?.ts ?? "",
          is_locked: false,
          subscribed: false,
        }
      : {}),
    ...(message.edited ? { edited: { user: message.edited.user, ts: message.edited.ts } } : {}),
    ...(message.reactions.length > 0
      ? { reactions: message.reactions.map((r) => ({ name: r.name, users: r.users, count: r.users.length })) }
      : {}),
    ...(o.metadata && message.metadata ? { metadata: message.metadata } : {}),
  };
}

/** For the page and for scripts: Slack's message, and who may see it. */
export function controlMessage(world: World, message: Message): JsonObject {
  return {
    ...messageJson(world, message, { metadata: true }),
    channel: message.channel,
    is_ephemeral: message.visibleTo !== null,
    visible_to: message.visibleTo === null ? null : [message.visibleTo],
    streaming: message.streaming,
  };
}

/** As responses and interactions carry it. `values` is the state a person has filled in. */
export function viewJson(world: World, open: OpenView, values: JsonObject): JsonObject {
  const { app, team } = world.seed;
  const { view } = open;
  return {
    id: open.id,
    team_id: team.id,
    type: view.type ?? "modal",
    blocks: view.blocks ?? [],
    private_metadata: view.private_metadata ?? "",
    callback_id: view.callback_id ?? "",
    state: { values },
    hash: open.hash,
    title: view.title ?? null,
    clear_on_close: view.clear_on_close ?? false,
    notify_on_close: view.notify_on_close ?? false,
    close: view.close ?? null,
    submit: view.submit ?? null,
    previous_view_id: open.previousId,
    root_view_id: open.rootId,
    app_id: app.id,
    external_id: view.external_id ?? "",
    app_installed_team_id: team.id,
    bot_id: app.botId,
  };
}

import { objects } from "#playground/slack/ids.ts";
import { PATHS } from "#playground/slack/paths.ts";
import { edit, post, remove } from "#playground/slack/posting.ts";
import { messageJson } from "#playground/slack/shape.ts";
import { findMessage, isDirect, type JsonObject, type Message } from "#playground/slack/world.ts";
import { type Call, channelOf, flag, isMember, knownUser, type Method, optional, refuse, str } from "./call.ts";

/** What Slack puts where a client cannot show blocks and the app sent no text. */
const NO_FALLBACK = "This content can't be displayed.";

const hasContent = (call: Call) =>
  str(call, "text").trim() !== "" ||
  str(call, "markdown_text") !== "" ||
  objects(call.args.blocks).length > 0 ||
  objects(call.args.attachments).length > 0;

function content(call: Call): { text: string; blocks: readonly JsonObject[]; attachments: readonly JsonObject[] } {
  const markdown = str(call, "markdown_text");
  const blocks = objects(call.args.blocks);
  return {
    text: str(call, "text") || markdown || NO_FALLBACK,
    blocks: markdown ? [{ type: "markdown", text: markdown }] : blocks,
    attachments: objects(call.args.attachments),
  };
}

const metadataOf = (call: Call): JsonObject | null => {
  const given = call.args.metadata;
  return typeof given === "object" && given !== null && !Array.isArray(given) ? (given as JsonObject) : null;
};

/** The root of the thread that a reply to `ts` belongs to; `null` for no thread, undefined when it does not exist. */
function threadOf(call: Call, channel: string): string | null | undefined {
  const ts = optional(call, "thread_ts");
  if (ts === null) return null;
  const message = findMessage(call.house.world, channel, ts);
  return message && message.visibleTo === null ? (message.threadTs ?? message.ts) : undefined;
}

/** A person's own id in place of a channel: the app's direct message with them. */
const directWith = (call: Call) => {
  const user = str(call, "channel");
  return call.house.world.seed.channels.find(({ id, members }) => isDirect(id) && members.includes(user));
};

const postMessage: Method = (call) => {
  const { house } = call;
  const { botUser } = house.world.seed.app;
  const channel = channelOf(call) ?? directWith(call);
  if (!channel) return refuse("channel_not_found");
  if (!isMember(channel, botUser)) return refuse("not_in_channel");
  if (call.args.markdown_text !== undefined && (call.args.text !== undefined || call.args.blocks !== undefined)) {
    return refuse("markdown_text_conflict");
  }
  if (!hasContent(call)) return refuse("no_text");
  const threadTs = threadOf(call, channel.id);
  if (threadTs === undefined) return refuse("thread_not_found");
  const metadata = metadataOf(call);
  if (metadata && (metadata.event_type === undefined) !== (metadata.event_payload === undefined)) {
    return refuse("invalid_metadata_format");
  }
  const broadcast = threadTs !== null && flag(call, "reply_broadcast");
  const message = post(house, { channel: channel.id, user: botUser, ...content(call), threadTs, broadcast, metadata });
  return {
    ok: true,
    channel: channel.id,
    ts: message.ts,
    message: messageJson(house.world, message, { metadata: true }),
  };
};

const postEphemeral: Method = (call) => {
  const { house } = call;
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  if (!isMember(channel, house.world.seed.app.botUser)) return refuse("not_in_channel");
  const user = str(call, "user");
  if (!knownUser(call, user) || !isMember(channel, user)) return refuse("user_not_in_channel");
  if (!hasContent(call)) return refuse("no_text");
  const threadTs = threadOf(call, channel.id);
  if (threadTs === undefined) return refuse("thread_not_found");
  const message = post(house, {
    channel: channel.id,
    user: house.world.seed.app.botUser,
    ...content(call),
    threadTs,
    visibleTo: user,
  });
  return { ok: true, message_ts: message.ts };
};

/** The message an app may change: its own, and not an ephemeral one, which only its `response_url` reaches. */
function own(call: Call, refused: string): Message | string {
  const channel = channelOf(call);
  if (!channel) return "channel_not_found";
  const message = findMessage(call.house.world, channel.id, str(call, "ts"));
  if (!message || message.visibleTo !== null) return "message_not_found";
  return message.user === call.house.world.seed.app.botUser ? message : refused;
}

const update: Method = (call) => {
  const message = own(call, "cant_update_message");
  if (typeof message === "string") return refuse(message);
  const keepsBlocks = call.args.blocks === undefined && call.args.markdown_text === undefined;
  if (!hasContent(call) && (keepsBlocks ? message.blocks.length === 0 : true)) return refuse("no_text");
  const given = content(call);
  const { args } = call;
  const metadata = metadataOf(call);
  const after = edit(call.house, message, {
    text: args.text === undefined && args.markdown_text === undefined ? message.text : given.text,
    // Slack keeps what is left out and removes what is sent empty.
    ...(keepsBlocks ? {} : { blocks: given.blocks }),
    ...(args.attachments === undefined ? {} : { attachments: given.attachments }),
    ...(metadata === null ? {} : { metadata: Object.keys(metadata).length > 0 ? metadata : null }),
  });
  return {
    ok: true,
    channel: after.channel,
    ts: after.ts,
    text: after.text,
    message: messageJson(call.house.world, after, { metadata: true }),
  };
};

const del: Method = (call) => {
  const message = own(call, "cant_delete_message");
  if (typeof message === "string") return refuse(message);
  remove(call.house, message);
  return { ok: true, channel: message.channel, ts: message.ts };
};

const getPermalink: Method = (call) => {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const message = findMessage(call.house.world, channel.id, str(call, "message_ts"));
  if (!message || message.visibleTo !== null) return refuse("message_not_found");
  const thread = message.threadTs ? `?thread_ts=${message.threadTs}&cid=${channel.id}` : "";
  const permalink = `${call.origin}${PATHS.archives}/${channel.id}/p${message.ts.replace(".", "")}${thread}`;
  return { ok: true, channel: channel.id, permalink };
};

export const CHAT: Readonly<Record<string, Method>> = {
  "chat.postMessage": postMessage,
  "chat.postEphemeral": postEphemeral,
  "chat.update": update,
  "chat.delete": del,
  "chat.getPermalink": getPermalink,
};

import { channelJson, messageJson } from "#playground/slack/shape.ts";
import { findMessage, type Message, messagesOf } from "#playground/slack/world.ts";
import { type Call, channelOf, flag, type Method, page, refuse, str } from "./call.ts";

const info: Method = (call) => {
  const channel = channelOf(call);
  return channel ? { ok: true, channel: channelJson(call.house.world, channel) } : refuse("channel_not_found");
};

const list: Method = (call) => {
  const { world } = call.house;
  const all = world.seed.channels.map((channel) => channelJson(world, channel));
  const { items, next } = page(call, all, 100);
  return { ok: true, channels: items, response_metadata: { next_cursor: next } };
};

const members: Method = (call) => {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const { items, next } = page(
    call,
    channel.members.map((id) => ({ id })),
    100,
  );
  return { ok: true, members: items.map(({ id }) => id ?? ""), response_metadata: { next_cursor: next } };
};

function between(call: Call, messages: readonly Message[]): Message[] {
  const oldest = str(call, "oldest") || "0";
  const latest = str(call, "latest") || "9";
  const ends = flag(call, "inclusive");
  return messages.filter(
    ({ ts }) => (ts > oldest || (ends && ts === oldest)) && (ts < latest || (ends && ts === latest)),
  );
}

const history: Method = (call) => {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const { world } = call.house;
  const roots = messagesOf(world, channel.id).filter(
    (m) => m.visibleTo === null && (m.threadTs === null || m.broadcast),
  );
  const shaped = between(call, roots).map((message) =>
    messageJson(world, message, { metadata: flag(call, "include_all_metadata") }),
  );
  const { items, next } = page(call, shaped.reverse(), 100);
  return { ok: true, messages: items, has_more: next !== "", pin_count: 0, response_metadata: { next_cursor: next } };
};

const replies: Method = (call) => {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const { world } = call.house;
  const asked = findMessage(world, channel.id, str(call, "ts"));
  if (!asked || asked.visibleTo !== null) return refuse("thread_not_found");
  const rootTs = asked.threadTs ?? asked.ts;
  const root = findMessage(world, channel.id, rootTs);
  const inThread = messagesOf(world, channel.id).filter((m) => m.threadTs === rootTs && m.visibleTo === null);
  // The first message of the thread always comes along, whatever the range.
  const shaped = [...(root ? [root] : []), ...between(call, inThread)].map((message) =>
    messageJson(world, message, { metadata: flag(call, "include_all_metadata") }),
  );
  const { items, next } = page(call, shaped, 1_000);
  return { ok: true, messages: items, has_more: next !== "", response_metadata: { next_cursor: next } };
};

export const CONVERSATIONS: Readonly<Record<string, Method>> = {
  "conversations.info": info,
  "conversations.list": list,
  "conversations.members": members,
  "conversations.history": history,
  "conversations.replies": replies,
};

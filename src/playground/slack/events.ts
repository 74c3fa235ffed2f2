import type { House } from "./house.ts";
import { messageJson } from "./shape.ts";
import { mentions } from "./text.ts";
import { isDirect, type JsonObject, type Message } from "./world.ts";

/** The event's name in the app's subscriptions, and what its body says of the channel. */
const kindOf = (channel: string) =>
  isDirect(channel)
    ? { event: "message.im", channel_type: "im" }
    : { event: "message.channels", channel_type: "channel" };

/**
 * What Slack tells the app about a message: `message.channels` always, and `app_mention` when it mentions the bot. A direct
 * message is `message.im` alone: there nobody has to be named.
 */
export function announceMessage(house: House, message: Message): void {
  const { botUser } = house.world.seed.app;
  const body = messageJson(house.world, message, { metadata: true });
  const common: JsonObject = { ...body, channel: message.channel, event_ts: message.ts };
  const { event, channel_type } = kindOf(message.channel);
  house.deliveries.send(event, { ...common, channel_type });
  if (!isDirect(message.channel) && message.user !== botUser && mentions(message.text, botUser)) {
    house.deliveries.send("app_mention", { ...common, type: "app_mention" });
  }
}

export function announceChange(house: House, before: Message, after: Message): void {
  const ts = house.journal.nextTs();
  const { event, channel_type } = kindOf(after.channel);
  house.deliveries.send(event, {
    type: "message",
    subtype: "message_changed",
    hidden: true,
    message: messageJson(house.world, after, { metadata: true }),
    previous_message: messageJson(house.world, before, { metadata: true }),
    channel: after.channel,
    channel_type,
    ts,
    event_ts: ts,
  });
}

export function announceDeletion(house: House, message: Message): void {
  const ts = house.journal.nextTs();
  const { event, channel_type } = kindOf(message.channel);
  house.deliveries.send(event, {
    type: "message",
    subtype: "message_deleted",
    hidden: true,
    deleted_ts: message.ts,
    previous_message: messageJson(house.world, message, { metadata: true }),
    channel: message.channel,
    channel_type,
    ts,
    event_ts: ts,
  });
}

export function announceReaction(
  house: House,
  kind: "reaction_added" | "reaction_removed",
  o: { user: string; name: string; message: Message },
): void {
  house.deliveries.send(kind, {
    type: kind,
    user: o.user,
    reaction: o.name,
    item_user: o.message.user,
    item: { type: "message", channel: o.message.channel, ts: o.message.ts },
    event_ts: house.journal.nextTs(),
  });
}

/** The native Stop button. Slack changes nothing by itself: the app stops its work and then says so. */
export function announceStop(
  house: House,
  o: { user: string; channel: string; threadTs: string; streaming: readonly string[] },
): void {
  house.deliveries.send("agent_session_stopped", {
    type: "agent_session_stopped",
    user: o.user,
    channel: o.channel,
    thread_ts: o.threadTs,
    streaming_message_ts: o.streaming,
    event_ts: house.journal.nextTs(),
  });
}

import type { House } from "./house.ts";
import { messageJson } from "./shape.ts";
import { mentions } from "./text.ts";
import type { JsonObject, Message } from "./world.ts";

/** What Slack tells the app about a message: `message.channels` always, and `app_mention` when it mentions the bot. */
export function announceMessage(house: House, message: Message): void {
  const { botUser } = house.world.seed.app;
  const body = messageJson(house.world, message, { metadata: true });
  const common: JsonObject = { ...body, channel: message.channel, event_ts: message.ts };
  house.deliveries.send("message.channels", { ...common, channel_type: "channel" });
  if (message.user !== botUser && mentions(message.text, botUser)) {
    house.deliveries.send("app_mention", { ...common, type: "app_mention" });
  }
}

export function announceChange(house: House, before: Message, after: Message): void {
  const ts = house.journal.nextTs();
  house.deliveries.send("message.channels", {
    type: "message",
    subtype: "message_changed",
    hidden: true,
    message: messageJson(house.world, after, { metadata: true }),
    previous_message: messageJson(house.world, before, { metadata: true }),
    channel: after.channel,
    channel_type: "channel",
    ts,
    event_ts: ts,
  });
}

export function announceDeletion(house: House, message: Message): void {
  const ts = house.journal.nextTs();
  house.deliveries.send("message.channels", {
    type: "message",
    subtype: "message_deleted",
    hidden: true,
    deleted_ts: message.ts,
    previous_message: messageJson(house.world, message, { metadata: true }),
    channel: message.channel,
    channel_type: "channel",
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

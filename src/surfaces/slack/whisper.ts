import type { WebClient } from "@slack/web-api";
import type { Place } from "#ports/chat.ts";
import type { Card } from "./cards/blocks.ts";
import { failureOf } from "./failure.ts";

/** This person cannot be reached in this channel any more: no later try helps. */
const GONE: readonly string[] = [
  "user_not_in_channel",
  "channel_not_found",
  "is_archived",
  "not_in_channel",
  "user_not_found",
  "messages_tab_disabled",
];

export type Log = (message: string, fields?: Readonly<Record<string, unknown>>) => void;

/**
 * A note that one person sees: in a direct message a reply that stays. `inThread`: Slack shows an ephemeral reply only in a thread that has replies, so an
 * answer to a channel's first message goes beside it. What belongs to no thread and cannot be shown where it was asked comes
 * in a direct message. Throws Slack's error when a later try may succeed.
 */
export async function whisper(
  client: WebClient,
  log: Log,
  at: { readonly place: Place; readonly user: string; readonly inThread: boolean },
  card: Card,
): Promise<void> {
  const { place, user, inThread } = at;
  try {
    if (isDirect(place.channel) || place.channel === user) {
      await client.chat.postMessage({
        channel: place.channel,
        ...(place.thread === "" ? {} : { thread_ts: place.thread }),
        text: card.text,
        blocks: card.blocks,
        unfurl_links: false,
        unfurl_media: false,
      });
      return;
    }
    await client.chat.postEphemeral({
      channel: place.channel,
      user,
      ...(inThread ? { thread_ts: place.thread } : {}),
      text: card.text,
      blocks: card.blocks,
    });
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind !== "refused" || !GONE.includes(failure.error)) throw error;
    // A command can be typed where we are not: its answer then comes in a direct message.
    if (place.thread === "" && place.channel !== user)
      return whisper(client, log, { place: { ...place, channel: user }, user, inThread: false }, card);
    log("a note could not reach its person", { user, channel: place.channel, error: failure.error });
  }
}

/**
 * Slack's ids of direct messages begin with a D; a person's own id in its place is our direct message with them. Only where
 * a note is shown hangs on it. https://docs.slack.dev/reference/methods/chat.postMessage
 */
const isDirect = (channel: string): boolean => /^[DUW]/.test(channel);

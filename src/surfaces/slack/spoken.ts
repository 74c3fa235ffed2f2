import { z } from "zod";
import { isStopWord } from "./speech.ts";

/** https://docs.slack.dev/reference/events/app_mention and message */
const Body = z.object({
  type: z.literal("event_callback"),
  team_id: z.string(),
  event_id: z.string(),
  is_ext_shared_channel: z.boolean().optional(),
  event: z.object({
    type: z.enum(["app_mention", "message"]),
    user: z.string(),
    text: z.string(),
    channel: z.string(),
    ts: z.string(),
    thread_ts: z.string().optional(),
    channel_type: z.string().optional(),
    // What any of these marks was not said by a person just now.
    bot_id: z.undefined().optional(),
    edited: z.undefined().optional(),
    hidden: z.undefined().optional(),
    subtype: z.enum(["file_share", "thread_broadcast"]).optional(),
  }),
});

/** A message as the envelope has it. */
export interface Spoken {
  readonly workspace: string;
  readonly user: string;
  readonly text: string;
  readonly channel: string;
  readonly ts: string;
  readonly thread: string | null;
  /** Said to us: by a mention or in a direct message. */
  readonly addressed: boolean;
  /** In a direct message. */
  readonly direct: boolean;
  /** Slack marked the channel as shared with another organisation. */
  readonly external: boolean;
}

/** What a person just said that is ours to hear: to us, or a bare word for stop in a thread. `null`: nothing. */
export function spokenOf(body: unknown): Spoken | null {
  const parsed = Body.safeParse(body);
  if (!parsed.success) return null;
  const { team_id, is_ext_shared_channel, event } = parsed.data;
  const addressed = event.type === "app_mention" || event.channel_type === "im";
  if (!addressed && !(event.thread_ts !== undefined && isStopWord(event.text))) return null;
  return {
    workspace: team_id,
    user: event.user,
    text: event.text,
    channel: event.channel,
    ts: event.ts,
    thread: event.thread_ts ?? null,
    addressed,
    direct: event.channel_type === "im",
    external: is_ext_shared_channel === true,
  };
}

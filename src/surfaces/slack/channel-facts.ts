import type { WebClient } from "@slack/web-api";
import { z } from "zod";
import type { Log } from "./whisper.ts";

/**
 * How long an answer may be used again: as live as membership is. It joins the calls that one message makes; Slack
 * also says with each event whether the channel is shared already.
 */
const LIVE: Hold = { knownMs: 2_000, unknownMs: 0 };
const HELD_MOST = 1_000;

/** How long an answer may be used again, and how long nothing is asked after there was none. */
export interface Hold {
  readonly knownMs: number;
  readonly unknownMs: number;
}

const Channel = z.object({
  name: z.string().optional(),
  is_ext_shared: z.boolean().optional(),
  is_pending_ext_shared: z.boolean().optional(),
  is_im: z.boolean().optional(),
  is_mpim: z.boolean().optional(),
});

export interface ChannelFacts {
  /** With another organisation, or about to be. */
  readonly shared: boolean;
  /** Between one person and us. */
  readonly direct: boolean;
  /** What people call it, without its "#"; `null`: nothing, as among a few people. */
  readonly name: string | null;
}

/** What Slack says of a channel now. `null`: it cannot be known now. */
export function channelFacts(
  reads: WebClient,
  now: () => Date,
  log: Log,
  hold: Hold = LIVE,
): (channel: string) => Promise<ChannelFacts | null> {
  const held = new Map<string, { readonly until: number; readonly answer: Promise<ChannelFacts | null> }>();

  async function ask(channel: string): Promise<ChannelFacts | null> {
    try {
      const reply = await reads.conversations.info({ channel });
      const read = Channel.safeParse(reply.channel);
      if (!read.success) return null;
      const { is_ext_shared, is_pending_ext_shared, is_im, is_mpim, name } = read.data;
      const shared = is_ext_shared === true || is_pending_ext_shared === true;
      return { shared, direct: is_im === true, name: is_im || is_mpim ? null : name || null };
    } catch (error) {
      log("Slack did not say what the channel is", { channel, error: String(error) });
      return null;
    }
  }

  return (channel) => {
    const at = now().getTime();
    const kept = held.get(channel);
    if (kept && at < kept.until) return kept.answer;
    const answer = ask(channel);
    if (held.size >= HELD_MOST) held.clear();
    held.set(channel, { until: at + hold.knownMs, answer });
    void answer.then((known) => {
      if (known === null && held.get(channel)?.answer === answer)
        held.set(channel, { until: now().getTime() + hold.unknownMs, answer });
    });
    return answer;
  };
}

import type { WebClient } from "@slack/web-api";
import { z } from "zod";
import type { Log } from "./whisper.ts";

/**
 * How long an answer may be used again: as live as membership is. It joins the calls that one message makes; Slack
 * also says with each event whether the channel is shared already.
 */
const HOLD_MS = 2_000;
const HELD_MOST = 1_000;

const Shared = z.object({ is_ext_shared: z.boolean().optional(), is_pending_ext_shared: z.boolean().optional() });

/** Whether a channel is shared with another organisation, or about to be. `null`: it cannot be known now. */
export function channelFacts(
  urgent: WebClient,
  now: () => Date,
  log: Log,
): (channel: string) => Promise<boolean | null> {
  const held = new Map<string, { readonly until: number; readonly answer: Promise<boolean | null> }>();

  async function ask(channel: string): Promise<boolean | null> {
    try {
      const reply = await urgent.conversations.info({ channel });
      const read = Shared.safeParse(reply.channel);
      if (!read.success) return null;
      return read.data.is_ext_shared === true || read.data.is_pending_ext_shared === true;
    } catch (error) {
      log("Slack did not say whether the channel is shared", { channel, error: String(error) });
      return null;
    }
  }

  return (channel) => {
    const at = now().getTime();
    const kept = held.get(channel);
    if (kept && at < kept.until) return kept.answer;
    const answer = ask(channel);
    if (held.size >= HELD_MOST) held.clear();
    held.set(channel, { until: at + HOLD_MS, answer });
    void answer.then((known) => {
      if (known === null && held.get(channel)?.answer === answer) held.delete(channel);
    });
    return answer;
  };
}

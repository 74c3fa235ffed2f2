import { z } from "zod";
import { commandOf } from "./commands.ts";
import { readDeny } from "./deny-modal.ts";
import { homeClickOf, stoppedOf } from "./native.ts";
import { spokenOf } from "./spoken.ts";

const Act = z.object({
  action_id: z.string(),
  action_ts: z.string(),
  value: z.string().optional(),
  selected_option: z.object({ value: z.string() }).nullish(),
});

const Body = z.object({
  user: z.object({ id: z.string() }),
  channel: z.object({ id: z.string() }),
  container: z.object({ message_ts: z.string().optional(), thread_ts: z.string().optional() }).optional(),
  message: z.object({ ts: z.string(), thread_ts: z.string().optional() }).optional(),
  trigger_id: z.string().default(""),
  actions: z.tuple([Act], Act),
});

/** A button press or a choice from a menu, as far as we care. */
export interface Click {
  readonly user: string;
  readonly channel: string;
  readonly thread: string;
  readonly triggerId: string;
  /** When Slack saw it; unique with the person and the button. */
  readonly at: string;
  readonly action: string;
  readonly value: string | undefined;
}

/** `null` when it is no press of a button, and no choice, on a message. */
export function clickOf(body: unknown): Click | null {
  const parsed = Body.safeParse(body);
  if (!parsed.success) return null;
  const { user, channel, container, message, trigger_id, actions } = parsed.data;
  // An ephemeral message has no `message`, only a container.
  const thread = container?.thread_ts ?? message?.thread_ts ?? message?.ts ?? container?.message_ts;
  if (thread === undefined) return null;
  const [{ action_id: action, action_ts: at, value: own, selected_option }] = actions;
  const value = own ?? selected_option?.value;
  return { user: user.id, channel: channel.id, thread, triggerId: trigger_id, at, action, value };
}

export interface Whereabouts {
  readonly user: string;
  readonly channel: string;
  readonly thread: string;
  readonly inThread: boolean;
}

/** Who waits for an answer to this delivery, and where. `null`: nobody does. */
export function whereabouts(body: unknown): Whereabouts | null {
  const spoken = spokenOf(body);
  if (spoken) {
    const { user, channel, ts, thread, addressed } = spoken;
    return addressed ? { user, channel, thread: thread ?? ts, inThread: thread !== null } : null;
  }
  const click = clickOf(body);
  if (click) return { user: click.user, channel: click.channel, thread: click.thread, inThread: true };
  const command = commandOf(body);
  if (command) return { user: command.user, channel: command.channel, thread: "", inThread: false };
  const atHome = homeClickOf(body);
  // The Home has no channel: a direct message is the person's own.
  if (atHome) return { user: atHome.user, channel: atHome.user, thread: "", inThread: false };
  const stopped = stoppedOf(body);
  if (stopped) return { user: stopped.user, channel: stopped.channel, thread: stopped.thread, inThread: true };
  const submitted = z.object({ user: z.object({ id: z.string() }), view: z.unknown() }).safeParse(body);
  const read = submitted.success ? readDeny(submitted.data.view) : null;
  if (!submitted.success || read === null) return null;
  return { user: submitted.data.user.id, channel: read.place.channel, thread: read.place.thread, inThread: true };
}

import { z } from "zod";

/** What people do with the parts of Slack that are the app's own: its Home, and the Stop button of an agent's session. */
const Event = z.object({ type: z.literal("event_callback"), team_id: z.string(), event_id: z.string() });

/** https://docs.slack.dev/reference/events/app_home_opened */
const Opened = Event.extend({
  event: z.object({ type: z.literal("app_home_opened"), user: z.string(), tab: z.literal("home") }),
});

/** `AgentSessionStoppedEvent` of @slack/types 3.2. */
const Stopped = Event.extend({
  is_ext_shared_channel: z.boolean().optional(),
  event: z.object({
    type: z.literal("agent_session_stopped"),
    user: z.string(),
    channel: z.string(),
    thread_ts: z.string(),
    event_ts: z.string(),
  }),
});

const Pressed = z.object({
  type: z.literal("block_actions"),
  team: z.object({ id: z.string() }).nullish(),
  user: z.object({ id: z.string() }),
  trigger_id: z.string().default(""),
  container: z.object({ type: z.literal("view") }),
  view: z.object({ type: z.literal("home") }),
  actions: z.tuple(
    [
      z.object({
        action_id: z.string(),
        action_ts: z.string(),
        value: z.string().optional(),
        selected_option: z.object({ value: z.string() }).nullish(),
      }),
    ],
    z.unknown(),
  ),
});

/** Somebody looks at the app's Home; `null`: it is something else. */
export function openedOf(body: unknown): { workspace: string; event: string; user: string } | null {
  const read = Opened.safeParse(body);
  if (!read.success) return null;
  return { workspace: read.data.team_id, event: read.data.event_id, user: read.data.event.user };
}

/** Somebody pressed Slack's own Stop in a thread. Slack stops nothing by itself. `null`: it is something else. */
export function stoppedOf(body: unknown): {
  workspace: string;
  user: string;
  channel: string;
  thread: string;
  at: string;
  external: boolean;
} | null {
  const read = Stopped.safeParse(body);
  if (!read.success) return null;
  const { team_id, is_ext_shared_channel, event } = read.data;
  return {
    workspace: team_id,
    user: event.user,
    channel: event.channel,
    thread: event.thread_ts,
    at: event.event_ts,
    external: is_ext_shared_channel === true,
  };
}

/** A press of a button, or a choice from a menu, in the app's Home; `null`: it is something else. */
export function homeClickOf(body: unknown): {
  workspace: string;
  user: string;
  action: string;
  at: string;
  value: string;
  triggerId: string;
} | null {
  const read = Pressed.safeParse(body);
  if (!read.success) return null;
  const { team, user, trigger_id, actions } = read.data;
  const [{ action_id, action_ts, value, selected_option }] = actions;
  return {
    workspace: team?.id ?? "-",
    user: user.id,
    action: action_id,
    at: action_ts,
    value: value ?? selected_option?.value ?? "",
    triggerId: trigger_id,
  };
}

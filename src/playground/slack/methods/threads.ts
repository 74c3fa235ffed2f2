import { react } from "#playground/slack/posting.ts";
import { messageJson } from "#playground/slack/shape.ts";
import { findMessage } from "#playground/slack/world.ts";
import { type Call, channelOf, type Method, optional, refuse, str } from "./call.ts";

/** Reactions, and what a thread shows about the agent's work. */

function reaction(call: Call, add: boolean) {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const name = str(call, "name").replaceAll(":", "");
  if (!/^[a-z0-9_+'-]+$/.test(name)) return refuse("invalid_name");
  const user = call.house.world.seed.app.botUser;
  const error = react(call.house, { channel: channel.id, ts: str(call, "timestamp"), user, name, add });
  return error ? refuse(error) : { ok: true };
}

const get: Method = (call) => {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const message = findMessage(call.house.world, channel.id, str(call, "timestamp"));
  if (!message || message.visibleTo !== null) return refuse("message_not_found");
  const { world } = call.house;
  return { ok: true, type: "message", channel: channel.id, message: messageJson(world, message, { metadata: false }) };
};

const SESSION_STATES = ["active", "processing", "suspended", "closed"];

const setStatus: Method = (call) => {
  const channel = channelOf(call, "channel_id");
  if (!channel) return refuse("channel_not_found");
  const threadTs = str(call, "thread_ts");
  const known = call.house.world.statuses.get(`${channel.id}/${threadTs}`);
  call.house.journal.commit({
    op: "status",
    status: { channel: channel.id, threadTs, text: str(call, "status"), session: known?.session ?? null },
  });
  return { ok: true };
};

const setSession: Method = (call) => {
  const channel = channelOf(call, "channel_id");
  if (!channel) return refuse("channel_not_found");
  const session = str(call, "status");
  if (!SESSION_STATES.includes(session)) return refuse("invalid_arguments");
  const threadTs = optional(call, "thread_ts");
  if (threadTs === null) return refuse("thread_ts_required");
  if (str(call, "title").length > 200) return refuse("invalid_arguments");
  // One slot on the screen for both: the last writer wins.
  call.house.journal.commit({ op: "status", status: { channel: channel.id, threadTs, text: "", session } });
  return { ok: true };
};

export const THREADS: Readonly<Record<string, Method>> = {
  "reactions.add": (call) => reaction(call, true),
  "reactions.remove": (call) => reaction(call, false),
  "reactions.get": get,
  "assistant.threads.setStatus": setStatus,
  "agents.sessions.setStatus": setSession,
};

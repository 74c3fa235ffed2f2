import { objects } from "#playground/slack/ids.ts";
import { edit, post } from "#playground/slack/posting.ts";
import { findMessage, isObject, type Json, type JsonObject, type Message } from "#playground/slack/world.ts";
import { type Call, channelOf, type Method, refuse, str } from "./call.ts";

/** A streamed message: text that grows, and a plan whose tasks are told by id. */

const richText = (text: Json | undefined): JsonObject | undefined =>
  typeof text === "string" && text !== ""
    ? { type: "rich_text", elements: [{ type: "rich_text_section", elements: [{ type: "text", text }] }] }
    : undefined;

function withTask(blocks: readonly JsonObject[], chunk: JsonObject): JsonObject[] {
  const plan = blocks.find((block) => block.type === "plan") ?? { type: "plan", title: "Working", tasks: [] };
  const details = richText(chunk.details);
  const output = richText(chunk.output);
  const task: JsonObject = {
    type: "task_card",
    task_id: String(chunk.id),
    title: String(chunk.title),
    status: String(chunk.status),
    ...(details ? { details } : {}),
    ...(output ? { output } : {}),
    ...(chunk.sources === undefined ? {} : { sources: chunk.sources }),
  };
  const tasks = objects(plan.tasks);
  const known = tasks.some((other) => other.task_id === task.task_id);
  const next = {
    ...plan,
    tasks: known ? tasks.map((other) => (other.task_id === task.task_id ? task : other)) : [...tasks, task],
  };
  return blocks.includes(plan) ? blocks.map((block) => (block === plan ? next : block)) : [...blocks, next];
}

function withChunk(blocks: readonly JsonObject[], chunk: JsonObject): JsonObject[] {
  if (chunk.type === "task_update") return withTask(blocks, chunk);
  if (chunk.type === "plan_update") {
    const known = blocks.some((block) => block.type === "plan");
    const plan = { type: "plan", title: String(chunk.title), tasks: [] };
    return known
      ? blocks.map((block) => (block.type === "plan" ? { ...block, title: plan.title } : block))
      : [...blocks, plan];
  }
  if (chunk.type === "blocks") return [...blocks, ...objects(chunk.blocks)];
  const last = blocks.at(-1);
  const text = String(chunk.text ?? "");
  if (last?.type === "markdown") return [...blocks.slice(0, -1), { ...last, text: String(last.text) + text }];
  return text === "" ? [...blocks] : [...blocks, { type: "markdown", text }];
}

function grown(call: Call, blocks: readonly JsonObject[]): JsonObject[] {
  const chunks = [{ type: "markdown_text", text: str(call, "markdown_text") }, ...objects(call.args.chunks)];
  return chunks.reduce(withChunk, [...blocks]);
}

const startStream: Method = (call) => {
  const channel = channelOf(call);
  if (!channel) return refuse("channel_not_found");
  const root = findMessage(call.house.world, channel.id, str(call, "thread_ts"));
  if (!root) return refuse("thread_not_found");
  if (!str(call, "recipient_user_id")) return refuse("missing_recipient_user_id");
  if (!str(call, "recipient_team_id")) return refuse("missing_recipient_team_id");
  const message = post(call.house, {
    channel: channel.id,
    user: call.house.world.seed.app.botUser,
    text: str(call, "markdown_text"),
    blocks: grown(call, []),
    threadTs: root.threadTs ?? root.ts,
    streaming: true,
  });
  return { ok: true, channel: channel.id, ts: message.ts };
};

function streaming(call: Call): Message | string {
  const channel = channelOf(call);
  if (!channel) return "channel_not_found";
  const message = findMessage(call.house.world, channel.id, str(call, "ts"));
  if (!message) return "message_not_found";
  return message.streaming ? message : "message_not_in_streaming_state";
}

function continued(call: Call, last: boolean): JsonObject {
  const message = streaming(call);
  if (typeof message === "string") return refuse(message);
  const after = edit(call.house, message, {
    text: message.text + str(call, "markdown_text"),
    blocks: [...grown(call, message.blocks), ...objects(call.args.blocks)],
    ...(last ? { streaming: false } : {}),
    ...(isObject(call.args.metadata) ? { metadata: call.args.metadata } : {}),
  });
  return { ok: true, channel: after.channel, ts: after.ts };
}

export const STREAM: Readonly<Record<string, Method>> = {
  "chat.startStream": startStream,
  "chat.appendStream": (call) => continued(call, false),
  "chat.stopStream": (call) => continued(call, true),
};

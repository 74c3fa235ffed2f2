import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { PATHS, TOKEN_HEADER } from "#playground/slack/paths.ts";
import type { Subject } from "./subject.ts";

const ANSWERED_MS = 90_000;
const QUIET_MS = 1_000;

const Entry = z.looseObject({
  seq: z.number(),
  at: z.string(),
  kind: z.string(),
  method: z.string().optional(),
  ok: z.boolean().optional(),
  act: z.string().optional(),
  ts: z.string().optional(),
  ms: z.number().optional(),
  args: z.looseObject({ channel: z.string().optional(), thread_ts: z.string().optional() }).optional(),
});
export type Entry = z.infer<typeof Entry>;

/** The chat page's control API, as a script uses it. */
export async function control(subject: Subject, route: string, body?: object): Promise<unknown> {
  const answer = await fetch(`${subject.url}${PATHS.control}${route}`, {
    method: body === undefined ? "GET" : "POST",
    headers: { [TOKEN_HEADER]: subject.token, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(30_000),
  });
  const said: unknown = await answer.json();
  if (!answer.ok) throw new Error(`${route}: ${answer.status} ${JSON.stringify(said)}`);
  return said;
}

/** What happened in the chat after `seq`, in order, with the chat's own times. */
export async function log(subject: Subject, after = 0): Promise<Entry[]> {
  const read = z.object({ log: z.array(Entry) }).parse(await control(subject, `/log?after=${after}`));
  return read.log;
}

/** Ana writes; returns the message's time, which names its thread. */
export async function write(subject: Subject, channel: string, text: string): Promise<string> {
  const made = await control(subject, "/message", { channel, user: "U0ANA", text });
  return z.object({ ts: z.string() }).parse(made).ts;
}

export const answers = (entry: Entry): boolean => entry.method === "chat.postMessage" && entry.ok === true;

/** The log after `seq` once each of these threads has a message of the app, and then nothing was posted for a second. */
export async function answered(subject: Subject, seq: number, threads: readonly string[]): Promise<Entry[]> {
  const entries: Entry[] = [];
  const open = new Set(threads);
  let last = performance.now();
  for (const end = last + ANSWERED_MS; performance.now() < end; await pause(100)) {
    const more = await log(subject, entries.at(-1)?.seq ?? seq);
    entries.push(...more);
    for (const entry of more.filter(answers)) {
      open.delete(entry.args?.thread_ts ?? "");
      last = performance.now();
    }
    // What is only edited goes on for minutes, at the pace that Slack allows.
    if (open.size === 0 && performance.now() - last > QUIET_MS) return entries;
  }
  throw new Error(`${open.size} of ${threads.length} mentions were not answered within ${ANSWERED_MS / 1_000} s`);
}

const Message = z.looseObject({
  ts: z.string(),
  thread_ts: z.string().optional(),
  blocks: z
    .array(
      z.looseObject({
        block_id: z.string().optional(),
        elements: z.array(z.looseObject({ action_id: z.string().optional(), value: z.string().optional() })).optional(),
      }),
    )
    .default([]),
  metadata: z.looseObject({ event_payload: z.looseObject({ key: z.string() }) }).optional(),
});

async function messages(subject: Subject, channel: string, thread: string): Promise<z.infer<typeof Message>[]> {
  const read = z.object({ messages: z.array(Message) }).parse(await control(subject, `/messages/${channel}`));
  return read.messages.filter((message) => message.thread_ts === thread);
}

/** The keys of our messages in a thread: "slack:<run>:receipt". */
export async function shownKeys(subject: Subject, channel: string, thread: string): Promise<string[]> {
  return (await messages(subject, channel, thread)).flatMap(({ metadata }) => metadata?.event_payload.key ?? []);
}

/** Presses Approve on the thread's card; `false` while there is none. */
export async function approve(subject: Subject, channel: string, user: string, thread: string): Promise<boolean> {
  for (const { ts, blocks } of await messages(subject, channel, thread)) {
    for (const { block_id, elements } of blocks) {
      const button = elements?.find((element) => element.action_id === "approve");
      if (button?.value === undefined) continue;
      const action = { type: "button", action_id: "approve", value: button.value, ...(block_id ? { block_id } : {}) };
      await control(subject, "/interact", { channel, messageTs: ts, user, action });
      return true;
    }
  }
  return false;
}

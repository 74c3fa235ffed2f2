import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { PATHS, TOKEN_HEADER } from "#playground/slack/paths.ts";
import type { Subject } from "./subject.ts";

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

/** Resolves with the log after `seq` once nothing was added to it for `quietMs`; gives up waiting after `mostMs`. */
export async function quiet(subject: Subject, seq: number, quietMs: number, mostMs: number): Promise<Entry[]> {
  const entries: Entry[] = [];
  let last = performance.now();
  for (const end = last + mostMs; performance.now() < end; await pause(100)) {
    const more = await log(subject, entries.at(-1)?.seq ?? seq);
    if (more.length > 0) last = performance.now();
    entries.push(...more);
    if (performance.now() - last > quietMs) break;
  }
  return entries;
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

import { z } from "zod";
import { whereabouts } from "./clicks.ts";
import { commandOf } from "./commands.ts";
import { complaintOf } from "./deny-modal.ts";
import type { Log } from "./whisper.ts";
import { TROUBLE } from "./words.ts";

/** https://docs.slack.dev/interactivity/handling-user-interaction#message_responses */
const Answerable = z.object({ response_url: z.url({ protocol: /^https?$/ }).max(2_000) });
const Submitted = z.object({ type: z.literal("view_submission") });
const ANSWER_MS = 3_000;
const NOTE = { response_type: "ephemeral", text: TROUBLE.blocked };

/**
 * What somebody is answered in a workspace whose tokens cannot be opened, where the request itself takes an answer: a command
 * and a form do. `null`: it does not.
 */
export function blockedAnswer(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> | null {
  if (commandOf(body) !== null) return NOTE;
  return Submitted.safeParse(body).success ? complaintOf(TROUBLE.blocked) : null;
}

/** The same at the address that comes with a click, which needs no token of ours. A mention has none. Never rejects. */
export async function answerBlocked(body: Readonly<Record<string, unknown>>, log: Log): Promise<void> {
  const read = Answerable.safeParse(body);
  if (!read.success) return;
  const who = whereabouts(body);
  try {
    const answer = await fetch(read.data.response_url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        ...{ ...NOTE, replace_original: false },
        ...(who?.inThread ? { thread_ts: who.thread } : {}),
      }),
      redirect: "error",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    await answer.body?.cancel();
    if (!answer.ok) log("Slack did not take the answer to a click", { status: answer.status });
  } catch (error) {
    log("the answer to a click did not reach Slack", { error: String(error) });
  }
}

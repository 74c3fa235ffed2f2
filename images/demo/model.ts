import { setTimeout as pause } from "node:timers/promises";

export interface ToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON as the model wrote it; it may be broken. */
  readonly args: string;
}

export type ChatMessage =
  | { readonly role: "system" | "user"; readonly content: string }
  | {
      readonly role: "assistant";
      readonly content: string | null;
      readonly tool_calls?: readonly { id: string; type: "function"; function: { name: string; arguments: string } }[];
    }
  | { readonly role: "tool"; readonly tool_call_id: string; readonly content: string };

export interface Reply {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  readonly usage: { readonly input: number; readonly output: number };
}

/** Waits between tries when the gateway cannot be reached or is unwell. It holds connections itself while it restarts. */
const RETRY_AFTER_MS = [500, 1_000, 2_000];

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: {
      readonly content?: string | null;
      readonly tool_calls?: readonly {
        index?: number;
        id?: string;
        function?: { name?: string; arguments?: string };
      }[];
    };
  }[];
  readonly usage?: { readonly prompt_tokens?: number; readonly completion_tokens?: number } | null;
}

/** One call of the model over OpenAI's streaming chat completions; text is handed out as it arrives. */
export async function callModel(o: {
  baseUrl: string;
  token: string;
  model: string;
  messages: readonly ChatMessage[];
  tools: readonly object[];
  signal: AbortSignal;
  onText(text: string): void;
}): Promise<Reply> {
  const response = await post(o);
  let text = "";
  const calls: { id: string; name: string; args: string }[] = [];
  let usage = { input: 0, output: 0 };
  for await (const data of serverSentEvents(response)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data) as Chunk;
    const delta = chunk.choices?.[0]?.delta;
    if (delta?.content) {
      text += delta.content;
      o.onText(delta.content);
    }
    for (const part of delta?.tool_calls ?? []) {
      const index = part.index ?? 0;
      const call = calls[index] ?? { id: part.id ?? `call-${index}`, name: "", args: "" };
      calls[index] = call;
      call.name += part.function?.name ?? "";
      call.args += part.function?.arguments ?? "";
    }
    if (chunk.usage) usage = { input: chunk.usage.prompt_tokens ?? 0, output: chunk.usage.completion_tokens ?? 0 };
  }
  return { text, calls: calls.filter(Boolean), usage };
}

async function post(o: Parameters<typeof callModel>[0]): Promise<Response> {
  const body = JSON.stringify({
    model: o.model,
    stream: true,
    stream_options: { include_usage: true },
    tools: o.tools,
    messages: o.messages,
  });
  const headers = { "content-type": "application/json", authorization: `Bearer ${o.token}` };
  for (let tries = 0; ; tries += 1) {
    const wait = RETRY_AFTER_MS[tries];
    let words: string;
    try {
      const response = await fetch(`${o.baseUrl}/chat/completions`, {
        method: "POST",
        headers,
        body,
        signal: o.signal,
      });
      if (response.ok) return response;
      words = `the model answered ${response.status}: ${reason(await response.text())}`;
      if (response.status < 500 && response.status !== 429) throw new Error(words);
      if (wait === undefined) throw new Error(words);
    } catch (error) {
      // fetch throws a TypeError for a connection that failed; anything else is final.
      if (o.signal.aborted || !(error instanceof TypeError) || wait === undefined) throw error;
    }
    await pause(wait, undefined, { signal: o.signal });
  }
}

/** The words of the gateway's error, or what came instead. */
function reason(body: string): string {
  try {
    const said = JSON.parse(body) as { error?: { message?: string } | string; message?: string };
    const error = typeof said.error === "string" ? said.error : said.error?.message;
    return error ?? said.message ?? body.slice(0, 500);
  } catch {
    return body.trim().slice(0, 500);
  }
}

async function* serverSentEvents(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let held = "";
  if (!response.body) return;
  for await (const chunk of response.body) {
    held += decoder.decode(chunk, { stream: true });
    const events = held.split(/\r?\n\r?\n/);
    held = events.pop() ?? "";
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .filter((line) => line.startsWith("data:"))
        .map((line) => line.slice(5).trimStart())
        .join("\n");
      if (data !== "") yield data;
    }
  }
}

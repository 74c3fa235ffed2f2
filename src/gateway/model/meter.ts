import type { ModelApi } from "./dialect.ts";
import type { Tokens } from "./prices.ts";

/** About how many characters a token is; for floors only, the provider's own count is what is charged. */
const CHARS_PER_TOKEN = 3.5;
const LONGEST_LINE = 16_000_000;

/** The provider's count, as far as it has said one. */
export type Counted = Partial<Tokens>;

/** Reads usage out of an answer as it passes, whatever its chunk borders. */
export interface Meter {
  push(chunk: Uint8Array): void;
  /** To be asked when the answer has ended, or will not go on. */
  counted(): Counted;
  /** Tokens that were surely produced, from the text that has passed. */
  outputFloor(): number;
  /** Tokens that the text that has passed may be at most. */
  outputSeen(): number;
}

export const estimateTokens = (bytes: number): number => Math.ceil(bytes / CHARS_PER_TOKEN);

/** For `text/event-stream` answers. Only `data:` lines count; an unreadable one is skipped, never thrown. */
export function streamMeter(api: ModelApi): Meter {
  const decoder = new TextDecoder();
  let line = "";
  /** An event's data may come in several lines. */
  let data = "";
  let textChars = 0;
  let counted: Counted = {};

  function takeLine(text: string): void {
    if (text === "") data = "";
    if (!text.startsWith("data:")) return;
    const more = text.slice(5).trim();
    const event = parse(more) ?? parse(data === "" ? more : `${data}\n${more}`);
    if (event === null) {
      data = data === "" ? more : `${data}\n${more}`;
      return;
    }
    data = "";
    textChars += textIn(event);
    counted = merge(counted, usageIn(api, event, true));
  }

  function takeLines(text: string): void {
    // A CR at the end may be half of a border.
    const half = text.endsWith("\r") ? "\r" : "";
    const lines = text.slice(0, text.length - half.length).split(/\r\n|\r|\n/);
    line = (lines.pop() ?? "") + half;
    for (const each of lines) takeLine(each.trimEnd());
    if (line.length > LONGEST_LINE) {
      textChars += line.length;
      line = "";
    }
  }

  return {
    push(chunk) {
      const text = decoder.decode(chunk, { stream: true });
      if (!/[\r\n]/.test(text) && line.length < LONGEST_LINE) line += text;
      else takeLines(line + text);
    },
    counted() {
      // The last event's blank line, and even its line's end, may be missing.
      takeLines(`${line}\n`);
      return counted;
    },
    outputFloor: () => estimateTokens(textChars),
    outputSeen: () => textChars,
  };
}

/** For JSON answers, read whole at the end. */
export function bodyMeter(api: ModelApi): Meter {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    push(chunk) {
      size += chunk.length;
      if (size <= LONGEST_LINE) chunks.push(chunk);
    },
    counted() {
      // Some services send blanks while they work, so that the connection stays open.
      const body = size <= LONGEST_LINE ? parse(Buffer.concat(chunks).toString("utf8").trim()) : null;
      return body === null ? {} : usageIn(api, body, false);
    },
    outputFloor: () => estimateTokens(size),
    outputSeen: () => size,
  };
}

type Json = Readonly<Record<string, unknown>>;

function parse(text: string): Json | null {
  if (!text.startsWith("{")) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

const object = (value: unknown): Json | null => (typeof value === "object" && value !== null ? (value as Json) : null);
const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;

/** OpenAI's input count includes what came from the cache, Anthropic's does not; ours always does. */
function usageIn(api: ModelApi, event: Json, streamed: boolean): Counted {
  const usage = object(event.usage) ?? object(object(event.response)?.usage) ?? object(object(event.message)?.usage);
  if (usage === null) return {};
  if (api === "chat") {
    const cached = count(object(usage.prompt_tokens_details)?.cached_tokens);
    return known({ input: count(usage.prompt_tokens), cached, output: count(usage.completion_tokens) });
  }
  if (api === "responses") {
    const cached = count(object(usage.input_tokens_details)?.cached_tokens);
    return known({ input: count(usage.input_tokens), cached, output: count(usage.output_tokens) });
  }
  const cached = count(usage.cache_read_input_tokens);
  const cacheWrite = count(usage.cache_creation_input_tokens);
  const cacheHour = count(object(usage.cache_creation)?.ephemeral_1h_input_tokens);
  const fresh = count(usage.input_tokens);
  const input = fresh === undefined ? undefined : fresh + (cached ?? 0) + (cacheWrite ?? 0);
  // At its start a message says how much it has so far, which is next to nothing: no count of the answer.
  const output = streamed && event.type !== "message_delta" ? undefined : count(usage.output_tokens);
  return known({ input, cached, cacheWrite, cacheHour, output });
}

function known(found: { [K in keyof Tokens]?: number | undefined }): Counted {
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** A count only grows: a later event may repeat a field as zero, or come without any. */
function merge(before: Counted, found: Counted): Counted {
  const names = ["input", "cached", "cacheWrite", "cacheHour", "output"] as const;
  return known(
    Object.fromEntries(
      names.map((name) => {
        const [one, other] = [before[name], found[name]];
        return [name, one === undefined || other === undefined ? (one ?? other) : Math.max(one, other)];
      }),
    ),
  );
}

/** Characters of generated text in one event, in any of the three dialects: text, reasoning and tool arguments. */
function textIn(event: Json): number {
  if (typeof event.delta === "string") return event.delta.length;
  const delta = object(event.delta);
  if (delta) return stringsIn(delta);
  const choices = Array.isArray(event.choices) ? event.choices : [];
  return choices.reduce<number>((sum, choice) => sum + stringsIn(object(object(choice)?.delta) ?? {}), 0);
}

/** Words of the dialect, not of the model. */
const NO_TEXT = new Set(["type", "id", "role", "object", "signature", "stop_reason"]);

function stringsIn(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.entries(value).reduce<number>(
    (sum, [name, item]) => sum + (NO_TEXT.has(name) ? 0 : stringsIn(item)),
    0,
  );
}

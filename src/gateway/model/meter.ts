import type { ModelApi } from "./dialect.ts";
import type { Tokens } from "./prices.ts";

/** About how many characters a token is; for floors only, the provider's own count is what is charged. */
const CHARS_PER_TOKEN = 3.5;
const LONGEST_LINE = 16_000_000;

/** Reads usage out of an answer as it passes, whatever its chunk borders. */
export interface Meter {
  push(chunk: Uint8Array): void;
  /** The provider's count; `null` when the answer ended without one. */
  usage(): Tokens | null;
  /** Tokens that were surely produced, from the text that has passed. */
  outputFloor(): number;
}

export const estimateTokens = (bytes: number): number => Math.ceil(bytes / CHARS_PER_TOKEN);

/** For `text/event-stream` answers. Only `data:` lines count; an unreadable one is skipped, never thrown. */
export function streamMeter(api: ModelApi): Meter {
  const decoder = new TextDecoder();
  let line = "";
  let textChars = 0;
  let tokens: Tokens | null = null;

  function take(data: string): void {
    const event = parse(data);
    if (event === null) return;
    textChars += textIn(event);
    const found = usageIn(api, event);
    if (found) tokens = api === "messages" ? merge(tokens, found) : whole(found);
  }

  return {
    push(chunk) {
      line += decoder.decode(chunk, { stream: true });
      for (let end = line.indexOf("\n"); end >= 0; end = line.indexOf("\n")) {
        const each = line.slice(0, end).trimEnd();
        line = line.slice(end + 1);
        if (each.startsWith("data:")) take(each.slice(5).trim());
      }
      if (line.length > LONGEST_LINE) line = "";
    },
    usage: () => tokens,
    outputFloor: () => Math.ceil(textChars / CHARS_PER_TOKEN),
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
    usage() {
      const body = parse(Buffer.concat(chunks).toString("utf8"));
      const found = body === null ? null : usageIn(api, body);
      return found ? whole(found) : null;
    },
    outputFloor: () => estimateTokens(size),
  };
}

type Json = Readonly<Record<string, unknown>>;
type Found = Partial<Tokens>;

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
function usageIn(api: ModelApi, event: Json): Found | null {
  const usage = object(event.usage) ?? object(object(event.response)?.usage) ?? object(object(event.message)?.usage);
  if (usage === null) return null;
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
  const fresh = count(usage.input_tokens);
  const input = fresh === undefined ? undefined : fresh + (cached ?? 0) + (cacheWrite ?? 0);
  return known({ input, cached, cacheWrite, output: count(usage.output_tokens) });
}

function known(found: { [K in keyof Tokens]?: number | undefined }): Found {
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

const whole = (found: Found): Tokens => ({ input: 0, cached: 0, cacheWrite: 0, output: 0, ...found });

/** Anthropic says the input first and the output last; a later message may repeat a field as zero. */
function merge(before: Tokens | null, found: Found): Tokens {
  const next = whole(found);
  if (before === null) return next;
  return {
    input: Math.max(before.input, next.input),
    cached: Math.max(before.cached, next.cached),
    cacheWrite: Math.max(before.cacheWrite, next.cacheWrite),
    output: Math.max(before.output, next.output),
  };
}

/** Characters of generated text in one event, in any of the three dialects: text, reasoning and tool arguments. */
function textIn(event: Json): number {
  if (typeof event.delta === "string") return event.delta.length;
  const delta = object(event.delta);
  if (delta) return stringsIn(delta);
  const choices = Array.isArray(event.choices) ? event.choices : [];
  return choices.reduce<number>((sum, choice) => sum + stringsIn(object(object(choice)?.delta) ?? {}), 0);
}

function stringsIn(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (typeof value !== "object" || value === null) return 0;
  return Object.values(value).reduce<number>((sum, item) => sum + stringsIn(item), 0);
}

import type { ModelApi } from "./dialect.ts";
import { DIALECTS, thinks } from "./dialect.ts";

type Json = Record<string, unknown>;

/** One model request as we read it. */
export interface ModelCall {
  readonly api: ModelApi;
  readonly model: string;
  readonly streamed: boolean;
  /** The longest answer the client allows, by its own dialect; `null` when it said nothing. */
  readonly maxOutput: number | null;
  /** How many answers it wants at once. */
  readonly answers: number;
  /** All that was sent. */
  readonly asked: Readonly<Json>;
  /** What of it goes out, without the answer's bound. */
  readonly body: Readonly<Json>;
}

const DEEPEST = 100;

/** `null`: not a JSON object with a model name, or one that servers may read differently. */
export function readCall(api: ModelApi, bytes: Uint8Array): ModelCall | null {
  let read: unknown;
  try {
    read = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  if (typeof read !== "object" || read === null || Array.isArray(read) || !isShallow(read, DEEPEST)) return null;
  const asked = read as Json;
  if (typeof asked.model !== "string" || asked.model === "" || asked.model.length > 200) return null;
  const answers = api === "chat" ? (asked.n ?? 1) : 1;
  if (typeof answers !== "number" || !Number.isSafeInteger(answers) || answers < 1) return null;
  const { fields, limits } = DIALECTS[api];
  const given = limits.map((name) => asked[name]).filter((value): value is number => typeof value === "number");
  const maxOutput = Math.ceil(Math.max(0, ...given)) || null;
  const body = Object.fromEntries(Object.entries(asked).filter(([name]) => fields.has(name)));
  return { api, model: asked.model, streamed: asked.stream === true, maxOutput, answers, asked, body };
}

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isShallow(each, levels - 1));
}

/**
 * What is sent: what of the client's body its dialect knows, with usage asked for where that is left to the client, and
 * the answer bounded by what was reserved for it. `openai`: the service is OpenAI's own, which wants the newer field.
 */
export function outgoingBody(call: ModelCall, maxOutput: number, openai: boolean): string {
  const body: Json = { ...call.body, stream: call.streamed, [boundField(call, openai)]: maxOutput };
  if (call.api === "chat" && call.streamed) body.stream_options = { include_usage: true };
  if (call.answers > 1) body.n = call.answers;
  if (call.api === "messages") body.thinking = thinkingWithin(body.thinking, maxOutput);
  return JSON.stringify(body);
}

/** Of chat's two fields a server may read only one, and refuse both. */
function boundField(call: ModelCall, openai: boolean): string {
  if (call.api === "chat" && (openai || thinks(call.model))) return "max_completion_tokens";
  return DIALECTS[call.api].limits[0] ?? "max_tokens";
}

const LEAST_THINKING = 1_024;

/** Anthropic refuses a budget for thinking that is not below the answer's bound, or below 1,024 tokens. */
function thinkingWithin(thinking: unknown, maxOutput: number): unknown {
  const budget = typeof thinking === "object" && thinking !== null ? (thinking as Json).budget_tokens : undefined;
  if (typeof budget !== "number" || budget < maxOutput) return thinking;
  return maxOutput > LEAST_THINKING ? { ...(thinking as Json), budget_tokens: maxOutput - 1 } : { type: "disabled" };
}

import { estimateTokens, type ModelApi } from "./meter.ts";

type Json = Record<string, unknown>;

/** One model request as we read it. `body` is what will be sent. */
export interface ModelCall {
  readonly api: ModelApi;
  readonly model: string;
  readonly streamed: boolean;
  /** What the client allows one answer to be; `null` when it said nothing. */
  readonly maxOutput: number | null;
  /** How many answers it wants at once. */
  readonly answers: number;
  readonly body: Readonly<Json>;
}

/** `null`: not a JSON object with a model name. */
export function readCall(api: ModelApi, bytes: Uint8Array): ModelCall | null {
  let body: unknown;
  try {
    body = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) return null;
  const call = body as Json;
  if (typeof call.model !== "string" || call.model === "" || call.model.length > 200) return null;
  const limits = [call.max_tokens, call.max_completion_tokens, call.max_output_tokens];
  const maxOutput = limits.find((value): value is number => typeof value === "number" && value > 0) ?? null;
  const answers = typeof call.n === "number" && call.n > 1 ? Math.ceil(call.n) : 1;
  return { api, model: call.model, streamed: call.stream === true, maxOutput, answers, body: call };
}

/**
 * What is sent: the client's body, with usage asked for where the dialect leaves that to the client, and the answer's
 * length bounded by what the run can pay.
 */
export function outgoingBody(call: ModelCall, maxOutput: number | null): string {
  const body: Json = { ...call.body };
  if (call.api === "chat" && call.streamed) {
    const given = typeof body.stream_options === "object" && body.stream_options !== null ? body.stream_options : {};
    body.stream_options = { ...given, include_usage: true };
  }
  if (maxOutput !== null) {
    const field =
      call.api === "responses"
        ? "max_output_tokens"
        : "max_completion_tokens" in body
          ? "max_completion_tokens"
          : "max_tokens";
    body[field] = maxOutput;
  }
  return JSON.stringify(body);
}

/** Input tokens, roughly, and rather too many. An inlined image counts as an image, not as its base64 text. */
export function estimateInput(call: ModelCall): number {
  let inlined = 0;
  const text = JSON.stringify(call.body, (_key, value: unknown) => {
    if (typeof value !== "string" || value.length < 2_000 || !/^(data:|[A-Za-z0-9+/=]+$)/.test(value)) return value;
    inlined += 1;
    return "";
  });
  return estimateTokens(Buffer.byteLength(text)) + inlined * TOKENS_PER_IMAGE;
}

const TOKENS_PER_IMAGE = 2_000;
const SERVER_TOOLS =
  /^(web_search|web_fetch|code_execution|code_interpreter|file_search|image_generation|computer_use|mcp)/;

/**
 * Why the call would make the provider itself reach out, for data to leave or enter past the wall: server-side tools,
 * remote MCP servers, images and files by URL or by id. `null`: it does not.
 */
export function reachesOut(call: ModelCall): string | null {
  const { tools, mcp_servers: servers, web_search_options: search } = call.body;
  if (Array.isArray(servers) && servers.length > 0) return "mcp_servers";
  if (search !== undefined && search !== null) return "web_search_options";
  for (const tool of Array.isArray(tools) ? tools : []) {
    const type = (tool as Json | null)?.type;
    if (typeof type === "string" && SERVER_TOOLS.test(type)) return `tools: ${type.slice(0, 40)}`;
  }
  return remoteContent(call.body.messages) ?? remoteContent(call.body.input);
}

function remoteContent(value: unknown): string | null {
  if (Array.isArray(value)) {
    for (const item of value) {
      const found = remoteContent(item);
      if (found) return found;
    }
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const part = value as Json;
  const source = part.source as Json | null | undefined;
  if (typeof source === "object" && source !== null && (source.type === "url" || source.type === "file"))
    return `source: ${source.type}`;
  const image =
    typeof part.image_url === "object" && part.image_url !== null ? (part.image_url as Json).url : part.image_url;
  if (typeof image === "string" && !image.startsWith("data:")) return "image_url";
  if (typeof part.file_url === "string" || typeof part.file_id === "string") return "file";
  return remoteContent(part.content);
}

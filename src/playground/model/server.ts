import { createHash } from "node:crypto";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { answer } from "./conversation.ts";
import { chat } from "./dialects/chat.ts";
import type { Body, Dialect, Reply } from "./dialects/dialect.ts";
import { messages } from "./dialects/messages.ts";
import { responses } from "./dialects/responses.ts";

const DIALECTS: readonly Dialect[] = [chat, responses, messages];
const MAX_BODY_BYTES = 32 * 1024 * 1024;

export interface ScriptedModel {
  /** Ends in "/v1", as base URLs of OpenAI's dialects do; Anthropic's clients leave that off. */
  readonly url: string;
  close(): Promise<void>;
}

/** One request as it was understood, for tests and logs. */
export interface ModelRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Body;
  readonly status: number;
}

/**
 * A model that plays a script, on loopback. It keeps nothing between requests: the next step is worked out from the
 * body alone, so kills, retries and parallel conversations cannot confuse it. `port: 0` takes a free one.
 */
export async function startScriptedModel(o: {
  port: number;
  onRequest?: (request: ModelRequest) => void;
}): Promise<ScriptedModel> {
  const server = http.createServer((req, res) => {
    serve(req, res, o.onRequest ?? (() => undefined)).catch((error: unknown) => {
      if (!res.headersSent)
        fail(res, 500, `the scripted model broke: ${error instanceof Error ? error.message : String(error)}`);
      else res.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(o.port, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/v1`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function serve(
  req: http.IncomingMessage,
  res: http.ServerResponse,
  told: (request: ModelRequest) => void,
): Promise<void> {
  const path = new URL(req.url ?? "/", "http://localhost").pathname;
  if (req.method === "GET" && path.endsWith("/models")) {
    return json(res, 200, {
      object: "list",
      data: [{ id: "scripted", object: "model", created: 1, owned_by: "countersign" }],
    });
  }
  const raw = await readBody(req);
  if (raw === null) return fail(res, 413, "the request is too large");
  if (req.method === "POST" && path.endsWith("/count_tokens")) return json(res, 200, { input_tokens: tokensIn(raw) });
  const dialect = DIALECTS.find((it) => it.path.test(path));
  if (!dialect || req.method !== "POST") return fail(res, 404, `the scripted model has no ${req.method} ${path}`);
  let body: Body;
  try {
    body = JSON.parse(raw) as Body;
  } catch {
    return fail(res, 400, "the body is no JSON");
  }
  const conversation = dialect.read(body);
  const next = answer(conversation);
  told({ path, authorization: req.headers.authorization, body, status: next.step.error ?? 200 });
  if (next.step.error !== undefined) return fail(res, next.step.error, `scripted ${next.step.error}`);
  const reply: Reply = {
    ...next,
    // The same body gets the same id; no two steps of a conversation have the same body.
    id: createHash("sha256").update(raw).digest("hex").slice(0, 16),
    model: conversation.model || "scripted",
    tokens: { input: tokensIn(raw), output: tokensIn((next.step.text ?? "") + (next.call?.args ?? "")) },
  };
  if (!conversation.stream) return json(res, 200, dialect.whole(reply));
  await stream(res, dialect, reply);
}

async function stream(res: http.ServerResponse, dialect: Dialect, reply: Reply): Promise<void> {
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  for (const frame of dialect.stream(reply)) {
    if (res.destroyed) return;
    res.write(frame);
    if (reply.step.slowly !== undefined) await pause(reply.step.slowly);
  }
  if (reply.step.fault === "stall") return;
  if (reply.step.fault === "cut") res.destroy();
  else res.end();
}

async function readBody(req: http.IncomingMessage): Promise<string | null> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of req) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) return null;
    parts.push(chunk as Buffer);
  }
  return Buffer.concat(parts).toString("utf8");
}

const tokensIn = (text: string): number => Math.ceil(text.length / 4);

function json(res: http.ServerResponse, status: number, body: object): void {
  res.writeHead(status, { "content-type": "application/json", ...(status === 429 ? { "retry-after": "1" } : {}) });
  res.end(JSON.stringify(body));
}

/** In the form that both vendors' clients read. */
function fail(res: http.ServerResponse, status: number, message: string): void {
  const type = status === 429 ? "rate_limit_error" : status < 500 ? "invalid_request_error" : "api_error";
  json(res, status, { type: "error", error: { type, code: "scripted", message } });
}

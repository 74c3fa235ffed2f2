import { type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Denial, refuse } from "./denial.ts";

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
  "alt-svc",
  "expect",
  "host",
]);

/** Headers that may cross: nothing that speaks of this connection, of proxies, or of another protocol. */
export function crossingHeaders(message: IncomingMessage): Record<string, string[]> {
  const named = (message.headers.connection ?? "").toLowerCase().split(/\s*,\s*/);
  const crossing: Record<string, string[]> = {};
  for (let i = 0; i + 1 < message.rawHeaders.length; i += 2) {
    const name = (message.rawHeaders[i] ?? "").toLowerCase();
    if (HOP_BY_HOP.has(name) || name.startsWith("proxy-") || named.includes(name)) continue;
    crossing[name] = [...(crossing[name] ?? []), message.rawHeaders[i + 1] ?? ""];
  }
  return crossing;
}

/** One request carried over a connection that is already open and already allowed. */
export interface Carried {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly upstream: Duplex;
  /** As it goes into the Host header. */
  readonly host: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly maxBodyBytes: number | null;
  /** Called with each piece of the body; `false` stops it. */
  countUpload(bytes: number): boolean;
  /** Rewrites the response's header values and body. `null`: as they are. */
  readonly scrub: { header(value: string): string; body(): Transform } | null;
}

/** Sends it, streams the answer back, follows nothing. Resolves when both are done; the connection is then closed. */
export async function carry(exchange: Carried): Promise<void> {
  const { req, res, upstream } = exchange;
  const headers: Record<string, readonly string[]> = {
    ...exchange.headers,
    host: [exchange.host],
    connection: ["close"],
  };
  if (req.headers["transfer-encoding"] !== undefined) headers["transfer-encoding"] = ["chunked"];
  const outgoing = request({
    createConnection: () => upstream as never,
    method: req.method ?? "GET",
    path: req.url ?? "/",
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, values]) => [name, values.length === 1 ? values[0] : [...values]]),
    ),
    setHost: false,
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve).once("error", reject);
    outgoing.once("close", () => reject(new Error("the upstream closed without an answer")));
  });
  // The answer may fail while the body is still being sent; that is reported below, not as an unhandled rejection.
  answered.catch(() => undefined);
  res.once("close", () => outgoing.destroy());

  const sent = sendBody(exchange, outgoing);
  const refused = await Promise.race([sent, answered.then(() => null)]).catch(() => null);
  if (refused !== null) {
    outgoing.destroy();
    return refuse(res, refused);
  }
  let incoming: IncomingMessage;
  try {
    incoming = await answered;
  } catch {
    return refuse(res, (await sent.catch(() => null)) ?? { status: 502, reason: "unreachable", rule: null });
  }
  await answer(exchange, incoming);
}

async function sendBody(exchange: Carried, outgoing: NodeJS.WritableStream): Promise<Denial | null> {
  let total = 0;
  let refused: Denial | null = null;
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      total += chunk.length;
      if (exchange.maxBodyBytes !== null && total > exchange.maxBodyBytes)
        refused = { status: 413, reason: "limit", rule: null };
      else if (!exchange.countUpload(chunk.length)) refused = { status: 403, reason: "upload", rule: null };
      done(refused ? new Error(refused.reason) : null, chunk);
    },
  });
  try {
    await pipeline(exchange.req, counting, outgoing);
  } catch (error) {
    if (refused === null) throw error;
  }
  return refused;
}

async function answer(exchange: Carried, incoming: IncomingMessage): Promise<void> {
  const { res, scrub } = exchange;
  const encoding = incoming.headers["content-encoding"] ?? "identity";
  if (scrub && encoding.toLowerCase() !== "identity") {
    incoming.destroy();
    return refuse(res, { status: 502, reason: "encoding", rule: null });
  }
  const headers = crossingHeaders(incoming);
  for (const [name, values] of Object.entries(headers)) {
    if (scrub && name === "content-length") continue;
    res.setHeader(name, scrub ? values.map((value) => scrub.header(value)) : values);
  }
  res.writeHead(incoming.statusCode ?? 502);
  try {
    if (scrub) await pipeline(incoming, scrub.body(), res);
    else await pipeline(incoming, res);
  } catch {
    // The client or the upstream went away mid-answer. Truncation shows as a broken connection on the other side.
    res.destroy();
  }
}

import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import tls from "node:tls";

export interface Fetched {
  readonly status: number;
  readonly text: string;
  /** The way out itself refused: `text` is its reason. */
  readonly blocked: boolean;
}

const MAX_BODY_BYTES = 64 * 1024;
const MAX_REDIRECTS = 3;
const LIMIT_MS = 20_000;

/**
 * GET through the proxy named in the environment. Written by hand because Node's own client throws the proxy's answer
 * to CONNECT away, and that answer holds the reason for a refusal.
 */
export async function fetchUrl(address: string, proxy: string | undefined, signal: AbortSignal): Promise<Fetched> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  let url = new URL(address);
  for (let hop = 0; ; hop += 1) {
    if (url.protocol !== "http:" && url.protocol !== "https:")
      throw new Error(`${url.protocol} addresses cannot be fetched`);
    const answer = await get(url, proxy ? new URL(proxy) : null, limited);
    const next = answer.location;
    if (next === null || answer.blocked || hop === MAX_REDIRECTS) return answer;
    url = new URL(next, url);
  }
}

type Answer = Fetched & { readonly location: string | null };

async function get(url: URL, proxy: URL | null, signal: AbortSignal): Promise<Answer> {
  const headers = { "user-agent": "demo-agent", accept: "*/*" };
  if (!proxy) return read((url.protocol === "https:" ? https : http).get(url, { headers, signal }), false);
  const auth = proxy.username ? { "proxy-authorization": basic(proxy) } : {};
  if (url.protocol === "http:") {
    const request = http.get({
      host: proxy.hostname,
      port: proxy.port,
      path: url.href,
      headers: { ...headers, ...auth, host: url.host },
      signal,
    });
    return read(request, true);
  }
  const tunnel = await connect(url, proxy, auth, signal);
  if ("refused" in tunnel) return tunnel.refused;
  const secure = tls.connect({ socket: tunnel.socket, servername: url.hostname, ALPNProtocols: ["http/1.1"] });
  return read(https.get(url, { headers, signal, createConnection: () => secure }), false);
}

function connect(
  url: URL,
  proxy: URL,
  auth: http.OutgoingHttpHeaders,
  signal: AbortSignal,
): Promise<{ socket: Socket } | { refused: Answer }> {
  const authority = `${url.hostname}:${url.port || 443}`;
  return new Promise((resolve, reject) => {
    const request = http.request({
      host: proxy.hostname,
      port: proxy.port,
      method: "CONNECT",
      path: authority,
      headers: { host: authority, ...auth },
      signal,
    });
    request.on("error", reject);
    request.on("connect", (response, socket, head) => {
      if (response.statusCode === 200) return resolve({ socket });
      collect(socket, head).then(
        (text) => resolve({ refused: { status: response.statusCode ?? 0, text, blocked: true, location: null } }),
        reject,
      );
    });
    request.end();
  });
}

/** A refusal's body, as far as it comes: proxies close after it. */
async function collect(socket: Socket, head: Buffer): Promise<string> {
  const parts = [head];
  let size = head.length;
  socket.setTimeout(1_000, () => socket.destroy());
  try {
    for await (const chunk of socket) {
      parts.push(chunk as Buffer);
      size += (chunk as Buffer).length;
      if (size > MAX_BODY_BYTES) break;
    }
  } catch (error) {
    if (size === 0) throw error;
  }
  return Buffer.concat(parts).toString("utf8").trim();
}

/** `viaProxy`: the answer may be the proxy's own, which marks a refusal with a header. */
function read(request: http.ClientRequest, viaProxy: boolean): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("response", async (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      try {
        for await (const chunk of response) {
          parts.push(chunk as Buffer);
          size += (chunk as Buffer).length;
          if (size > MAX_BODY_BYTES) break;
        }
      } catch (error) {
        return reject(error);
      }
      const status = response.statusCode ?? 0;
      const location = status >= 300 && status < 400 ? (response.headers.location ?? null) : null;
      const text = Buffer.concat(parts).toString("utf8");
      resolve({ status, text, location, blocked: viaProxy && "x-countersign-reason" in response.headers });
    });
  });
}

function basic(proxy: URL): string {
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

import type { IncomingMessage } from "node:http";
import { parseAuthority } from "./authority.ts";
import type { Denial } from "./denial.ts";
import { HEAD_BYTES } from "./head.ts";

const URL_BYTES = 8_192;
/** Larger than our own limits, so that ours answer; still a bound. */
export const PARSER_HEAD_BYTES = HEAD_BYTES + 32_768;

const OVERRIDES = ["x-http-method-override", "x-http-method", "x-method-override"];

/**
 * What llhttp lets pass and we do not: doubled Host, two framings, other methods by header, large heads. `null`: the
 * request reads the same to everybody.
 */
export function strictFault(req: IncomingMessage): Denial | null {
  const count = (name: string) =>
    req.rawHeaders.filter((value, i) => i % 2 === 0 && value.toLowerCase() === name).length;
  const deny = (status: number, reason: string): Denial => ({ status, reason, rule: null });
  const size = req.rawHeaders.reduce((sum, value) => sum + value.length + 2, 0);
  if (Buffer.byteLength(req.url ?? "") > URL_BYTES) return deny(414, "limit");
  if (size > HEAD_BYTES) return deny(431, "limit");
  if (count("host") !== 1) return deny(400, "bad_request");
  const framings = count("content-length") + count("transfer-encoding");
  if (framings > 1) return deny(400, "bad_request");
  if (count("transfer-encoding") === 1 && req.headers["transfer-encoding"] !== "chunked")
    return deny(400, "bad_request");
  if (req.method === "TRACE" || req.method === "CONNECT") return deny(403, "method");
  if (OVERRIDES.some((name) => count(name) > 0)) return deny(403, "method_override");
  if (/\bwebsocket\b/i.test(req.headers.upgrade ?? "")) return deny(403, "websocket");
  return null;
}

/** Whether the Host header names this host and port; the scheme's own port may be left out. */
export function isHost(header: string | undefined, host: string, port: number, defaultPort: number): boolean {
  if (header === undefined) return false;
  const withPort = /:[0-9]+$/.test(header) ? header : `${header}:${defaultPort}`;
  const authority = parseAuthority(Buffer.from(withPort, "latin1"));
  return authority.kind !== "bad" && authority.host === host && authority.port === port;
}

/**
 * The path that policy reads: decoded once, without dot segments or empty ones. `null` when two servers could read the
 * target differently: a second decoding would change it, or a segment would move it.
 */
export function canonicalPath(target: string): string | null {
  const raw = target.split("?", 1)[0] ?? "";
  if (!raw.startsWith("/") || raw.includes("#")) return null;
  let path: string;
  try {
    path = decodeURIComponent(raw);
  } catch {
    return null;
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control bytes are what is looked for
  if (/%[0-9a-f]{2}/i.test(path) || /[\u0000-\u001f\u007f\\]/.test(path)) return null;
  const segments = path.slice(1).split("/");
  const odd = segments.some((segment, i) => {
    const name = segment.split(";", 1)[0] ?? "";
    return name === "." || name === ".." || (segment === "" && i < segments.length - 1);
  });
  return odd ? null : path;
}

import { isIPv6 } from "node:net";
import { domainToASCII } from "node:url";

/** What a client named as its destination. "bad" is refused unread; "ip" is refused by rule: policy speaks of names. */
export type Authority =
  | { readonly kind: "name"; readonly host: string; readonly port: number }
  | { readonly kind: "ip"; readonly host: string; readonly port: number }
  | { readonly kind: "bad" };

const BAD: Authority = { kind: "bad" };
const LONGEST = 512;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads `host:port` from raw bytes, RFC 9112 §3.2.3, and accepts nothing else: no user part, no percent escapes, no
 * white space or control byte, no empty label, no missing or signed port. Names come back in lower-case ASCII without
 * the trailing dot. Every number form that a resolver would take for an address ("127.1", "0x7f000001") is an address.
 */
export function parseAuthority(bytes: Uint8Array): Authority {
  if (bytes.length === 0 || bytes.length > LONGEST) return BAD;
  const colon = bytes.lastIndexOf(0x3a);
  if (colon < 1) return BAD;
  const port = parsePort(bytes.subarray(colon + 1));
  if (port === null) return BAD;
  const host = parseHost(bytes.subarray(0, colon));
  return host === null ? BAD : { ...host, port };
}

/** Reads a host alone, as in a Host header or a TLS server name. `null`: not a host. */
export function parseHost(bytes: Uint8Array): { kind: "name" | "ip"; host: string } | null {
  if (bytes.length === 0 || bytes.length > LONGEST) return null;
  if (bytes[0] === 0x5b) {
    const inner = Buffer.from(bytes.subarray(1, -1)).toString("latin1");
    return bytes.at(-1) === 0x5d && !inner.includes("%") && isIPv6(inner) ? { kind: "ip", host: `[${inner}]` } : null;
  }
  let ascii = true;
  for (const byte of bytes) {
    if (byte >= 0x80) ascii = false;
    else if (!isHostByte(byte)) return null;
  }
  const text = decode(bytes);
  if (text === null) return null;
  const name = (ascii ? text : domainToASCII(text)).toLowerCase();
  const host = name.endsWith(".") ? name.slice(0, -1) : name;
  if (host === "" || host.length > 253) return null;
  const labels = host.split(".");
  if (!labels.every((label) => /^[a-z0-9_-]{1,63}$/.test(label))) return null;
  return { kind: endsInNumber(labels) ? "ip" : "name", host };
}

function parsePort(bytes: Uint8Array): number | null {
  const text = Buffer.from(bytes).toString("latin1");
  if (!/^[1-9][0-9]{0,4}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65_535 ? port : null;
}

function isHostByte(byte: number): boolean {
  const digit = byte >= 0x30 && byte <= 0x39;
  const letter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
  return digit || letter || byte === 0x2d || byte === 0x2e || byte === 0x5f;
}

function decode(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes);
  } catch {
    return null;
  }
}

/** The WHATWG URL rule for "this is an IPv4 address, however it is spelt". */
function endsInNumber(labels: readonly string[]): boolean {
  const last = labels.at(-1) ?? "";
  return /^[0-9]+$/.test(last) || /^0x[0-9a-f]*$/.test(last);
}

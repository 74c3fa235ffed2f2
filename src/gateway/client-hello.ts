/** What the first bytes of a tunnel are. "more": not yet known. "bad": TLS, but nothing a good client sends. */
export type Hello =
  | { readonly kind: "more" }
  | { readonly kind: "not_tls" }
  | { readonly kind: "bad" }
  | { readonly kind: "hello"; readonly serverName: Uint8Array | null; readonly tls12: boolean };

const MORE: Hello = { kind: "more" };
const BAD: Hello = { kind: "bad" };
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const SUPPORTED_VERSIONS = 43;

/** A larger hello is refused: real ones, with post-quantum keys, are under 2 KB. */
export const HELLO_BYTES = 16_384;

/** Reads a TLS ClientHello (RFC 8446 §4.1.2) that may be cut into any records and segments. Never throws. */
export function readClientHello(bytes: Uint8Array): Hello {
  if (bytes.length === 0) return MORE;
  if (bytes[0] !== HANDSHAKE) return { kind: "not_tls" };
  if (bytes.length >= 2 && bytes[1] !== 3) return { kind: "not_tls" };
  const joined = joinRecords(bytes);
  if (joined === null) return BAD;
  const { handshake } = joined;
  if (handshake.length >= 1 && handshake[0] !== CLIENT_HELLO) return BAD;
  if (handshake.length < 4) return MORE;
  const length = uint(handshake, 1, 3);
  if (length > HELLO_BYTES) return BAD;
  if (handshake.length < 4 + length) return MORE;
  return parseHello(handshake.subarray(4, 4 + length)) ?? BAD;
}

function joinRecords(bytes: Uint8Array): { handshake: Uint8Array } | null {
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    const length = uint(bytes, at + 3, 2);
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3)
      return parts.length > 0 ? { handshake: Buffer.concat(parts) } : null;
    if (length === 0 || length > HELLO_BYTES) return null;
    parts.push(bytes.subarray(at + 5, Math.min(at + 5 + length, bytes.length)));
    at += 5 + length;
  }
  return { handshake: parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts) };
}

function parseHello(body: Uint8Array): Hello | null {
  if (body.length < 35) return null;
  let tls12 = uint(body, 0, 2) >= 0x0303;
  let at = 34;
  const session = body[at];
  if (session === undefined) return null;
  at += 1 + session;
  if (at + 2 > body.length) return null;
  at += 2 + uint(body, at, 2);
  const compression = body[at];
  if (compression === undefined) return null;
  at += 1 + compression;
  if (at === body.length) return { kind: "hello", serverName: null, tls12 };
  if (at + 2 > body.length || at + 2 + uint(body, at, 2) !== body.length) return null;
  at += 2;
  let serverName: Uint8Array | null = null;
  const seen = new Set<number>();
  while (at < body.length) {
    if (at + 4 > body.length) return null;
    const type = uint(body, at, 2);
    const length = uint(body, at + 2, 2);
    const data = body.subarray(at + 4, at + 4 + length);
    if (data.length !== length || seen.has(type)) return null;
    seen.add(type);
    if (type === SERVER_NAME) {
      serverName = readServerName(data);
      if (serverName === null) return null;
    }
    if (type === SUPPORTED_VERSIONS) tls12 = offersTls12(data);
    at += 4 + length;
  }
  return { kind: "hello", serverName, tls12 };
}

/** Exactly one host_name. A second entry is how one parser is made to disagree with another. */
function readServerName(data: Uint8Array): Uint8Array | null {
  if (data.length < 5 || uint(data, 0, 2) !== data.length - 2 || data[2] !== 0) return null;
  return uint(data, 3, 2) === data.length - 5 && data.length > 5 ? data.subarray(5) : null;
}

function offersTls12(data: Uint8Array): boolean {
  for (let at = 1; at + 1 < data.length; at += 2) {
    const version = uint(data, at, 2);
    if (version === 0x0303 || version === 0x0304) return true;
  }
  return false;
}

function uint(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let i = at; i < at + size; i += 1) value = value * 256 + (bytes[i] ?? 0);
  return value;
}

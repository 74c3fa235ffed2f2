import type { Socket } from "node:net";

/** The head of a CONNECT request, read from raw bytes. `authority` is `null` when the request line is not one. */
export interface ConnectHead {
  readonly authority: Uint8Array | null;
  /** Lower-case names; every value kept, so that a doubled header can be refused. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  /** A header line that strict reading refuses: bare CR or LF, NUL, folding, no name. */
  readonly malformed: boolean;
}

export type Opening =
  | { readonly kind: "connect"; readonly head: ConnectHead; readonly rest: Buffer }
  | { readonly kind: "socks"; readonly bytes: Buffer }
  | { readonly kind: "other"; readonly bytes: Buffer }
  | { readonly kind: "too_large" }
  | { readonly kind: "closed" };

export const HEAD_BYTES = 65_536;
const CONNECT = Buffer.from("CONNECT ");
const PREAMBLE = "COUNTERSIGN/1 ";
/** The first byte of every SOCKS 5 greeting (RFC 1928); no HTTP request begins so. */
export const SOCKS_VERSION = 5;

/**
 * Reads what a connection begins with: at most one preamble line, written by the trusted carrier, then the whole head
 * of a CONNECT, or the first bytes of a SOCKS greeting or of something for the HTTP parser. The socket comes back paused,
 * nothing lost.
 */
export async function readOpening(
  socket: Socket,
  o: { deadlineMs: number },
): Promise<{ sandbox: string | null; opening: Opening }> {
  let sandbox: string | null = null;
  let expectPreamble = true;
  let seen: Buffer = Buffer.alloc(0);
  const step = (chunk: Buffer): { sandbox: string | null; opening: Opening } | null => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    if (expectPreamble) {
      const wanted = Buffer.from(PREAMBLE).subarray(0, seen.length);
      if (!seen.subarray(0, wanted.length).equals(wanted)) expectPreamble = false;
      else {
        const end = seen.indexOf(0x0a);
        if (end < 0) return seen.length > 512 ? { sandbox, opening: { kind: "too_large" } } : null;
        const key = seen.subarray(PREAMBLE.length, end).toString("latin1");
        if (!/^[A-Za-z0-9._:-]{1,200}$/.test(key)) return { sandbox, opening: { kind: "closed" } };
        sandbox = key;
        seen = seen.subarray(end + 1);
        expectPreamble = false;
      }
    }
    const opening = classify(seen);
    return opening && { sandbox, opening };
  };
  return await gather(socket, o.deadlineMs, step, () => ({ sandbox, opening: { kind: "closed" } }));
}

function classify(seen: Buffer): Opening | null {
  if (seen.length === 0) return null;
  if (seen[0] === SOCKS_VERSION) return { kind: "socks", bytes: seen };
  const isConnect = seen.subarray(0, CONNECT.length).equals(CONNECT.subarray(0, seen.length));
  if (!isConnect) return { kind: "other", bytes: seen };
  const end = seen.indexOf("\r\n\r\n");
  if (end < 0) return seen.length > HEAD_BYTES ? { kind: "too_large" } : null;
  if (end > HEAD_BYTES) return { kind: "too_large" };
  return { kind: "connect", head: parseConnectHead(seen.subarray(0, end)), rest: seen.subarray(end + 4) };
}

/** Splits a CONNECT head (without its blank line) at CRLF and nowhere else. Pure; for tests and fuzzing. */
export function parseConnectHead(head: Buffer): ConnectHead {
  const firstEnd = head.indexOf("\r\n");
  const line = firstEnd < 0 ? head : head.subarray(0, firstEnd);
  const version = line.subarray(-9).toString("latin1");
  const authority = version === " HTTP/1.1" || version === " HTTP/1.0" ? line.subarray(CONNECT.length, -9) : null;
  const headers = new Map<string, string[]>();
  let malformed = false;
  const rest = firstEnd < 0 ? "" : head.subarray(firstEnd + 2).toString("latin1");
  for (const field of rest === "" ? [] : rest.split("\r\n")) {
    const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0\r\n]*?)[ \t]*$/.exec(field);
    if (!match) {
      malformed = true;
      continue;
    }
    const name = (match[1] ?? "").toLowerCase();
    headers.set(name, [...(headers.get(name) ?? []), match[2] ?? ""]);
  }
  return { authority, headers, malformed };
}

/** Feeds chunks to `step` until it answers; then the socket is paused and no listener of ours is left on it. */
export function gather<T>(
  socket: Socket,
  deadlineMs: number,
  step: (chunk: Buffer) => T | null,
  ended: (why: "end" | "late") => T,
): Promise<T> {
  return new Promise((resolve) => {
    const finish = (value: T) => {
      clearTimeout(timer);
      socket.off("data", onData).off("end", onEnd).off("close", onEnd).off("error", onEnd);
      socket.pause();
      resolve(value);
    };
    const onData = (chunk: Buffer) => {
      const value = step(chunk);
      if (value !== null) finish(value);
    };
    const onEnd = () => finish(ended("end"));
    const timer = setTimeout(() => finish(ended("late")), deadlineMs);
    socket.on("data", onData).on("end", onEnd).on("close", onEnd).on("error", onEnd);
    socket.resume();
  });
}

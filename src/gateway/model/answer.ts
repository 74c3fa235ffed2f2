import type { IncomingMessage } from "node:http";
import { pipeline, type Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from "node:zlib";
import { scrubber } from "#gateway/credentials.ts";
import type { Secret } from "#ports/secret.ts";

const HEADERS = ["content-type", "cache-control", "request-id", "x-request-id", "retry-after"];

/** The codings of RFC 9110 §8.4.1 that a service may use though it was asked for none. */
const CODINGS: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
  zstd: createZstdDecompress,
};

/** An answer as it may be read and passed on: in plain bytes, for the meter, and without our key, for the sandbox. */
export interface PlainAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly streamed: boolean;
  readonly body: Readable;
}

/** Throws where the answer is coded in a way we cannot read: what cannot be metered is not passed on. */
export function plainAnswer(incoming: IncomingMessage, key: Secret | null): PlainAnswer {
  const scrub = key === null || key.reveal() === "" ? null : scrubber(key);
  const clean = (value: string) => (scrub ? scrub.header(value) : value);
  const headers: Record<string, string> = {};
  for (const name of HEADERS) {
    const value = incoming.headers[name];
    if (typeof value === "string") headers[name] = clean(value);
  }
  const steps: Transform[] = [];
  for (const coding of codingsOf(incoming)) {
    const decode = CODINGS[coding];
    if (!decode) throw new Error(`the answer is coded as ${coding.slice(0, 40)}`);
    steps.push(decode());
  }
  if (scrub) steps.push(scrub.body());
  // A failure of any step is a failure of the last, where the reader sees it.
  const body = steps.length === 0 ? incoming : pipeline([incoming, ...steps], () => undefined);
  return {
    // A bad key of ours reads as 401; agents retry on that for half a minute, and no retry mends it.
    status: incoming.statusCode === 401 ? 403 : (incoming.statusCode ?? 502),
    headers,
    streamed: /text\/event-stream/i.test(incoming.headers["content-type"] ?? ""),
    body: body as Readable,
  };
}

/** The last applied comes off first. */
function codingsOf(incoming: IncomingMessage): string[] {
  const named = (incoming.headers["content-encoding"] ?? "").toLowerCase().split(",");
  return named
    .map((each) => each.trim())
    .filter((each) => each !== "" && each !== "identity")
    .reverse();
}

import type { IncomingMessage } from "node:http";
import { createGunzip } from "node:zlib";
import { isPacketStream } from "./pkt-line.ts";

/** A fetch request is a list of wants and haves. */
const FETCH_BYTES = 16_000_000;

/** What a request asks of the relay. */
export interface Asked {
  readonly service: "git-upload-pack" | "git-receive-pack";
  /** Below the repository. */
  readonly rest: string;
  readonly query: string;
  readonly repo: string;
}

/** `null`: not one of the four requests that a smart client makes. */
export function readTarget(method: string, target: string): Asked | null {
  const match =
    /^\/git\/([\w-][\w.-]*)\/([\w-][\w.-]*?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)(?:\?(.*))?$/.exec(
      target,
    );
  if (!match) return null;
  const [, owner = "", name = "", rest = "", query = ""] = match;
  const repo = `${owner}/${name}`;
  if (rest === "info/refs") {
    const service = /^service=(git-upload-pack|git-receive-pack)$/.exec(query)?.[1];
    if (method !== "GET" || service === undefined) return null;
    return { service: service as Asked["service"], rest, query, repo };
  }
  return method === "POST" && query === "" ? { service: rest as Asked["service"], rest, query, repo } : null;
}

/** Unpacks a fetch request under a cap and checks its framing. `null`: too large, not gzip, or no packets. */
export async function readFetch(req: IncomingMessage): Promise<Buffer | null> {
  const encoding = req.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip") return null;
  const source = encoding === "gzip" ? req.pipe(createGunzip()) : req;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > FETCH_BYTES) return null;
      chunks.push(chunk);
    }
  } catch {
    return null;
  }
  const body = Buffer.concat(chunks);
  return isPacketStream(body) ? body : null;
}

import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Readable } from "node:stream";

/** An operator-configured service. Not egress: its address comes from configuration and may be private. */
export function callUpstream(
  url: URL,
  o: { method: string; headers: Readonly<Record<string, string>>; body: string | Readable | null; signal: AbortSignal },
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    const outgoing = send(url, { method: o.method, headers: o.headers, signal: o.signal });
    // Both may fail again after they have been handed over, when the caller has long stopped: that is not news.
    outgoing.on("error", reject);
    outgoing.once("response", (incoming) => resolve(incoming.on("error", () => undefined)));
    if (o.body === null) outgoing.end();
    else if (typeof o.body === "string") outgoing.end(o.body);
    else o.body.once("error", (error) => outgoing.destroy(error)).pipe(outgoing);
  });
}

/** `path` below `base`, whose own path is kept: joining never climbs out. */
export function below(base: string, path: string): URL {
  const url = new URL(base);
  const [pathname = "", ...query] = path.split("?");
  url.pathname = `${url.pathname.replace(/\/$/, "")}/${pathname.replace(/^\//, "")}`;
  url.search = query.join("?");
  return url;
}

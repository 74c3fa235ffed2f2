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
    const outgoing = send(url, { method: o.method, headers: o.headers });
    // Not the `signal` option: on a request whose answer is complete it destroys a socket that is back in the pool, and
    // that socket's error is then nobody's.
    const stop = () => outgoing.destroy(new Error("no longer wanted"));
    o.signal.addEventListener("abort", stop, { once: true });
    if (o.signal.aborted) stop();
    // It may fail again after it has been handed over, when the caller has long stopped: that is not news.
    outgoing.on("error", reject);
    outgoing.once("response", (incoming) => {
      const settle = () => {
        o.signal.removeEventListener("abort", stop);
        o.signal.addEventListener("abort", () => incoming.destroy(), { once: true });
      };
      outgoing.once("close", settle);
      resolve(incoming.on("error", () => undefined));
    });
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

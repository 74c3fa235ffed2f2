import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** What docs/deploy.md wants in front of several replicas. */
export interface FrontDoor extends AsyncDisposable {
  readonly url: string;
  /** Where requests go from now on, in turn. */
  spread(over: readonly string[]): void;
}

/** Passes everything on as it came, with its Host header; whoever takes no connection is passed over. */
export async function frontDoor(): Promise<FrontDoor> {
  let addresses: readonly string[] = [];
  let turn = 0;

  const server = createServer((from, to) => {
    pass(from, to).catch((error: unknown) => {
      if (!to.headersSent) to.writeHead(502);
      to.end(String(error));
    });
  });

  async function pass(from: IncomingMessage, to: ServerResponse): Promise<void> {
    const body = await buffer(from);
    // Other requests come in between: whoever is passed over must not be asked twice, and the next one never.
    const mine = turn++ % Math.max(addresses.length, 1);
    for (const address of [...addresses.slice(mine), ...addresses.slice(0, mine)]) {
      if (await answered(address, from, body, to)) return;
    }
    to.writeHead(503, { "retry-after": "1" }).end("nobody is there\n");
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spread(over) {
      addresses = over;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

/** `false`: nobody listens there, so nobody has heard of it. Rejects when whoever took it in did not answer. */
function answered(address: string, from: IncomingMessage, body: Buffer, to: ServerResponse): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const onward = request(new URL(from.url ?? "/", address), { method: from.method, headers: from.headers });
  onward.on("response", (answer) => {
    to.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(to);
    // Whoever is killed in the middle of an answer has not given it.
    answer.on("error", () => to.destroy());
    to.on("close", () => onward.destroy());
    resolve(true);
  });
  onward.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNREFUSED") resolve(false);
    else reject(error);
  });
  onward.end(body);
  return promise;
}

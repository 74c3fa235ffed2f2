import net from "node:net";

/** How long a new connection waits for a gateway that is restarting. */
export const HOLD_MS = 30_000;
const RETRY_MS = 100;
const MOST_CONNECTIONS = 512;

/**
 * Carries every connection made to the sandbox's proxy socket to the gateway's unix socket, behind one line that says
 * which sandbox it is. Decides nothing. While the gateway is away a new connection is held, then closed.
 */
export function carry(server: net.Server, o: { gateway: string; key: string; holdMs?: number }): void {
  // The server was made inside, where these could not be set for us.
  Object.assign(server, { allowHalfOpen: true, pauseOnConnect: true });
  server.maxConnections = MOST_CONNECTIONS;
  server.on("connection", (inner) => {
    // An answer in several small pieces would stand still after the first, until the client's kernel says that it has it.
    inner.setNoDelay(true);
    inner.on("error", () => inner.destroy());
    const deadline = performance.now() + (o.holdMs ?? HOLD_MS);
    const attempt = () => {
      if (inner.destroyed) return;
      const outer = net.connect({ path: o.gateway, allowHalfOpen: true });
      const retry = () => {
        outer.destroy();
        if (performance.now() > deadline) inner.destroy();
        else setTimeout(attempt, RETRY_MS).unref();
      };
      outer.once("error", retry);
      outer.once("connect", () => {
        outer.off("error", retry);
        outer.on("error", () => outer.destroy());
        outer.once("close", () => inner.destroy());
        inner.once("close", () => outer.destroy());
        outer.write(`COUNTERSIGN/1 ${o.key}\n`);
        inner.pipe(outer);
        outer.pipe(inner);
        inner.resume();
      });
    };
    attempt();
  });
}

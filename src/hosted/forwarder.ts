import net from "node:net";
import { DoorShut, throughDoor, type Way } from "./tunnel.ts";

/** How long a new connection waits for a gateway that is being started again. */
const HOLD_MS = 30_000;
/** How long the first one does, for which somebody waits who can mend it. */
const FIRST_HOLD_MS = 10_000;
const RETRY_MS = 250;
const MOST_CONNECTIONS = 512;

/**
 * Gives processes inside a hosted sandbox the address that they have in a local one: what connects to 127.0.0.1 is
 * carried to the gateway under the sandbox's token. Decides nothing. While the gateway is away a new connection is held,
 * then closed; one that the gateway turns away is closed at once.
 */
export function forwarder(
  way: Way,
  o: { port: number; holdMs?: number; say: (line: string) => void },
): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (inner) => {
    inner.on("error", () => inner.destroy());
    const deadline = performance.now() + (o.holdMs ?? HOLD_MS);
    const attempt = async (): Promise<void> => {
      while (!inner.destroyed) {
        try {
          const outer = await throughDoor(way);
          outer.on("error", () => outer.destroy());
          outer.once("close", () => inner.destroy());
          inner.once("close", () => outer.destroy());
          if (inner.destroyed) return void outer.destroy();
          inner.pipe(outer);
          outer.pipe(inner);
          inner.resume();
          return;
        } catch (error) {
          const shut = error instanceof DoorShut && error.status < 500;
          if (shut || performance.now() > deadline) {
            o.say(`a connection was not carried: ${error instanceof Error ? error.message : String(error)}`);
            return void inner.destroy();
          }
          await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        }
      }
    };
    void attempt();
  });
  server.maxConnections = MOST_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: o.port, backlog: 128 }, () => resolve(server));
  });
}

/**
 * Whether the gateway is there for this sandbox: `null` when its door opens, or, for a sandbox without a token, when it
 * is the gateway's own door that asks for one. Else what stands in the way.
 */
export async function tried(way: Way, o: { holdMs?: number } = {}): Promise<string | null> {
  for (const deadline = performance.now() + (o.holdMs ?? FIRST_HOLD_MS); ; ) {
    try {
      (await throughDoor(way)).destroy();
      return null;
    } catch (error) {
      if (error instanceof DoorShut && error.status === 401 && way.token === null) return null;
      const last = (error instanceof DoorShut && error.status < 500) || performance.now() > deadline;
      if (last) return error instanceof Error ? error.message : String(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

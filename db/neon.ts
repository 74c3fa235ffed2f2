import type { Client, Pool } from "pg";
import { common, type Driver, IDLE_IN_TRANSACTION_MS } from "./driver.ts";
import { loadNeon } from "./drizzle.ts";
import { SocketBroken } from "./lost.ts";
import { schema } from "./schema.ts";
import type { Db } from "./store.ts";

/**
 * Postgres inside a WebSocket, by Neon's own driver, which is loaded here. `proxy`: "ws://host:port/path" of a proxy
 * that is not Neon's; it is told "?address=host:port", as Neon's own wsproxy is.
 */
export function neonDriver(proxy: string | null): Driver {
  const { Client: Vendor, Pool: VendorPool, overNeon } = loadNeon();
  const settings = { webSocketConstructor: webSocket, ...(proxy === null ? {} : through(new URL(proxy))) };
  // A socket has its own settings, and the module's own would be those of every database in this process.
  const Configured = new Proxy(Vendor, {
    construct(target, given: ConstructorParameters<typeof Vendor>) {
      const client = new target(...given);
      Object.assign(client.neonConfig, settings);
      return client;
    },
  });
  return {
    name: "neon",
    pool(url, { connections, limitIdle, onError }) {
      const pool = new VendorPool({ ...common(url), max: connections });
      Object.assign(pool, { Client: Configured });
      // Neon drops the setting from a connection's first message (github.com/neondatabase/neon/issues/12856).
      if (limitIdle)
        pool.on("connect", (client: Client) => {
          client.query(`set idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS}`).catch(onError);
        });
      return pool as unknown as Pool;
    },
    client: (url, name) => new Configured({ ...common(url), application_name: name }) as unknown as Client,
    over: (client) => overNeon({ client: client as never, schema }) as unknown as Db,
  };
}

function through({ protocol, host, pathname }: URL) {
  return {
    wsProxy: (target: string, port: number | string) => `${host}${pathname}?address=${target}:${port}`,
    useSecureWebSocket: protocol === "wss:",
    // That saves a round trip where the password is asked for in clear, as Neon does inside its TLS; others may not.
    pipelineConnect: false,
  };
}

/** Node's WebSocket. Its errors are events, and whatever reads errors of ours expects `Error`. */
function webSocket(this: unknown, address: string): WebSocket {
  const socket = new WebSocket(address);
  const listen = socket.addEventListener.bind(socket);
  const told = (event: Event): Error => {
    const { host } = new URL(address);
    const why = "message" in event && typeof event.message === "string" ? event.message : "";
    return new SocketBroken(`the WebSocket to ${host} broke${why === "" ? "" : `: ${why}`}`);
  };
  return Object.assign(socket, {
    addEventListener: (type: string, listener: (event: unknown) => void) =>
      listen(type, type === "error" ? (event) => listener(told(event)) : listener),
  });
}

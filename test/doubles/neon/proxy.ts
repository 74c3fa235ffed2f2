import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { PostgresPlace } from "#db/place.ts";
import { acceptBinary, type BinarySocket } from "./frames.ts";
import { fatal, messages, startupOf, statementIn, wrongThroughPooler } from "./messages.ts";

const ENDPOINT = "ep-quiet-dew-a1b2c3d4";
const DOMAIN = "eu-central-1.aws.neon.tech";

/** Neon's side of the wire over a real Postgres: what its proxy and its pooler change, refuse and break. */
export interface NeonDouble extends AsyncDisposable {
  /** For NEON_WS_PROXY. */
  readonly url: string;
  /** As Neon's console gives it: of a database on the server behind. `pooled`: its other address. */
  at(database: string, o?: { pooled?: boolean }): string;
  /** The same, understood. */
  place(database: string): PostgresPlace;
  /** Connections open at this moment. */
  open(): { readonly direct: number; readonly pooled: number };
  /** What was sent through the pooler and must not be, and what the driver did not say as Postgres wants it. */
  readonly problems: readonly string[];
  /** Breaks every connection without a word. Returns how many there were. */
  cut(): number;
  /** Ends every WebSocket with a goodbye, as when a compute is suspended or moved. */
  close(): number;
  /** New connections are refused from now on, or no more. */
  refuse(on: boolean): void;
  /** Answers take this long from now on. */
  delay(ms: number): void;
  /** Breaks the connection that next sends a statement like this: before the server has it, or when it has answered. */
  cutAt(statement: RegExp, when: "before" | "answered"): void;
}

interface Line {
  readonly pooled: boolean;
  readonly web: BinarySocket;
  readonly server: Socket;
}

/** `server`: the Postgres behind, as its superuser reaches it. Its address alone is dialled, whatever is asked for. */
export async function neonDouble(server: string): Promise<NeonDouble> {
  const behind = new URL(server);
  const lines = new Set<Line>();
  const problems: string[] = [];
  let refusing = false;
  let delayMs = 0;
  let trap: { readonly statement: RegExp; readonly when: "before" | "answered" } | null = null;

  const http = createServer((_, res) => res.writeHead(426).end());
  http.on("upgrade", (req: IncomingMessage, socket: Duplex) => {
    const pooled = pooledOf(req.url ?? "");
    if (refusing || pooled === null) {
      if (pooled === null) problems.push(`a connection to ${req.url}`);
      return void socket.end(`HTTP/1.1 ${refusing ? 503 : 404} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    }
    carry(req, socket, pooled);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const bound = http.address();
  if (bound === null || typeof bound === "string") throw new Error("the double has no port");

  function carry(req: IncomingMessage, socket: Duplex, pooled: boolean): void {
    const up = connect(Number(behind.port), behind.hostname);
    let answered: "cut" | null = null;
    let started = false;
    const whole = messages();
    const problem = (what: string) => void problems.push(`${pooled ? "pooled" : "direct"}: ${what}`);

    const hear = (message: Buffer): void => {
      if (!started) {
        started = true;
        const { bytes, unsupported } = startupOf(message);
        if (pooled && unsupported.length > 0) {
          problem(`unsupported startup parameter: ${unsupported.join(", ")}`);
          web.send(fatal("08P01", `unsupported startup parameter: ${unsupported[0]}`));
          web.close();
        } else up.write(bytes);
        return;
      }
      const sql = statementIn(message);
      const wrong = sql !== null && pooled ? wrongThroughPooler(sql) : null;
      if (wrong !== null) problem(`${wrong}: ${sql}`);
      if (sql !== null && trap?.statement.test(sql)) {
        const { when } = trap;
        trap = null;
        if (when === "before") {
          web.cut();
          return;
        }
        answered = "cut";
      }
      up.write(message);
    };
    const web = acceptBinary(req, socket, {
      data(data) {
        for (const message of whole(data)) hear(message);
      },
      wrong: problem,
      drained: () => void up.resume(),
      closed() {
        lines.delete(line);
        up.destroy();
      },
    });
    const line: Line = { pooled, web, server: up };
    lines.add(line);
    up.on("data", (data) => {
      if (answered === "cut") return web.cut();
      if (delayMs > 0) setTimeout(() => web.send(data), delayMs);
      else if (!web.send(data)) up.pause();
    });
    up.on("error", () => web.cut());
    up.on("end", () => (delayMs > 0 ? setTimeout(web.close, delayMs) : web.close()));
  }

  const every = (act: (line: Line) => void): number => {
    const all = [...lines];
    for (const line of all) act(line);
    return all.length;
  };
  const url = `ws://127.0.0.1:${bound.port}/v2`;
  const at: NeonDouble["at"] = (database, o) =>
    `postgres://${behind.username}:${behind.password}@${ENDPOINT}${o?.pooled ? "-pooler" : ""}.${DOMAIN}/${database}?sslmode=require`;
  return {
    url,
    at,
    place: (database) => ({
      ...{ kind: "postgres", driver: "neon", proxy: url },
      ...{ url: at(database), pooledUrl: at(database, { pooled: true }) },
    }),
    open: () => {
      const pooled = [...lines].filter((line) => line.pooled).length;
      return { direct: lines.size - pooled, pooled };
    },
    problems,
    cut: () => every(({ web }) => web.cut()),
    close: () => every(({ web }) => web.close()),
    refuse(on) {
      refusing = on;
    },
    delay(ms) {
      delayMs = ms;
    },
    cutAt(statement, when) {
      trap = { statement, when };
    },
    async [Symbol.asyncDispose]() {
      every(({ web }) => web.cut());
      http.close();
      http.closeAllConnections();
      await once(http, "close");
    },
  };
}

/** Whether the address that is asked for is the pooler's; `null`: it is neither of the endpoint's. */
function pooledOf(path: string): boolean | null {
  const address = new URL(path, "ws://double").searchParams.get("address");
  if (address === `${ENDPOINT}.${DOMAIN}:5432`) return false;
  return address === `${ENDPOINT}-pooler.${DOMAIN}:5432` ? true : null;
}

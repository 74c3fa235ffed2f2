import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createListener, type Server, type Socket } from "node:net";
import { handleConnect, type Intercept } from "./connect.ts";
import { refuse, refuseRaw } from "./denial.ts";
import { readOpening } from "./head.ts";
import { PARSER_HEAD_BYTES } from "./http-strict.ts";
import { isForRegistry, REGISTRY_PATH } from "./package-path.ts";
import { handlePlain } from "./plain.ts";
import { handleSocks } from "./socks.ts";
import { admitCarrier, record, type Wall } from "./wall.ts";

/** A service of our own behind an origin-form path. `path` is the raw target. */
export type Broker = (request: {
  readonly carrier: string | null;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly target: string;
}) => Promise<void>;

/** A request's whole body has to be there by then; an answer may take as long as it takes. */
const REQUEST_MS = 600_000;

/**
 * The sandboxes' side. Each connection's beginning is read by us, byte by byte; a CONNECT and SOCKS stay with us,
 * everything else goes to Node's strict HTTP parser, which may then serve many requests on it.
 */
export function dataPlane(
  wall: Wall,
  parts: { intercept: Intercept; brokers: Readonly<Record<string, Broker>> },
): { listener: Server; close(): Promise<void> } {
  const carriers = new WeakMap<object, string | null>();
  const sockets = new Set<Socket>();
  const underWay = new Set<Promise<void>>();
  const http = createServer({ maxHeaderSize: PARSER_HEAD_BYTES, requireHostHeader: false, keepAliveTimeout: 60_000 });
  http.requestTimeout = REQUEST_MS;

  const badRequest = async (socket: Socket | IncomingMessage["socket"], status = 400, reason = "bad_request") => {
    const carrier = carriers.get(socket) ?? null;
    const admission = admitCarrier(wall, carrier);
    const run = admission.ok ? admission.grant.run : admission.run;
    const line = { via: "http", host: "", port: 0, method: null, outcome: "deny", reason, rule: null } as const;
    await record(wall, { kind: "egress", run, sandbox: carrier, ...line });
    return { status, reason, rule: null };
  };

  http.on("request", (req, res) => {
    const carrier = carriers.get(req.socket) ?? null;
    const target = req.url ?? "";
    const serving = route(carrier, req, res, target).catch((error: unknown) => {
      // A bug of ours must not become an open door or a dead process; it becomes a refusal that says so.
      process.emitWarning(`gateway: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
      refuse(res, { status: 500, reason: "internal", rule: null });
    });
    underWay.add(serving);
    void serving.finally(() => underWay.delete(serving));
  });
  http.on("connect", (_req, socket) => {
    // Only a connection's first request may be a CONNECT: the raw reader never saw this one.
    void badRequest(socket as Socket).then((denial) => refuseRaw(socket, denial));
  });
  http.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (error.code === "ECONNRESET" || !socket.writable) return socket.destroy();
    const [status, reason] = error.code === "HPE_HEADER_OVERFLOW" ? [431, "limit"] : [400, "bad_request"];
    void badRequest(socket as Socket, status, reason).then((denial) => refuseRaw(socket, denial));
  });

  async function route(
    carrier: string | null,
    req: IncomingMessage,
    res: ServerResponse,
    target: string,
  ): Promise<void> {
    if (/^[a-z]+:\/\//i.test(target)) return await handlePlain(wall, carrier, req, res);
    const prefix = Object.keys(parts.brokers).find((each) => target === each || target.startsWith(each));
    const known = prefix ?? (isForRegistry(target) ? REGISTRY_PATH : undefined);
    const broker = known === undefined ? undefined : parts.brokers[known];
    if (broker) return await broker({ carrier, req, res, target });
    refuse(res, await badRequest(req.socket));
  }

  async function serve(socket: Socket): Promise<void> {
    const { sandbox, opening } = await readOpening(socket, { deadlineMs: wall.world.limits.headMs });
    carriers.set(socket, sandbox);
    if (opening.kind === "closed") return void socket.destroy();
    if (opening.kind === "too_large") return refuseRaw(socket, await badRequest(socket, 431, "limit"));
    if (opening.kind === "connect") {
      return await handleConnect(wall, parts.intercept, {
        socket,
        carrier: sandbox,
        head: opening.head,
        rest: opening.rest,
      });
    }
    if (opening.kind === "socks") {
      return await handleSocks(wall, parts.intercept, { socket, carrier: sandbox, bytes: opening.bytes });
    }
    socket.unshift(opening.bytes);
    http.emit("connection", socket);
    socket.resume();
  }

  const listener = createListener({ allowHalfOpen: true, pauseOnConnect: false }, (socket) => {
    sockets.add(socket);
    // A client may vanish at any moment; whoever owns the socket sees "close".
    socket.on("error", () => socket.destroy());
    socket.once("close", () => sockets.delete(socket));
    serve(socket).catch(() => socket.destroy());
  });
  return {
    listener,
    async close() {
      const closed = new Promise<void>((resolve) => void listener.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      http.close();
      await closed;
      // A model call that was cut still has to be billed.
      await Promise.all(underWay);
    },
  };
}

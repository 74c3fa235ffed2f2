import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import type { Answer } from "./sign.ts";
import type { Sent, Wire } from "./wire.ts";
import type { JsonObject } from "./world.ts";

/** Socket Mode: https://docs.slack.dev/apis/events-api/using-socket-mode */
export interface Sockets extends Wire {
  /** An address for one connection, as `apps.connections.open` gives it: used once, within half a minute. */
  address(): Promise<string>;
  /** What Slack does every few hours: tells each connection to make way for another, and takes it down. */
  refresh(reason: "warning" | "refresh_requested" | "link_disabled"): void;
  /** Cuts every connection without a word, as a network does. */
  cut(): void;
  /** How many connections have been greeted and are open. */
  count(): number;
}

/** Slack's own limit of connections per app. */
const CONNECTIONS_MOST = 10;
const TICKET_LIVES_MS = 30_000;
/** The app's package takes a connection for dead after half a minute without one. */
const PING_MS = 10_000;
/** An acknowledgement may bring a view or a message. */
const FRAME_MOST_BYTES = 1024 * 1024;

const Ack = z.strictObject({ envelope_id: z.string(), payload: z.record(z.string(), z.unknown()).optional() });

/** A server of its own on this machine, started with the first address that is asked for. */
export function openSockets(o: {
  readonly appId: string;
  readonly answerWithinMs: number;
  readonly now: () => number;
  /** What the app sent that Slack would not take. */
  readonly complain: (what: string) => void;
}): Sockets {
  const tickets = new Map<string, number>();
  const greeted = new Set<WebSocket>();
  const waiting = new Map<string, (payload: JsonObject | undefined) => void>();
  const arrivals = new Set<() => void>();
  let server: Promise<WebSocketServer> | null = null;
  let turn = 0;

  async function start(): Promise<WebSocketServer> {
    const { WebSocketServer } = await import("ws");
    const made = new WebSocketServer({
      host: "127.0.0.1",
      port: 0,
      maxPayload: FRAME_MOST_BYTES,
      // A page of another site may open sockets to this machine, and brings its Origin.
      verifyClient: ({ origin, req }: { origin?: string; req: IncomingMessage }) =>
        origin === undefined && takeTicket(new URL(req.url ?? "/", "ws://127.0.0.1").searchParams.get("ticket") ?? ""),
    });
    made.on("connection", greet);
    made.on("wsClientError", (_error: Error, socket: Duplex) => socket.destroy());
    await once(made, "listening");
    return made;
  }

  function takeTicket(ticket: string): boolean {
    const expires = tickets.get(ticket);
    tickets.delete(ticket);
    return expires !== undefined && o.now() <= expires && greeted.size < CONNECTIONS_MOST;
  }

  function greet(socket: WebSocket): void {
    socket.on("message", (data, isBinary) => hear(isBinary ? null : data.toString()));
    socket.on("error", (error) => o.complain(error.message));
    const pinging = setInterval(() => socket.ping(), PING_MS);
    socket.on("close", () => {
      clearInterval(pinging);
      greeted.delete(socket);
    });
    greeted.add(socket);
    const hello = {
      type: "hello",
      num_connections: greeted.size,
      debug_info: {
        host: "playground",
        started: new Date(o.now()).toISOString(),
        build_number: 1,
        approximate_connection_time: 18_060,
      },
      connection_info: { app_id: o.appId },
    };
    socket.send(JSON.stringify(hello));
    socket.ping();
    for (const arrived of arrivals) arrived();
  }

  function hear(text: string | null): void {
    let read: z.infer<typeof Ack>;
    try {
      read = Ack.parse(JSON.parse(text ?? ""));
    } catch (error) {
      o.complain(`not an acknowledgement: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    const answered = waiting.get(read.envelope_id);
    if (answered === undefined) o.complain(`an acknowledgement of nothing that waits: ${read.envelope_id}`);
    else answered(read.payload as JsonObject | undefined);
  }

  /** A connection that is open: any of them, in turn. Waits for one, since Slack hands over without a gap. */
  async function open(withinMs: number): Promise<WebSocket | null> {
    const live = [...greeted].filter((socket) => socket.readyState === socket.OPEN);
    const one = live[turn++ % Math.max(live.length, 1)];
    if (one !== undefined) return one;
    const { promise, resolve } = Promise.withResolvers<void>();
    const late = setTimeout(resolve, withinMs);
    arrivals.add(resolve);
    await promise;
    clearTimeout(late);
    arrivals.delete(resolve);
    return [...greeted].find((socket) => socket.readyState === socket.OPEN) ?? null;
  }

  async function send({ kind, payload, retry }: Sent): Promise<Answer> {
    const started = performance.now();
    const ms = () => Math.round(performance.now() - started);
    const socket = await open(o.answerWithinMs);
    if (socket === null)
      return { ok: false, reason: "connection_failed", detail: "no socket of the app's is open", ms: ms() };
    const envelope_id = randomUUID();
    const { promise, resolve } = Promise.withResolvers<JsonObject | undefined | null>();
    const late = setTimeout(() => resolve(null), o.answerWithinMs);
    waiting.set(envelope_id, resolve);
    const accepts_response_payload = kind !== "events_api";
    socket.send(
      JSON.stringify({
        payload,
        envelope_id,
        type: kind,
        accepts_response_payload,
        ...(kind === "events_api" ? { retry_attempt: retry?.num ?? 0, retry_reason: retry?.reason ?? "" } : {}),
      }),
    );
    const answer = await promise;
    clearTimeout(late);
    waiting.delete(envelope_id);
    if (answer === null)
      return { ok: false, reason: "http_timeout", detail: "the envelope was not acknowledged", ms: ms() };
    const told = answer !== undefined && Object.keys(answer).length > 0;
    if (told && !accepts_response_payload) o.complain("an event was answered with a payload, and Slack takes none");
    return { ok: true, status: 200, body: told ? JSON.stringify(answer) : "", noRetry: false, ms: ms() };
  }

  return {
    send,
    async address() {
      server ??= start();
      const { port } = (await server).address() as AddressInfo;
      const ticket = randomBytes(16).toString("hex");
      tickets.set(ticket, o.now() + TICKET_LIVES_MS);
      return `ws://127.0.0.1:${port}/link/?ticket=${ticket}&app_id=${o.appId}`;
    },
    refresh(reason) {
      for (const socket of greeted) {
        socket.send(JSON.stringify({ type: "disconnect", reason, debug_info: { host: "playground" } }));
        // The app closes when it has read that.
        greeted.delete(socket);
      }
    },
    cut() {
      for (const socket of greeted) socket.terminate();
    },
    count: () => greeted.size,
    stop() {
      for (const arrived of arrivals) arrived();
      for (const answered of waiting.values()) answered(undefined);
      void server?.then((made) => {
        for (const socket of made.clients) socket.terminate();
        made.close();
      });
    },
  };
}

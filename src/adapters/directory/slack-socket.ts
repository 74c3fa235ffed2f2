import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, type FetchFunction, WebClient } from "@slack/web-api";
import { z } from "zod";
import type { Secret } from "#ports/secret.ts";
import { type SlackAccessOptions, slackLogger } from "./slack-access.ts";

export interface SlackSocketOptions {
  readonly appToken: Secret;
  /** Another address than Slack's, ending in "/". */
  readonly slackApiUrl?: string;
  /** For the Web API; the socket itself goes the direct way. */
  readonly fetch?: FetchFunction;
  readonly log: SlackAccessOptions["log"];
  /** How long to wait before the nth try in a row; default 1 s, doubled up to a minute. */
  readonly waitMs?: (failures: number) => number;
}

/** What Slack sent over the socket, and the way to say that it is kept. */
export interface SlackEnvelope {
  readonly type: string;
  readonly body: unknown;
  ack(answer?: string | Readonly<Record<string, unknown>>): Promise<void>;
}

export interface SlackSocket {
  /** Asks for a connection's address and uses none. Throws what Slack says: the token is refused, or not allowed to. */
  probe(): Promise<void>;
  /**
   * Holds one connection, and the next as soon as Slack ends it, until `signal` aborts. A lost one is opened again, later
   * and later while that fails. Never rejects. Several processes may each hold one: an envelope comes over any of them.
   */
  hold(take: (envelope: SlackEnvelope) => Promise<void>, signal: AbortSignal): Promise<void>;
}

const CALL_MS = 10_000;
/** From the address to Slack's hello. */
const HELLO_MS = 15_000;
/** A connection that was shorter failed, whatever it was called. */
const SHORT_MS = 10_000;
/** How long the other side may take to say goodbye. */
const GOODBYE_MS = 2_000;
const WAIT_MOST_MS = 60_000;

const Farewell = z.object({ type: z.literal("disconnect"), reason: z.string().optional() });

const doubled = (failures: number): number => Math.min(WAIT_MOST_MS, 1_000 * 2 ** Math.min(failures - 1, 10));

/** Slack's Socket Mode: https://docs.slack.dev/apis/events-api/using-socket-mode. The vendor's package is loaded on first use. */
export function slackSocket(o: SlackSocketOptions): SlackSocket {
  const { appToken, log, waitMs = doubled } = o;
  const clientOptions = () => ({
    ...(o.slackApiUrl === undefined ? {} : { slackApiUrl: o.slackApiUrl }),
    ...(o.fetch === undefined ? {} : { fetch: o.fetch }),
    timeout: CALL_MS,
    rejectRateLimitedCalls: true,
    retryConfig: { retries: 0 },
  });

  /** One connection. Resolves with why it ended; throws when it never began. */
  async function connection(take: (envelope: SlackEnvelope) => Promise<void>, signal: AbortSignal): Promise<string> {
    const { SocketModeClient } = await import("@slack/socket-mode");
    const client = new SocketModeClient({
      appToken: appToken.reveal(),
      // Its own way back throws where nobody can catch it: a token revoked meanwhile would end this process.
      autoReconnectEnabled: false,
      logger: slackLogger(log),
      clientOptions: clientOptions(),
    });
    let why = "the connection was lost";
    const over = Promise.withResolvers<void>();
    client.on("disconnected", () => over.resolve());
    const theirs = client.listeners("ws_message");
    client.removeAllListeners("ws_message");
    client.on("ws_message", (data: unknown, isBinary: boolean) => {
      why = farewell(data) ?? why;
      // An envelope in a shape that the package does not expect is an unhandled rejection of its listener.
      for (const hear of theirs)
        Promise.resolve(Reflect.apply(hear, client, [data, isBinary])).catch((error: unknown) =>
          log("an envelope of Slack's was not understood", { level: "error", error: String(error) }),
        );
    });
    client.on("slack_event", ({ type, body, ack }: SlackEnvelope) => void take({ type, body, ack }));
    let goodbye: NodeJS.Timeout | undefined;
    const leave = () => {
      void client.disconnect();
      // The second one does not wait for the other side.
      goodbye ??= setTimeout(() => void client.disconnect(), GOODBYE_MS);
    };
    const late = setTimeout(leave, HELLO_MS);
    signal.addEventListener("abort", leave, { once: true });
    try {
      await client.start();
      clearTimeout(late);
      if (signal.aborted) leave();
      log("a socket to Slack is open", {});
      await over.promise;
      return why;
    } catch (cause) {
      // The package rejects with nothing when it was disconnected before Slack said hello.
      throw cause ?? new Error("Slack ended the connection before it said hello");
    } finally {
      clearTimeout(late);
      clearTimeout(goodbye);
      signal.removeEventListener("abort", leave);
    }
  }

  return {
    async probe() {
      await new WebClient(appToken.reveal(), { ...clientOptions(), logger: slackLogger(log) }).apps.connections.open();
    },
    async hold(take, signal) {
      let failures = 0;
      while (!signal.aborted) {
        const from = performance.now();
        let asked = 0;
        try {
          const reason = await connection(take, signal);
          failures = performance.now() - from < SHORT_MS ? failures + 1 : 0;
          if (!signal.aborted) log("the socket to Slack has ended; the next one is opened", { reason });
        } catch (error) {
          failures += 1;
          asked = retryAfterMs(error);
          if (!signal.aborted) log("there is no socket to Slack", { level: "error", failures, error: String(error) });
        }
        // The first goodbye is Slack's ordinary change of servers.
        const wait = Math.max(asked, failures > 1 ? waitMs(failures - 1) : 0);
        if (wait > 0) await pause(wait, undefined, { signal }).catch(() => undefined);
      }
    },
  };
}

/** Why Slack takes its leave: "warning", "refresh_requested", "link_disabled". `null`: it says something else. */
function farewell(data: unknown): string | null {
  if (typeof data !== "string" || !data.includes('"disconnect"')) return null;
  try {
    const read = Farewell.safeParse(JSON.parse(data));
    return read.success ? (read.data.reason ?? "disconnect") : null;
  } catch {
    return null;
  }
}

const retryAfterMs = (error: unknown): number =>
  error instanceof Error && "code" in error && error.code === ErrorCode.RateLimitedError && "retryAfter" in error
    ? Number(error.retryAfter) * 1_000
    : 0;

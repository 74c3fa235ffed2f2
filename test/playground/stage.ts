import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ServerType, serve } from "@hono/node-server";
import { App, type Receiver, type ReceiverEvent, verifySlackRequest } from "@slack/bolt";
import { SocketModeClient } from "@slack/socket-mode";
import { type Context, Hono } from "hono";
import { playgroundSeed } from "#playground/seed.ts";
import { TOKEN_HEADER } from "#playground/slack/paths.ts";
import { type Playground, type PlaygroundOptions, startPlayground } from "#playground/slack/playground.ts";
import type { JsonObject } from "#playground/slack/world.ts";

export const TOKEN = "start-token-for-tests";
const SIGNING = "signing-secret-for-tests";
const BOT_TOKEN = "xoxb-for-tests";
export const APP_TOKEN = "xapp-for-tests";

/** Slack's two ways to an app. What is tested over one is tested over the other. */
export const TRANSPORTS = ["http", "socket"] as const;
export type Transport = (typeof TRANSPORTS)[number];

const SILENT = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  setLevel() {},
  setName() {},
  getLevel: () => "error" as never,
};

/** What the app was sent, as it came. */
export interface Heard {
  readonly body: JsonObject;
  readonly retryNum: string | undefined;
  readonly retryReason: string | undefined;
}

export interface Stage {
  readonly url: string;
  readonly playground: Playground;
  readonly bolt: App;
  readonly heard: Heard[];
  /** The first delivery, past or future, that fits. */
  hears(fits: (heard: Heard) => boolean): Promise<Heard>;
  /** Answers the next deliveries itself instead of Bolt; return undefined to let Bolt have it. */
  intercept(answer: (heard: Heard) => Response | Promise<Response> | undefined): void;
  control(path: string, body?: unknown): Promise<{ status: number; body: JsonObject }>;
  close(): Promise<void>;
}

/** Everything a real product does in its receiver, and no more: verify, hand to Bolt, answer what Bolt acknowledges. */
function receiver(
  take: (heard: Heard) => Response | Promise<Response> | undefined,
): Receiver & { handle(c: Context): Promise<Response>; plug(apiUrl: string): Promise<SocketModeClient> } {
  let bolt: App | undefined;
  return {
    init(app) {
      bolt = app;
    },
    /** Slack's own client holds the socket; an answer that is no 200 is an envelope that is not acknowledged. */
    async plug(slackApiUrl) {
      const client = new SocketModeClient({
        appToken: APP_TOKEN,
        logger: SILENT,
        clientOptions: { slackApiUrl, retryConfig: { retries: 0 } },
      });
      client.on("slack_event", async ({ body, ack, retry_num, retry_reason }) => {
        const retryNum = retry_num ? String(retry_num) : undefined;
        const early = await take({ body, retryNum, retryReason: retryNum && retry_reason });
        if (early) return early.ok ? ack() : undefined;
        await bolt?.processEvent({ body, ack });
      });
      await client.start();
      return client;
    },
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    async handle(c) {
      const raw = await c.req.text();
      try {
        verifySlackRequest({
          signingSecret: SIGNING,
          body: raw,
          headers: {
            "x-slack-signature": c.req.header("x-slack-signature") ?? "",
            "x-slack-request-timestamp": Number(c.req.header("x-slack-request-timestamp")),
          },
        });
      } catch {
        return c.body(null, 401);
      }
      const form = c.req.header("content-type")?.startsWith("application/x-www-form-urlencoded");
      const fields = new URLSearchParams(form ? raw : "");
      const body = fields.has("command")
        ? Object.fromEntries(fields)
        : (JSON.parse(form ? (fields.get("payload") ?? "") : raw) as JsonObject);
      const early = take({
        body,
        retryNum: c.req.header("x-slack-retry-num"),
        retryReason: c.req.header("x-slack-retry-reason"),
      });
      if (early) return early;
      const { promise, resolve, reject } = Promise.withResolvers<Response>();
      const event: ReceiverEvent = {
        body,
        ack: (answer) => {
          if (answer === undefined || answer === "") resolve(c.body(null, 200));
          else resolve(typeof answer === "string" ? c.text(answer) : c.json(answer as object));
          return Promise.resolve();
        },
      };
      bolt?.processEvent(event).then(() => resolve(c.body(null, 404)), reject);
      return promise;
    },
  };
}

/** A playground, a Bolt app behind it, both on one port. */
export async function openStage({
  over = "http",
  ...o
}: Partial<PlaygroundOptions> & { over?: Transport } = {}): Promise<Stage> {
  const root = new Hono();
  const { promise: listening, resolve } = Promise.withResolvers<AddressInfo>();
  const server: ServerType = serve(
    { fetch: (req, env) => root.fetch(req, env), hostname: "127.0.0.1", port: 0 },
    resolve,
  );
  const url = `http://127.0.0.1:${(await listening).port}`;

  const heard: Heard[] = [];
  const waiting = new Set<() => void>();
  let answer: ((heard: Heard) => Response | Promise<Response> | undefined) | undefined;
  const boltReceiver = receiver((each) => {
    heard.push(each);
    for (const look of waiting) look();
    return answer?.(each);
  });
  const bolt = new App({
    token: BOT_TOKEN,
    receiver: boltReceiver,
    clientOptions: { slackApiUrl: `${url}/slack-api/`, retryConfig: { retries: 0 } },
    convoStore: false,
    logger: SILENT,
  });
  root.post("/slack/events", (c) => boltReceiver.handle(c));
  root.post("/slack/interactivity", (c) => boltReceiver.handle(c));
  root.post("/slack/commands", (c) => boltReceiver.handle(c));

  const dataDir = o.dataDir ?? mkdtempSync(join(tmpdir(), "playground-"));
  const playground = startPlayground({
    dataDir,
    token: TOKEN,
    signingSecret: SIGNING,
    botToken: BOT_TOKEN,
    eventsUrl: `${url}/slack/events`,
    interactivityUrl: `${url}/slack/interactivity`,
    seed: playgroundSeed(),
    realCredentials: [],
    retryDelaysMs: [0, 0, 0],
    ...(over === "socket" ? { appToken: APP_TOKEN } : {}),
    ...o,
  });
  root.route("/", playground.app);
  // Whoever brings an address of their own takes what is sent there themselves.
  const socket = over === "socket" && o.eventsUrl === undefined ? await boltReceiver.plug(`${url}/slack-api/`) : null;
  playground.begin();

  return {
    url,
    playground,
    bolt,
    heard,
    hears(fits) {
      const { promise, resolve: found } = Promise.withResolvers<Heard>();
      const look = () => {
        const match = heard.find(fits);
        if (!match) return;
        waiting.delete(look);
        found(match);
      };
      waiting.add(look);
      look();
      return promise;
    },
    intercept(given) {
      answer = given;
    },
    async control(path, body) {
      const response = await fetch(`${url}/_control/${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { [TOKEN_HEADER]: TOKEN, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: response.status, body: (await response.json()) as JsonObject };
    },
    async close() {
      await socket?.disconnect();
      playground.stop();
      const closed = new Promise((done) => server.close(done));
      if ("closeAllConnections" in server) server.closeAllConnections();
      await closed;
      if (!o.dataDir) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The inner event of a delivery. */
export const eventOf = (heard: Heard): JsonObject => (heard.body.event ?? {}) as JsonObject;

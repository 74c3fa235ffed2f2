import { timingSafeEqual } from "node:crypto";
import type { App, Receiver } from "@slack/bolt";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { InboxRow, InboxStore } from "#runs/stores.ts";
import { deliveries } from "#surfaces/deliveries.ts";
import { type Delivery, sort } from "./delivery.ts";

const SOURCE = "slack";

/** Slack's own window: https://docs.slack.dev/authentication/verifying-requests-from-slack. Both ways: a clock may be wrong. */
const SKEW_MOST_SEC = 300;
/** Far above the largest payload of Slack; the endpoint is open to anyone. */
const BODY_MOST_BYTES = 1024 * 1024;

export interface ReceiverOptions {
  /** HMAC-SHA256 of a text under the signing secret. */
  readonly hmac: (text: string) => Buffer;
  readonly inbox: InboxStore;
  readonly now: () => Date;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** A delivery was understood and is being kept: the time to look up what its listener will need. Must not throw. */
  readonly onTaken: (body: Delivery["body"]) => void;
  /** A delivery could not be handled: this time, or for good. Must not throw. */
  readonly onTrouble: (body: Delivery["body"], forGood: boolean) => Promise<void>;
  /** Older rows are of a process that is gone: a listener takes milliseconds. Default 30 s. */
  readonly leftBehindMs?: number;
}

export interface SlackReceiver {
  readonly receiver: Receiver;
  /** POST /slack/events and /slack/interactivity. */
  readonly routes: Hono;
  /** Takes up what a crash or a failure left in the inbox. Resolves when all of it was tried; how many there were. */
  redrive(): Promise<number>;
  /** Resolves when every listener that runs now has finished. */
  drain(): Promise<void>;
}

type Answer = string | Readonly<Record<string, unknown>> | undefined;

/**
 * Takes Slack's requests in. The order is the promise: signature, then a durable row, then the acknowledgement, then
 * the work. Bolt acknowledges events before its listeners run, so the row cannot be left to a listener.
 */
export function slackReceiver({
  hmac,
  inbox,
  now,
  log,
  onTaken,
  onTrouble,
  leftBehindMs,
}: ReceiverOptions): SlackReceiver {
  let bolt: App | null = null;
  const kept = deliveries({ source: SOURCE, name: "Slack", inbox, log, leftBehindMs });

  function signed(raw: string, time: string | undefined, signature: string | undefined): boolean {
    if (!time || !signature || !/^\d{1,12}$/.test(time) || !/^v0=[0-9a-f]{64}$/.test(signature)) return false;
    const expected = hmac(`v0:${time}:${raw}`);
    const given = Buffer.from(signature.slice(3), "hex");
    const same = given.length === expected.length && timingSafeEqual(given, expected);
    return same && Math.abs(now().getTime() / 1000 - Number(time)) <= SKEW_MOST_SEC;
  }

  /** Runs the listeners. */
  const start = ({ id, body }: Delivery, ack: (answer?: Answer) => Promise<void>): Promise<void> =>
    kept.start(
      id,
      () => {
        if (!bolt) throw new Error("the receiver was not given to an App");
        return bolt.processEvent({ body, ack });
      },
      async (forGood, tried) => {
        if (forGood || tried === 1) await onTrouble(body, forGood);
      },
    );

  async function take(c: Context): Promise<Response> {
    const raw = await c.req.text();
    const form = (c.req.header("content-type") ?? "").startsWith("application/x-www-form-urlencoded");
    // An unsigned probe of Slack's that carries nothing.
    if (form && new URLSearchParams(raw).get("ssl_check") === "1") return c.body(null, 200);
    if (!signed(raw, c.req.header("x-slack-request-timestamp"), c.req.header("x-slack-signature"))) {
      return c.text("bad signature", 401);
    }
    const body = parse(raw, form);
    if (body === null) return c.text("not understood", 400);
    if (body.type === "url_verification") return c.json({ challenge: body.challenge });
    const sorted = sort(body);
    if (sorted.kind === "ignore") return c.body(null, 200);
    if (sorted.kind === "answer") return c.json(sorted.answer);
    onTaken(sorted.delivery.body);
    let fresh: boolean;
    try {
      fresh = await inbox.insertOnce(SOURCE, sorted.delivery.id, sorted.delivery.body);
    } catch (error) {
      // Not kept is not accepted: Slack tries an event again, and shows the person who clicked that it failed.
      log("a Slack request could not be kept", { level: "error", error: String(error) });
      return c.text("try again", 500);
    }
    if (!fresh) return c.body(null, 200);
    const answered = Promise.withResolvers<Response>();
    const work = start(sorted.delivery, async (answer) =>
      answered.resolve(
        answer === undefined || answer === ""
          ? c.body(null, 200)
          : typeof answer === "string"
            ? c.text(answer)
            : c.json(answer),
      ),
    );
    // Kept is accepted: what failed is ours to try again, not Slack's.
    void work.then(() => answered.resolve(c.body(null, 200)));
    return answered.promise;
  }

  const routes = new Hono();
  const limit = bodyLimit({ maxSize: BODY_MOST_BYTES });
  routes.post("/slack/events", limit, take);
  routes.post("/slack/interactivity", limit, take);

  return {
    receiver: {
      init(app) {
        bolt = app;
      },
      start: async () => {},
      stop: async () => {},
    },
    routes,
    redrive: () => kept.redrive((row) => start(deliveryOf(row), async () => {})),
    drain: kept.drain,
  };
}

const deliveryOf = (row: InboxRow): Delivery => ({ id: row.deliveryId, body: row.body as Delivery["body"] });

function parse(raw: string, form: boolean): Readonly<Record<string, unknown>> | null {
  try {
    const text = form ? new URLSearchParams(raw).get("payload") : raw;
    const value: unknown = JSON.parse(text ?? "null");
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : null;
  } catch {
    return null;
  }
}

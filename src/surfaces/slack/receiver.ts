import { timingSafeEqual } from "node:crypto";
import type { App, Receiver } from "@slack/bolt";
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { InboxRow, InboxStore } from "#runs/stores.ts";
import { deliveries } from "#surfaces/deliveries.ts";
import { answerBlocked, blockedAnswer } from "./blocked.ts";
import { type Delivery, sort } from "./delivery.ts";
import type { Door } from "./desk.ts";
import { installedIn, leftOf } from "./left.ts";

const SOURCE = "slack";

/** Slack's own window: https://docs.slack.dev/authentication/verifying-requests-from-slack. Both ways: a clock may be wrong. */
const SKEW_MOST_SEC = 300;
/** Far above the largest payload of Slack; the endpoint is open to anyone. */
const BODY_MOST_BYTES = 1024 * 1024;

export interface ReceiverOptions {
  /** HMAC-SHA256 of a text under the signing secret; `null`: nothing is taken over HTTP. */
  readonly hmac: ((text: string) => Buffer) | null;
  readonly inbox: InboxStore;
  readonly now: () => Date;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** What becomes of a body by the installation that it is for: only what is "open" is kept or worked off. */
  readonly door: (body: Delivery["body"]) => Promise<Door>;
  /** A delivery was understood and is being kept: the time to look up what its listener will need. Must not throw. */
  readonly onTaken: (body: Delivery["body"]) => void;
  /** A delivery could not be handled: this time, or for good. Must not throw. */
  readonly onTrouble: (body: Delivery["body"], forGood: boolean) => Promise<void>;
  /** How long a delivery is ours without a word: see `deliveries`. */
  readonly claimMs?: number;
}

export interface SlackReceiver {
  readonly receiver: Receiver;
  /** POST /slack/events, /slack/interactivity and /slack/commands; none without a signing secret. */
  readonly routes: Hono;
  /** Takes what came over a socket: kept first, acknowledged then. Never rejects. */
  take(envelope: Envelope): Promise<void>;
  /** Takes up what a crash or a failure left in the inbox. Resolves when all of it was tried; how many there were. */
  redrive(): Promise<number>;
  /** Resolves when every listener that runs now has finished. */
  drain(): Promise<void>;
}

type Answer = string | Readonly<Record<string, unknown>> | undefined;
type Body = Readonly<Record<string, unknown>>;

/** One message of a socket: https://docs.slack.dev/apis/events-api/using-socket-mode */
export interface Envelope {
  /** "events_api", "interactive", "slash_commands". */
  readonly type: string;
  /** What HTTP would have brought. */
  readonly body: unknown;
  /** Rejects when the socket has ended: Slack sends it again. */
  ack(answer?: Answer): Promise<void>;
}

const TAKEN: readonly string[] = ["events_api", "interactive", "slash_commands"];

/**
 * Takes Slack's requests in, over HTTP and over a socket alike. The order is the promise: signature, then a durable row,
 * then the acknowledgement, then the work. Bolt acknowledges events before its listeners run, so the row cannot be left to a listener.
 */
export function slackReceiver({
  hmac,
  inbox,
  now,
  log,
  door,
  onTaken,
  onTrouble,
  claimMs,
}: ReceiverOptions): SlackReceiver {
  let bolt: App | null = null;
  const answering = new Set<Promise<void>>();
  const kept = deliveries({ source: SOURCE, name: "Slack", inbox, log, claimMs });

  function signed(raw: string, time: string | undefined, signature: string | undefined): boolean {
    if (hmac === null || !time || !signature || !/^\d{1,12}$/.test(time) || !/^v0=[0-9a-f]{64}$/.test(signature))
      return false;
    const expected = hmac(`v0:${time}:${raw}`);
    const given = Buffer.from(signature.slice(3), "hex");
    const same = given.length === expected.length && timingSafeEqual(given, expected);
    return same && Math.abs(now().getTime() / 1000 - Number(time)) <= SKEW_MOST_SEC;
  }

  /** Runs the listeners. */
  const start = ({ id, body }: Delivery, ack: (answer?: Answer) => Promise<void>): Promise<void> =>
    kept.start(
      id,
      async () => {
        if (!bolt) throw new Error("the receiver was not given to an App");
        const entry = await doorOf(body);
        // Somebody brings the key back, or nobody does: it is tried a few times, and given up aloud.
        if (entry === "blocked") throw new Error(`the tokens of ${installedIn(body).workspace} cannot be opened`);
        // It may have left since this was kept.
        if (entry === "open") await bolt.processEvent({ body, ack });
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
    try {
      const answer = await accept(body);
      return answer === undefined || answer === ""
        ? c.body(null, 200)
        : typeof answer === "string"
          ? c.text(answer)
          : c.json(answer);
    } catch (error) {
      // Not kept is not accepted: Slack tries an event again, and shows the person who clicked that it failed.
      log("a Slack request could not be kept", { level: "error", error: String(error) });
      return c.text("try again", 500);
    }
  }

  /** Nothing is kept: nobody knows when the key comes back, and whoever asked is told now. */
  function refuse(body: Body): Answer {
    const answer = blockedAnswer(body);
    if (answer !== null) return answer;
    const said = answerBlocked(body, log).finally(() => answering.delete(said));
    answering.add(said);
    return undefined;
  }

  /** A farewell needs no token of ours. */
  async function doorOf(body: Delivery["body"]): Promise<Door> {
    const entry = await door(body);
    return entry === "blocked" && leftOf(body) !== null ? "open" : entry;
  }

  /** Keeps what a body of Slack's says and starts the work. Resolves with the answer; throws when it could not be kept. */
  async function accept(body: Body): Promise<Answer> {
    const sorted = sort(body, now());
    if (sorted.kind === "ignore") return undefined;
    if (sorted.kind === "answer") return sorted.answer;
    const entry = await doorOf(sorted.delivery.body);
    if (entry === "blocked") return refuse(body);
    if (entry === "shut") return undefined;
    onTaken(sorted.delivery.body);
    const fresh = await kept.keep(sorted.delivery.id, sorted.delivery.body);
    if (!fresh) return undefined;
    const answered = Promise.withResolvers<Answer>();
    const work = start(sorted.delivery, async (answer) => answered.resolve(answer));
    // Kept is accepted: what failed is ours to try again, not Slack's.
    void work.then(() => answered.resolve(undefined));
    return answered.promise;
  }

  async function takeEnvelope({ type, body, ack }: Envelope): Promise<void> {
    try {
      // What we do not know is acknowledged too, or Slack would send it again and again.
      const answer = TAKEN.includes(type) && isBody(body) ? await accept(body) : undefined;
      await ack(answer);
    } catch (error) {
      log("a Slack envelope could not be kept or acknowledged; Slack sends it again", {
        level: "error",
        type,
        error: String(error),
      });
    }
  }

  const routes = new Hono();
  const limit = bodyLimit({ maxSize: BODY_MOST_BYTES });
  if (hmac !== null)
    for (const path of ["/slack/events", "/slack/interactivity", "/slack/commands"]) routes.post(path, limit, take);

  return {
    receiver: {
      init(app) {
        bolt = app;
      },
      start: async () => {},
      stop: async () => {},
    },
    routes,
    take: takeEnvelope,
    redrive: () => kept.redrive((row) => start(deliveryOf(row), async () => {})),
    async drain() {
      await kept.drain();
      await Promise.all(answering);
    },
  };
}

const deliveryOf = (row: InboxRow): Delivery => ({ id: row.deliveryId, body: row.body as Delivery["body"] });

const isBody = (value: unknown): value is Body => typeof value === "object" && value !== null && !Array.isArray(value);

/** JSON, a form with JSON in `payload`, or the plain form of a slash command. */
function parse(raw: string, form: boolean): Body | null {
  const fields = form ? new URLSearchParams(raw) : null;
  if (fields?.has("command")) return Object.fromEntries(fields);
  try {
    const value: unknown = JSON.parse((fields === null ? raw : fields.get("payload")) ?? "null");
    return isBody(value) ? value : null;
  } catch {
    return null;
  }
}

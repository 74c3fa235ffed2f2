import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { TicketTracker } from "#ports/ticket.ts";
import type { InboxStore } from "#runs/stores.ts";
import { deliveries } from "#surfaces/deliveries.ts";
import { ahead } from "./ahead.ts";
import { Delivery, type Ours, sort } from "./delivery.ts";
import { handler } from "./handle.ts";
import type { LinearVerbs } from "./verbs.ts";

const SOURCE = "linear";
export const LINEAR_WEBHOOK_PATH = "/linear/webhooks";

/** A ticket's text and its comments; Linear documents no cap, and the endpoint is open to anyone. */
const BODY_MOST_BYTES = 2 * 1024 * 1024;

/** Of the ten seconds that Linear gives the first activity, what the work behind one leaves to those of others. */
const WORK_WAITS_MS = 2_000;

export interface LinearWebhooks {
  /** POST /linear/webhooks. */
  readonly routes: Hono;
  /**
   * Links who signed in, by `act`; what they asked for before goes on then, also after a crash in between. `once`: of the
   * sign-in.
   */
  signedIn<T>(o: { readonly user: string; readonly once: string; readonly act: () => Promise<T> }): Promise<T>;
  /** Takes up what a crash or a failure left in the inbox. Resolves when all of it was tried; how many there were. */
  redrive(): Promise<number>;
  /** Resolves when everything that was taken in is handled. */
  drain(): Promise<void>;
}

/**
 * Takes Linear's deliveries in. Signature and age on the raw body, then a durable row, then the acknowledgement; the first
 * activity is on its way as soon as the row is kept, ahead of all that has to be looked up.
 */
export function linearWebhooks(o: {
  /** The body as Linear signed it, at most a minute ago; `null`: it did not. `linearVerifier`. */
  readonly verify: (raw: Uint8Array, signature: string) => unknown;
  readonly ours: Ours;
  readonly tracker: TicketTracker;
  readonly verbs: LinearVerbs;
  readonly inbox: InboxStore;
  readonly botUrl: string | null;
  /** How people show that an account of Linear is theirs. */
  readonly linkBy: "code" | "sign_in";
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** How long a delivery is ours without a word: see `deliveries`. */
  readonly claimMs?: number;
}): LinearWebhooks {
  const { inbox, log, tracker, verbs, botUrl, linkBy } = o;
  const kept = deliveries({ source: SOURCE, name: "Linear", inbox, log, claimMs: o.claimMs });
  const { acknowledge, handle } = handler({ organization: o.ours.organization, tracker, verbs, botUrl, linkBy, log });

  const burst = ahead(WORK_WAITS_MS);

  const start = (id: string, body: unknown): Promise<void> =>
    kept.start(id, async () => {
      const delivery = Delivery.parse(body);
      await burst.first(() => acknowledge(delivery));
      await burst.after();
      await handle(delivery);
    });

  async function take(c: Context): Promise<Response> {
    const raw = new Uint8Array(await c.req.arrayBuffer());
    const body = o.verify(raw, c.req.header("linear-signature") ?? "");
    if (body === null) return c.text("bad signature", 401);
    const id = c.req.header("linear-delivery");
    if (!id || id.length > 100) return c.text("not a delivery of Linear's", 400);
    let delivery: Delivery | null;
    try {
      delivery = sort(body, id, o.ours);
    } catch (error) {
      log("a Linear delivery is not understood", { level: "error", delivery: id, error: String(error) });
      return c.text("not understood", 400);
    }
    if (delivery === null) return c.body(null, 200);
    let fresh: boolean;
    try {
      const { id: key } = delivery;
      fresh = await burst.first(() => kept.keep(key, delivery));
    } catch (error) {
      // Not kept is not accepted: Linear sends it again.
      log("a Linear delivery could not be kept", { level: "error", delivery: id, error: String(error) });
      return c.text("try again", 500);
    }
    if (fresh) void start(delivery.id, delivery);
    return c.body(null, 200);
  }

  return {
    routes: new Hono().post(LINEAR_WEBHOOK_PATH, bodyLimit({ maxSize: BODY_MOST_BYTES }), take),
    async signedIn({ user, once, act }) {
      const delivery: Delivery = { kind: "linked", id: `linked:${once}`, by: { id: user } };
      // Kept before the link is: whoever takes it up too early finds nobody, and we look once more.
      await kept.keep(delivery.id, delivery);
      try {
        return await act();
      } finally {
        void start(delivery.id, delivery);
      }
    },
    redrive: () => kept.redrive((row) => start(row.deliveryId, row.body)),
    drain: kept.drain,
  };
}

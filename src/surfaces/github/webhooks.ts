import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { PullRequestChange } from "#ports/repo-host.ts";
import type { InboxStore } from "#runs/stores.ts";
import { deliveries } from "#surfaces/deliveries.ts";
import { changesIn, type Told } from "./changes.ts";
import { type WroteCode, wroteCode } from "./codes.ts";

const SOURCE = "github";
/** A burst is answered first and worked off then: GitHub waits for its answers, and nobody for the work. */
const AT_ONCE = 4;
export const WEBHOOK_PATH = "/github/webhooks";

/** GitHub sends nothing larger: docs.github.com, "Webhook events and payloads", "Payload cap". */
const BODY_MOST_BYTES = 25 * 1024 * 1024;

export interface GithubWebhooks {
  /** POST /github/webhooks. */
  readonly routes: Hono;
  /** Takes up what a crash or a failure left in the inbox. Resolves when all of it was tried; how many there were. */
  redrive(): Promise<number>;
  /** Resolves when everything that was taken in is handled. */
  drain(): Promise<void>;
}

/**
 * Takes GitHub's deliveries in. Signature on the raw body, then a durable row for each change of a pull request, then the
 * acknowledgement, then the work. GitHub sends nothing a second time by itself, so a row is tried until it is done; of one
 * that is given up the timer still finds what became of the pull request.
 */
export function githubWebhooks(o: {
  /** Whether a signature is of this text under the webhook's secret: `githubVerifier`. */
  readonly verify: (raw: string, signature: string) => Promise<boolean>;
  readonly appId: number;
  readonly inbox: InboxStore;
  /** Idempotent by delivery id; rejecting means "not now". */
  readonly changed: (change: PullRequestChange) => Promise<void>;
  /** The same of somebody who wrote a code. Absent: people link their accounts in another way, or not at all. */
  readonly wrote?: (word: WroteCode) => Promise<void>;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** How long a delivery is ours without a word: see `deliveries`. */
  readonly claimMs?: number;
}): GithubWebhooks {
  const { inbox, changed, log } = o;
  const kept = deliveries({
    source: SOURCE,
    name: "GitHub",
    inbox,
    log,
    claimMs: o.claimMs,
    atOnce: AT_ONCE,
  });
  const start = (told: PullRequestChange | WroteCode) =>
    kept.start(told.deliveryId, async () => (told.kind === "wrote_code" ? o.wrote?.(told) : changed(told)));

  async function take(c: Context): Promise<Response> {
    const raw = await c.req.text();
    const signature = c.req.header("x-hub-signature-256");
    const [delivery, event] = [c.req.header("x-github-delivery"), c.req.header("x-github-event")];
    if (signature === undefined || !(await o.verify(raw, signature))) return c.text("bad signature", 401);
    if (!delivery || !event) return c.text("not a delivery of GitHub's", 400);
    let told: readonly Told[];
    let word: ReturnType<typeof wroteCode>;
    try {
      const payload = payloadOf(raw, c.req.header("content-type") ?? "");
      told = changesIn(event, payload, o.appId);
      word = o.wrote === undefined ? null : wroteCode(event, payload);
    } catch (error) {
      log("a GitHub delivery is not understood", { level: "error", delivery, event, error: String(error) });
      return c.text("not understood", 400);
    }
    const fresh: (PullRequestChange | WroteCode)[] = [];
    try {
      if (word !== null) {
        const wrote = { ...word, deliveryId: `${delivery}:code` };
        if (await kept.keep(wrote.deliveryId, wrote)) fresh.push(wrote);
      }
      for (const one of told) {
        // A delivery may be about several pull requests of one commit.
        const change = { ...one, deliveryId: told.length === 1 ? delivery : `${delivery}:${one.number}` };
        if (await kept.keep(change.deliveryId, change)) fresh.push(change);
      }
    } catch (error) {
      // Not kept is not accepted: the delivery shows as failed, and a person can send it again.
      log("a GitHub delivery could not be kept", { level: "error", delivery, error: String(error) });
      return c.text("try again", 500);
    }
    for (const one of fresh) void start(one);
    return c.text("accepted", 202);
  }

  return {
    routes: new Hono().post(WEBHOOK_PATH, bodyLimit({ maxSize: BODY_MOST_BYTES }), take),
    redrive: () => kept.redrive((row) => start(row.body as PullRequestChange | WroteCode)),
    drain: kept.drain,
  };
}

/** JSON, or a form with JSON in it: which of them an App sends is a setting of its own. */
function payloadOf(raw: string, contentType: string): unknown {
  const form = contentType.startsWith("application/x-www-form-urlencoded");
  return JSON.parse(form ? (new URLSearchParams(raw).get("payload") ?? "") : raw);
}

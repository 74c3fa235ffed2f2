import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import type { PullRequestChange } from "#ports/repo-host.ts";
import type { InboxStore } from "#runs/stores.ts";
import { changesIn, type Told } from "./changes.ts";

const SOURCE = "github";
export const WEBHOOK_PATH = "/github/webhooks";

/** GitHub sends nothing larger: docs.github.com, "Webhook events and payloads", "Payload cap". */
const BODY_MOST_BYTES = 25 * 1024 * 1024;
/** How often one change is tried before a person has to look. The timer still finds what became of a pull request. */
const TRIES_MOST = 5;
const LEFT_BEHIND_MS = 30_000;
const AT_ONCE = 20;

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
 * acknowledgement, then the work. GitHub sends nothing a second time by itself, so a row is tried until it is done.
 */
export function githubWebhooks(o: {
  /** Whether a signature is of this text under the webhook's secret: `githubVerifier`. */
  readonly verify: (raw: string, signature: string) => Promise<boolean>;
  readonly appId: number;
  readonly inbox: InboxStore;
  /** Idempotent by delivery id; rejecting means "not now". */
  readonly changed: (change: PullRequestChange) => Promise<void>;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** Older rows are of a process that is gone. Default 30 s. */
  readonly leftBehindMs?: number;
}): GithubWebhooks {
  const { inbox, changed, log } = o;
  const tries = new Map<string, number>();
  const running = new Map<string, Promise<void>>();

  /** Never rejects: the row stays for the next time, or is given up aloud. */
  async function drive(change: PullRequestChange): Promise<void> {
    const id = change.deliveryId;
    try {
      await changed(change);
      await inbox.done(SOURCE, id);
      tries.delete(id);
    } catch (error) {
      const tried = (tries.get(id) ?? 0) + 1;
      tries.set(id, tried);
      const forGood = tried >= TRIES_MOST;
      log(forGood ? "a GitHub delivery is given up: look at it" : "a GitHub delivery failed and will be tried again", {
        level: "error",
        delivery: id,
        tried,
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      if (!forGood) return;
      tries.delete(id);
      await inbox
        .done(SOURCE, id)
        .catch((cause) => log("the inbox did not take a done", { delivery: id, error: String(cause) }));
    }
  }

  function start(change: PullRequestChange): Promise<void> {
    const work = drive(change).finally(() => running.delete(change.deliveryId));
    running.set(change.deliveryId, work);
    return work;
  }

  async function take(c: Context): Promise<Response> {
    const raw = await c.req.text();
    const signature = c.req.header("x-hub-signature-256");
    const [delivery, event] = [c.req.header("x-github-delivery"), c.req.header("x-github-event")];
    if (signature === undefined || !(await o.verify(raw, signature))) return c.text("bad signature", 401);
    if (!delivery || !event) return c.text("not a delivery of GitHub's", 400);
    let told: readonly Told[];
    try {
      told = changesIn(event, payloadOf(raw, c.req.header("content-type") ?? ""), o.appId);
    } catch (error) {
      log("a GitHub delivery is not understood", { level: "error", delivery, event, error: String(error) });
      return c.text("not understood", 400);
    }
    const fresh: PullRequestChange[] = [];
    try {
      for (const one of told) {
        // A delivery may be about several pull requests of one commit.
        const change = { ...one, deliveryId: told.length === 1 ? delivery : `${delivery}:${one.number}` };
        if (await inbox.insertOnce(SOURCE, change.deliveryId, change)) fresh.push(change);
      }
    } catch (error) {
      // Not kept is not accepted: the delivery shows as failed, and a person can send it again.
      log("a GitHub delivery could not be kept", { level: "error", delivery, error: String(error) });
      return c.text("try again", 500);
    }
    for (const change of fresh) void start(change);
    return c.text("accepted", 202);
  }

  return {
    routes: new Hono().post(WEBHOOK_PATH, bodyLimit({ maxSize: BODY_MOST_BYTES }), take),
    async redrive() {
      const rows = await inbox.unfinished(SOURCE, o.leftBehindMs ?? LEFT_BEHIND_MS, AT_ONCE);
      const ours = rows.filter((row) => !running.has(row.deliveryId));
      await Promise.all(ours.map((row) => start(row.body as PullRequestChange)));
      return ours.length;
    },
    async drain() {
      while (running.size > 0) await Promise.all(running.values());
    },
  };
}

/** JSON, or a form with JSON in it: which of them an App sends is a setting of its own. */
function payloadOf(raw: string, contentType: string): unknown {
  const form = contentType.startsWith("application/x-www-form-urlencoded");
  return JSON.parse(form ? (new URLSearchParams(raw).get("payload") ?? "") : raw);
}

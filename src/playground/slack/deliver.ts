import { id } from "./ids.ts";
import type { Journal } from "./journal.ts";
import type { Wire } from "./wire.ts";
import type { Delivery, JsonObject } from "./world.ts";

/** Events on their way to the app: written down first, sent, and sent again until answered or given up. */
export interface Deliveries {
  /** Writes the event down and sends it, when the app subscribed to its kind. Returns its event id, or null. */
  send(subscription: string, event: JsonObject): string | null;
  /** Starts sending; until then events wait. Call it when the app's address answers. */
  begin(): void;
  /** Resolves when nothing is on its way. Retries that wait for their time still count. */
  idle(): Promise<void>;
  stop(): void;
}

/** Slack's three retries: at once, after one minute, after five. */
export const RETRY_DELAYS_MS: readonly number[] = [0, 60_000, 300_000];

export function startDeliveries(o: {
  journal: Journal;
  wire: Wire;
  subscriptions: readonly string[];
  retryDelaysMs: readonly number[];
  now: () => number;
}): Deliveries {
  const { journal } = o;
  const { world } = journal;
  const timers = new Map<string, NodeJS.Timeout>();
  const waiting: (() => void)[] = [];
  let begun = false;
  let stopped = false;

  function done(delivery: Delivery): void {
    // A reset, or an answer that came after it, may have taken it away already.
    if (world.deliveries.has(delivery.id)) journal.commit({ op: "delivered", id: delivery.id });
    if (world.deliveries.size === 0) for (const resolve of waiting.splice(0)) resolve();
  }

  function schedule(delivery: Delivery): void {
    if (!begun || stopped) return;
    const timer = setTimeout(() => void attempt(delivery), Math.max(0, delivery.due - o.now()));
    timers.set(delivery.id, timer);
  }

  async function attempt(delivery: Delivery): Promise<void> {
    timers.delete(delivery.id);
    if (!world.deliveries.has(delivery.id)) return;
    const about = { event_id: delivery.id, type: delivery.type, retry: delivery.attempt };
    const payload = JSON.parse(delivery.body) as JsonObject;
    journal.log("event", { ...about, body: payload });
    const answer = await o.wire.send({
      kind: "events_api",
      payload,
      ...(delivery.attempt > 0 ? { retry: { num: delivery.attempt, reason: delivery.reason ?? "unknown_error" } } : {}),
    });
    if (stopped) return;
    const fine = answer.ok && answer.status >= 200 && answer.status < 300;
    const reason = fine ? null : answer.ok ? "http_error" : answer.reason;
    const delay = o.retryDelaysMs[delivery.attempt];
    const again = !fine && delay !== undefined && !(answer.ok && answer.noRetry);
    journal.log("event.answer", {
      ...about,
      ok: fine,
      ms: answer.ms,
      ...(answer.ok ? { status: answer.status } : { reason: answer.reason, detail: answer.detail }),
      ...(fine ? {} : { next: again ? `retry ${delivery.attempt + 1} in ${delay} ms` : "given up" }),
    });
    if (!again || !world.deliveries.has(delivery.id)) return done(delivery);
    const next: Delivery = { ...delivery, attempt: delivery.attempt + 1, reason, due: o.now() + delay };
    journal.commit({ op: "delivery", delivery: next });
    schedule(next);
  }

  return {
    send(subscription, event) {
      if (!o.subscriptions.includes(subscription)) return null;
      const { app, team } = world.seed;
      const eventId = id("Ev");
      const body = JSON.stringify({
        token: "playground",
        team_id: team.id,
        context_team_id: team.id,
        context_enterprise_id: null,
        api_app_id: app.id,
        event,
        type: "event_callback",
        event_id: eventId,
        event_time: Math.floor(o.now() / 1_000),
        authorizations: [
          { enterprise_id: null, team_id: team.id, user_id: app.botUser, is_bot: true, is_enterprise_install: false },
        ],
        is_ext_shared_channel: false,
        event_context: `4-${eventId}`,
      });
      const delivery: Delivery = {
        id: eventId,
        type: String(event.type),
        body,
        attempt: 0,
        reason: null,
        due: o.now(),
      };
      journal.commit({ op: "delivery", delivery });
      schedule(delivery);
      return eventId;
    },
    begin() {
      if (begun) return;
      begun = true;
      for (const old of [...world.deliveries.values()]) {
        // Ours were stopped, perhaps in the middle of one: to the app that is a lost connection and a retry. The wait is
        // cut short, since whoever restarted us is looking at the page.
        const attempt = Math.min(old.attempt + 1, o.retryDelaysMs.length);
        const delivery: Delivery = { ...old, attempt, reason: old.reason ?? "connection_failed", due: o.now() };
        journal.commit({ op: "delivery", delivery });
        schedule(delivery);
      }
    },
    idle() {
      return world.deliveries.size === 0 ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
    },
    stop() {
      stopped = true;
      for (const timer of timers.values()) clearTimeout(timer);
      timers.clear();
    },
  };
}

import { type TicketTracker, TicketUnavailable } from "#ports/ticket.ts";
import type { Run } from "#runs/run.ts";
import type { RunState } from "#runs/state.ts";
import { activityId } from "./ids.ts";

/** Linear calls a session stale that was silent for 30 minutes: linear.app/developers/agent-interaction. */
const EVERY_MS = 20 * 60_000;
const LOOK_MS = 60_000;

const SAYS: Readonly<Partial<Record<RunState, string>>> = {
  waiting: "Still waiting for people to decide in Slack.",
  suspended: "Paused, with the work kept, until people decide in Slack.",
  queued: "Still queued: this run starts when a place is free.",
  preparing: "Still preparing a sandbox.",
  working: "Still at work.",
  checking: "Still running the checks.",
  publishing: "Still opening the pull request.",
};

/**
 * Tells the sessions of runs that go on that they do, once in a while: with activities that the next one replaces. Call it
 * as often as you like. Several processes say it once: what they say has the same id.
 */
export function keepAlive(o: {
  readonly tracker: TicketTracker;
  /** Runs of tickets that are not over. */
  readonly open: () => Promise<readonly Run[]>;
  readonly now: () => Date;
  readonly log: (message: string, fields?: Readonly<Record<string, unknown>>) => void;
}): () => Promise<void> {
  let lookAt = 0;
  let said = new Set<string>();
  return async () => {
    const now = o.now().getTime();
    if (now < lookAt) return;
    lookAt = now + LOOK_MS;
    const round = new Set<string>();
    for (const run of await o.open()) {
      const body = SAYS[run.state];
      if (body === undefined || now - run.createdAt.getTime() < EVERY_MS) continue;
      const id = activityId(run.id, "alive", String(Math.floor(now / EVERY_MS)));
      round.add(id);
      if (said.has(id)) continue;
      try {
        await o.tracker.post(run.place.thread, { id, activity: { kind: "thought", body }, ephemeral: true });
      } catch (error) {
        if (!(error instanceof TicketUnavailable)) throw error;
        round.delete(id);
        o.log("a session on Linear could not be kept alive", { run: run.number, error: error.message });
      }
    }
    said = round;
  };
}

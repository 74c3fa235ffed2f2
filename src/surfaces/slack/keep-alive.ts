import type { Place } from "#ports/chat.ts";
import type { Run } from "#runs/run.ts";

/** With what a session tells by itself (`sessions.ts`), Slack hears of a run at least every three quarters of an hour. */
const EVERY_MS = 15 * 60_000;
const LOOK_MS = 60_000;

/**
 * Has the status of runs at work shown anew once in a while: a command or a model may be silent for hours, and Slack takes
 * its Stop from a thread that it hears nothing of. Call it as often as you like. What another process has asked for too is
 * shown once, or once more with nothing to change.
 */
export function keepAlive(o: {
  /** Runs whose threads show that an agent works: `AT_WORK`. */
  readonly atWork: () => Promise<readonly Run[]>;
  /** Asks for the run's status to be shown in this place, as things are then. */
  readonly again: (run: Run, place: Place) => Promise<void>;
  readonly now: () => Date;
}): () => Promise<void> {
  let lookAt = 0;
  let asked = new Set<string>();
  return async () => {
    const now = o.now().getTime();
    if (now < lookAt) return;
    lookAt = now + LOOK_MS;
    const round = new Set<string>();
    for (const run of await o.atWork()) {
      const place = [run.place, run.mirror].find((one) => one?.provider === "slack");
      if (!place || now - run.createdAt.getTime() < EVERY_MS) continue;
      const id = `${run.id} ${Math.floor(now / EVERY_MS)}`;
      if (!asked.has(id)) await o.again(run, place);
      round.add(id);
    }
    asked = round;
  };
}

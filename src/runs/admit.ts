import type { Core } from "./core.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";

/** How soon a run that had to queue looks again. A run that ends wakes nobody, so this is the longest idle place. */
const LOOK_AGAIN_MS = 5_000;

/** "queued" → preparing, when the team has a free place. Told in words while it has not. */
export async function admit(core: Core, run: Run): Promise<void> {
  const limits = run.scope?.limits;
  if (!limits) throw new Error(`run ${run.id} is queued without a scope`);
  const now = core.clock.now();
  await core.store.tx(async (tx) => {
    const active = await core.stores.runs.countActive(tx, run.orgId, run.team);
    if (active >= limits.concurrentRuns) {
      const said = (await core.stores.events.after(run.id, 0, 100)).some((event) => event.body.kind === "notice");
      if (!said) {
        await record(core, tx, run.id, run.epoch, [
          {
            kind: "notice",
            text: `${active} of ${run.team}'s ${limits.concurrentRuns} runs are at work; this one starts when a place is free.`,
          },
        ]);
      }
      await core.stores.runs.patch(tx, run, { wakeAt: new Date(now.getTime() + LOOK_AGAIN_MS) });
      return;
    }
    await move(core, tx, run, "preparing", {
      patch: { wakeAt: null, deadlineAt: new Date(now.getTime() + limits.runtimeMs) },
    });
  });
  core.nudge();
}

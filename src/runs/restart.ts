import type { Core } from "./core.ts";
import { handOff } from "./hand-off.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";

/** How often a run starts again by itself when we, not it, were at fault. */
const RESTARTS = 1;

/**
 * A turn that failed because of us goes on by itself, once: in the same sandbox when only the agent is gone, in a new
 * one (from what was pushed) when the sandbox is. The second time it is handed off.
 */
export async function restart(core: Core, run: Run, why: string, what: "sandbox" | "agent"): Promise<void> {
  const turn = await core.stores.turns.current(run.id);
  if (run.restarts >= RESTARTS) {
    return handOff(core, run, {
      fault: "us",
      tried: run.text,
      failed: `It was interrupted twice: ${why}.`,
      next: "Ask again. What it had pushed is kept.",
    });
  }
  await core.store.tx(async (tx) => {
    if (turn?.state === "running") {
      await core.stores.turns.ended(tx, run.id, turn.n, "interrupted");
      await record(core, tx, run.id, run.epoch, [
        { kind: "turn.ended", turn: turn.n, end: "interrupted", detail: why },
      ]);
    }
    // A turn that was not begun is still to come, and says all there is to do.
    if (turn?.state !== "queued")
      await core.stores.turns.add(tx, { runId: run.id, cause: "interrupted", person: null, text: run.text });
    await record(core, tx, run.id, run.epoch, [{ kind: "notice", text: `Interrupted: ${why}. It goes on by itself.` }]);
    const patch = { restarts: run.restarts + 1 };
    if (what === "sandbox") await move(core, tx, run, "preparing", { why, patch });
    else {
      await core.stores.runs.patch(tx, run, patch);
      await core.engine.wake(tx, run.id, "agent");
    }
  });
  core.nudge();
}

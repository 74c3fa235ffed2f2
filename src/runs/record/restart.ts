import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import type { Run } from "#runs/run.ts";
import { handOff } from "./hand-off.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import { tell } from "./tell.ts";

/** How often a run starts again by itself when we, not it, were at fault. */
const RESTARTS = 1;

/**
 * A turn that failed because of us goes on by itself, once: in the same sandbox when only the agent is gone, in a new
 * one (from what was pushed) when the sandbox is. The second time it is handed off. What the agent had asked is void, for
 * it no longer waits: the next one asks anew if it needs it.
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
    const unused = await voidCommands(core, tx, run);
    const asked = unused === null ? "" : " What it had asked is void: nobody waits for an answer any more.";
    await record(core, tx, run.id, run.epoch, [
      { kind: "notice", text: `Interrupted: ${why}. It goes on by itself.${asked}` },
    ]);
    const patch = {
      restarts: run.restarts + 1,
      wakeAt: null,
      deadlineAt: run.deadlineAt === null ? null : new Date(run.deadlineAt.getTime() - (unused ?? 0)),
    };
    if (what === "sandbox") await move(core, tx, run, "preparing", { why, patch });
    else {
      await core.stores.runs.patch(tx, run, patch);
      await tell(core, tx, run, "status");
      await core.engine.wake(tx, run.id, "agent");
    }
  });
  core.nudge();
}

/** Closes what the agent asks and waits for; the milliseconds that were added for people to answer and are not needed. */
async function voidCommands(core: Core, tx: Tx, run: Run): Promise<number | null> {
  const open = (await core.stores.approvals.pendingOf(tx, run.id)).filter(({ gate }) => gate === "command");
  for (const approval of open) {
    await core.stores.approvals.close(tx, approval.id, "void");
    await record(core, tx, run.id, run.epoch, [{ kind: "approval.closed", approval: approval.id, status: "void" }]);
    await tell(core, tx, run, "approval", approval.id);
  }
  const now = core.clock.now().getTime();
  return open.length === 0
    ? null
    : open.reduce((sum, { expiresAt }) => sum + Math.max(0, expiresAt.getTime() - now), 0);
}

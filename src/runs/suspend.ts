import type { Agent } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import type { Core } from "./core.ts";
import { commitAndPush } from "./finish.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";
import { release } from "./sandbox.ts";
import { tell } from "./tell.ts";

/**
 * Nobody answered the agent's question in time. The work so far is pushed to the relay, the sandbox is let go, the
 * question is expired (neither yes nor no). "Ask again" and a yes bring the run back; the yes holds for the same bytes.
 */
export async function suspend(
  core: Core,
  run: Run,
  sandbox: Sandbox,
  agent: Agent,
  signal: AbortSignal,
): Promise<void> {
  await agent.stop();
  await sandbox.killAll();
  const unsaved = await commitAndPush(core, sandbox, run, signal);
  await release(core, run, run.epoch);
  const turn = await core.stores.turns.current(run.id);
  const current = core.policy();
  const giveUpMs = current.ok ? current.policy.approvals.giveUpMs : 7 * 24 * 3_600_000;
  await core.store.tx(async (tx) => {
    for (const approval of await core.stores.approvals.pendingOf(tx, run.id)) {
      await core.stores.approvals.close(tx, approval.id, "expired");
      await record(core, tx, run.id, run.epoch, [
        { kind: "approval.closed", approval: approval.id, status: "expired" },
      ]);
      await tell(core, tx, run, "approval", approval.id);
    }
    if (unsaved !== null) {
      await record(core, tx, run.id, run.epoch, [
        { kind: "notice", text: `The work so far could not be kept: ${unsaved.said}` },
      ]);
    }
    if (turn?.state === "running") {
      await core.stores.turns.ended(tx, run.id, turn.n, "interrupted");
      await record(core, tx, run.id, run.epoch, [
        { kind: "turn.ended", turn: turn.n, end: "interrupted", detail: "a person's answer took too long" },
      ]);
    }
    await core.stores.turns.add(tx, { runId: run.id, cause: "interrupted", person: null, text: run.text });
    await move(core, tx, run, "suspended", {
      why: "nobody answered in time",
      patch: { resumeTo: "preparing", wakeAt: new Date(core.clock.now().getTime() + giveUpMs) },
    });
  });
  core.nudge();
}

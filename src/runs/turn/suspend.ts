import type { Agent } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { giveUpMs, looksAt } from "#runs/approval/remind.ts";
import type { Core } from "#runs/core.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { release } from "#runs/sandbox/sandbox.ts";
import { commitAndPush } from "./finish.ts";

const WHY: Readonly<Record<string, string>> = {
  expired: "nobody answered in time",
  outstayed: "the answer takes longer than a sandbox is kept",
};

/**
 * Nobody has answered the agent's question, and the sandbox is let go with the work so far pushed to the relay. An
 * "expired" question is closed (neither yes nor no): "Ask again" and a yes bring the run back. One that has "outstayed"
 * its sandbox stays open, and its answer brings the run back. Either yes holds for the same bytes. "budget" and "time":
 * the agent did not ask, its run did, and has nothing to spend or no time until it is answered. `sandbox`: `null` when there
 * is none any more.
 */
export async function suspend(
  core: Core,
  run: Run,
  sandbox: Sandbox | null,
  agent: Agent | null,
  waited: "expired" | "outstayed" | "budget" | "time",
  signal: AbortSignal,
): Promise<void> {
  const saved = sandbox === null ? null : await commitAndPush(core, { sandbox, agent }, run, signal);
  await release(core, run, run.epoch);
  const turn = await core.stores.turns.current(run.id);
  await core.store.tx(async (tx) => {
    await core.stores.runs.lock(tx, run.id);
    // A question about a host is nothing that the run waits for.
    const asked = (await core.stores.approvals.pendingOf(tx, run.id)).filter(({ gate }) => gate !== "host");
    for (const approval of waited === "expired" ? asked : []) {
      await core.stores.approvals.close(tx, approval.id, "expired");
      await record(core, tx, run.id, run.epoch, [
        { kind: "approval.closed", approval: approval.id, status: "expired" },
      ]);
      await tell(core, tx, run, "approval", approval.id);
    }
    if (saved !== null && "what" in saved) {
      await record(core, tx, run.id, run.epoch, [
        { kind: "notice", text: `The work so far could not be kept: ${saved.said}` },
      ]);
    }
    if (turn?.state === "running") {
      await core.stores.turns.ended(tx, run.id, turn.n, "interrupted");
      await record(core, tx, run.id, run.epoch, [
        { kind: "turn.ended", turn: turn.n, end: "interrupted", detail: "a person's answer takes longer" },
      ]);
    }
    await core.stores.turns.add(tx, { runId: run.id, cause: "interrupted", person: null, text: run.text });
    if (asked.length === 0) {
      // Answered while it was being packed up, when nothing waited for the answer any more; or nobody could be asked yet.
      const why = "no question is open";
      if (waited !== "time") return void (await move(core, tx, run, "preparing", { why, patch: { wakeAt: null } }));
      // It has no time to go on in but what a yes gave it, and is given that in line.
      const parked = await move(core, tx, run, "suspended", { why, patch: { resumeTo: "preparing", wakeAt: null } });
      return void (await move(core, tx, parked, "queued", { why }));
    }
    const waitMs = giveUpMs(
      core,
      asked.flatMap(({ asks }) => asks),
    );
    const giveUpAt = Math.max(...asked.map(({ openedAt }) => openedAt.getTime())) + waitMs;
    const lookAt = Math.min(...asked.map((approval) => looksAt(approval).getTime()));
    await move(core, tx, run, "suspended", {
      why: WHY[waited] ?? `asks ${[...new Set(asked.flatMap(({ asks }) => asks.map(({ from }) => from)))].join(", ")}`,
      patch: { resumeTo: "preparing", wakeAt: new Date(waited === "expired" ? giveUpAt : lookAt) },
    });
  });
  core.nudge();
}

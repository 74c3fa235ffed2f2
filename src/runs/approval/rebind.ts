import type { Tx } from "#ports/store.ts";
import type { Approval } from "#runs/approval.ts";
import { bind } from "#runs/bind.ts";
import { asPut, boundNow, stillBound, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { isParked, queueOf } from "#runs/state.ts";
import { open, rulesChanged, untouched } from "./ask.ts";
import type { PutNow } from "./put-now.ts";
import { looksAt } from "./remind.ts";

/**
 * Whether what a yes to this open question would be bound to has changed since it was put, the rules that ask it included
 * (`put`). Then it is void, and put anew as things are now; an agent that waits has it asked again. The run and the question
 * must be locked.
 */
export async function rebound(core: Core, tx: Tx, run: Run, asked: Approval, put: PutNow | null): Promise<boolean> {
  if (asked.status !== "pending" || (put === null && stillBound(core, run, asked))) return false;
  if (asked.gate === "command" && !isParked(run.state)) {
    await core.stores.approvals.close(tx, asked.id, "void");
    await record(core, tx, run.id, null, [
      { kind: "approval.closed", approval: asked.id, status: "void" },
      ...(put === null ? [] : [rulesChanged(asked.gate)]),
    ]);
    await tell(core, tx, run, "approval", asked.id);
    await giveBack(core, tx, run, asked);
    await core.engine.wake(tx, run.id, queueOf(run.state));
    return true;
  }
  const subject = withBound(asked.subject, boundNow(core, run, put ?? asPut(asked)));
  const asks = put?.asks ?? asked.asks.map(untouched);
  if (put !== null) await record(core, tx, run.id, null, [put.told]);
  const approval = await open(core, tx, run, asked.gate, subject, bind(asked.gate, run, subject), asks, null);
  if (isParked(run.state)) await core.stores.runs.patch(tx, run, { wakeAt: looksAt(approval) });
  return true;
}

/** What of the time that was added for people to answer about a command was not needed. */
export async function giveBack(core: Core, tx: Tx, run: Run, { expiresAt }: Approval): Promise<void> {
  if (run.deadlineAt === null) return;
  const unused = Math.max(0, expiresAt.getTime() - core.clock.now().getTime());
  await core.stores.runs.patch(tx, run, { deadlineAt: new Date(run.deadlineAt.getTime() - unused) });
}

import type { Handlers, Queue } from "#ports/engine.ts";
import { expire } from "#runs/approval/expire.ts";
import type { Core } from "#runs/core.ts";
import { move } from "#runs/record/move.ts";
import { check } from "#runs/result/check.ts";
import { publish } from "#runs/result/publish.ts";
import { RECONCILE_MS, reconcile } from "#runs/result/review.ts";
import { Fenced, type Run, type RunId } from "#runs/run.ts";
import { control } from "#runs/sandbox/control.ts";
import { prepare } from "#runs/sandbox/prepare.ts";
import { endUnfit, SandboxUnfit } from "#runs/sandbox/unfit.ts";
import { isFinal, queueOf } from "#runs/state.ts";
import { work } from "#runs/turn/work.ts";
import { admit } from "./admit.ts";
import { decideScope } from "./scope.ts";

/** Each state, and what carries a run on from it. */
function step(core: Core, run: Run, signal: AbortSignal): Promise<void> {
  switch (run.state) {
    case "requested":
      return decideScope(core, run);
    case "waiting":
    case "suspended":
      return expire(core, run);
    case "queued":
      return admit(core, run);
    case "preparing":
      return prepare(core, run, signal);
    case "working":
      return work(core, run, signal);
    case "checking":
      return check(core, run, signal);
    case "publishing":
      return publish(core, run, signal);
    case "in_review":
      return reconcile(core, run);
    default:
      return Promise.resolve();
  }
}

async function stepOrEnd(core: Core, run: Run, signal: AbortSignal): Promise<void> {
  try {
    await step(core, run, signal);
  } catch (error) {
    if (!(error instanceof SandboxUnfit)) throw error;
    await endUnfit(core, run, error.unmet);
  }
}

const NEVER = new AbortController().signal;

/** What the engine calls. A fenced step ends quietly: someone newer has the run. Anything else is retried by the engine. */
export function handlers(core: Core): Handlers {
  const carry = async (runId: RunId, queue: Queue, signal: AbortSignal): Promise<void> => {
    const seen = await core.stores.runs.get(runId);
    if (!seen || isFinal(seen.state) || seen.cancelRequestedBy !== null) return;
    // A late wake of the other queue must not fence the worker that has the run.
    if (queueOf(seen.state) !== queue) return;
    const run = await core.stores.runs.take(runId);
    if (!run || run.cancelRequestedBy !== null || queueOf(run.state) !== queue) return;
    try {
      await stepOrEnd(core, run, signal);
    } catch (error) {
      if (error instanceof Fenced) return core.log("fenced", { run: run.number, state: run.state });
      throw error;
    }
  };
  return {
    tick: (runId) => carry(runId, "tick", NEVER),
    agent: (runId, signal) => carry(runId, "agent", signal),
    control: (runId) => control(core, runId),
    dead: (runId, queue, error) => dead(core, runId, queue, error),
  };
}

/** Retries are used up: the run ends with fault "us", and says so. */
async function dead(core: Core, runId: RunId, queue: Queue, error: string): Promise<void> {
  core.log("retries used up", { runId, queue, error });
  const run = await core.stores.runs.take(runId);
  if (!run) return;
  if (run.state === "in_review") {
    // Its work is done and its pull request is open: a forge that is away changes nothing about that.
    const wakeAt = new Date(core.clock.now().getTime() + RECONCILE_MS);
    await core.store.tx((tx) => core.stores.runs.patch(tx, run, { wakeAt }));
    return;
  }
  await core.store.tx((tx) =>
    move(core, tx, run, "handed_off", {
      why: error,
      events: [
        {
          kind: "run.handed_off",
          fault: "us",
          tried: run.text,
          failed: `We failed while the run was ${run.state.replace("_", " ")}: ${error}`,
          next: "Ask again. The service's log has the details.",
          branch: run.pullRequest === null ? null : run.branch,
        },
      ],
    }),
  );
  core.nudge();
}

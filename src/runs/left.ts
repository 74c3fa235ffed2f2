import type { Core } from "./core.ts";
import { record } from "./record.ts";
import { type Run, workspaceOf } from "./run.ts";
import { isFinal, RUN_STATES } from "./state.ts";

const OPEN = RUN_STATES.filter((state) => !isFinal(state));
const RUNS_MOST = 10_000;
/** In the place of the person who asked for a stop. */
const LEFT = "workspace:";

/** Why a run was stopped, by what its row says of who asked for that. */
export const stoppedBecause = (by: string): string =>
  by.startsWith(LEFT) ? `the workspace ${by.slice(LEFT.length)} removed the app` : "stopped by a person";

/**
 * A workspace has removed the app: its runs can be followed, answered and stopped by nobody there, so they end, each with the
 * reason in its record. A pull request that is open stays open. Idempotent. Returns how many.
 */
export async function workspaceLeft(core: Core, workspace: string): Promise<number> {
  const open = await core.stores.runs.inStates(core.orgId, OPEN, RUNS_MOST);
  const theirs = open.filter((run) => workspaceOf(run) === workspace && run.cancelRequestedBy === null);
  for (const run of theirs) await end(core, run, workspace);
  return theirs.length;
}

async function end(core: Core, { id }: Run, workspace: string): Promise<void> {
  await core.store.tx(async (tx) => {
    const run = await core.stores.runs.lock(tx, id);
    if (run?.cancelRequestedBy !== null) return;
    const asked = await core.stores.runs.requestCancel(tx, id, `${LEFT}${workspace}`);
    if (!asked) return;
    const text = `The workspace ${workspace} removed the app. Nobody there can follow, answer or stop this run any more, so it ends.`;
    await record(core, tx, id, null, [{ kind: "notice", text }]);
    await core.engine.wake(tx, id, "control");
  });
}

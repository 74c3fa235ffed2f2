import type { Core } from "#runs/core.ts";
import { decidedByLine, type UnmetSaid } from "#runs/decision/unmet.ts";
import { move } from "#runs/record/move.ts";
import type { Run } from "#runs/run.ts";

/** Denies a run that has not begun what no rule denies it, with the line of policy that does as a decision of the record. */
export async function denyUnmet(core: Core, run: Run, unmet: UnmetSaid): Promise<void> {
  const events = [decidedByLine(core, run, unmet)];
  await core.store.tx((tx) => move(core, tx, run, "denied", { why: unmet.why, events }));
  core.nudge();
}

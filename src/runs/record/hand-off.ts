import type { Core } from "#runs/core.ts";
import type { EventBody, Fault } from "#runs/event.ts";
import type { Run } from "#runs/run.ts";
import { move } from "./move.ts";

export interface HandOff {
  readonly fault: Fault;
  readonly tried: string;
  readonly failed: string;
  /** What a person can do now. */
  readonly next: string;
}

/**
 * Ends a run that cannot finish: what was tried, what failed, whose fault it looks like, and how to go on. A branch is
 * named only when the forge has it; work that was committed and not published is a patch on the run page.
 */
export async function handOff(core: Core, run: Run, why: HandOff, events: readonly EventBody[] = []): Promise<void> {
  await core.store.tx((tx) =>
    move(core, tx, run, "handed_off", {
      why: why.failed,
      events: [...events, { kind: "run.handed_off", ...why, branch: run.pullRequest === null ? null : run.branch }],
    }),
  );
  core.nudge();
}

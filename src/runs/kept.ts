import type { RunState } from "./state.ts";

/** After these the relay's copy of the work is of no use to anyone; after the others a person may still want it. */
const OF_NO_USE: readonly RunState[] = ["denied", "answered", "merged", "closed"];

/** How long after its end the change of a run that published nothing can be taken from its page. */
export const KEPT_MS = 14 * 24 * 3_600_000;

/** When the relay's copy of an ended run may go; `null`: at once. */
export const keptUntil = (state: RunState, now: Date): Date | null =>
  OF_NO_USE.includes(state) ? null : new Date(now.getTime() + KEPT_MS);

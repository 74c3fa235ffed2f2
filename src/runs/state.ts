import type { Queue } from "#ports/engine.ts";

/** The life of a run (docs/lifecycle.md). These names are stored: rename only by migration. */
export const RUN_STATES = [
  "requested",
  "waiting",
  "queued",
  "preparing",
  "working",
  "checking",
  "publishing",
  "suspended",
  "in_review",
  "denied",
  "answered",
  "cancelled",
  "handed_off",
  "merged",
  "closed",
] as const;
export type RunState = (typeof RUN_STATES)[number];

/** Every move a run may make. A state with no moves is final. A test holds the chart in docs/lifecycle.md to this. */
export const MOVES: Record<RunState, readonly RunState[]> = {
  requested: ["denied", "waiting", "queued", "cancelled", "handed_off"],
  waiting: ["denied", "queued", "cancelled", "handed_off"],
  queued: ["preparing", "waiting", "denied", "cancelled", "handed_off"],
  preparing: ["working", "suspended", "cancelled", "handed_off"],
  working: ["checking", "answered", "suspended", "preparing", "cancelled", "handed_off"],
  checking: ["publishing", "working", "preparing", "suspended", "cancelled", "handed_off"],
  publishing: ["in_review", "suspended", "cancelled", "handed_off"],
  suspended: ["queued", "publishing", "cancelled", "handed_off"],
  in_review: ["merged", "closed", "preparing", "cancelled", "handed_off"],
  denied: [],
  answered: [],
  cancelled: [],
  handed_off: [],
  merged: [],
  closed: [],
};

export const canMove = (from: RunState, to: RunState): boolean => MOVES[from].includes(to);

export const isFinal = (state: RunState): boolean => MOVES[state].length === 0;

/** Waits for a person or for the forge: no job exists while it does, only `wake_at`. */
const PARKED: readonly RunState[] = ["waiting", "suspended", "in_review"];

export const isParked = (state: RunState): boolean => PARKED.includes(state) || isFinal(state);

/** Has a sandbox, and one of the places that policy counts. A run that waits for a person has given its own back. */
export const HOLDS_A_PLACE: readonly RunState[] = ["preparing", "working", "checking"];

/** The queue that carries a run in this state: what may take minutes never stands before what takes milliseconds. */
export function queueOf(state: RunState): Queue {
  if (isFinal(state)) return "control";
  return state === "preparing" || state === "working" || state === "checking" || state === "publishing"
    ? "agent"
    : "tick";
}

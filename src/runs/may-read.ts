import type { Account, ExternalId } from "#ports/directory.ts";
import { isIn } from "./seat.ts";

/** What decides whether somebody may read a run's page, its record and its receipt. Facts only. */
export interface Reading {
  readonly viewer: Account;
  /** Who is in the channel it was asked in, now; of a ticket, whose words reached the agent. `null`: that cannot be known. */
  readonly place: readonly ExternalId[] | null;
  /** Whom the run's questions were put to, and who are in those groups still. */
  readonly asked: readonly ExternalId[];
  /** Who is in policy's `auditors` now. `null`: that cannot be known, or policy names none. */
  readonly auditors: readonly ExternalId[] | null;
}

/** As what they may read it; `null`: they may not, and are not told whether the run exists. */
export type Reader = "place" | "asked" | "auditor";

/**
 * Who may read a run: who could read what was asked, whoever answers for it, and the auditors, who may read every run and
 * do nothing else. A group that cannot be read lets nobody in.
 */
export function mayRead({ viewer, place, asked, auditors }: Reading): Reader | null {
  if (viewer.kind !== "member") return null;
  if (place !== null && isIn(viewer, place)) return "place";
  if (isIn(viewer, asked)) return "asked";
  return auditors !== null && isIn(viewer, auditors) ? "auditor" : null;
}

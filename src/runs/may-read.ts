import type { Account, ExternalId } from "#ports/directory.ts";
import { isIn } from "./seat.ts";

/** What decides whether somebody may read a run's page, its record and its receipt. Facts only. */
export interface Reading {
  readonly viewer: Account;
  /** Accounts of everyone whose words reached the agent, the requester among them. */
  readonly authors: readonly ExternalId[];
  /** Who is in the run's team now. `null`: that cannot be known. */
  readonly team: readonly ExternalId[] | null;
  /** Whom the run's questions were put to. */
  readonly asked: readonly ExternalId[];
  /** Who is in policy's `auditors` now. `null`: that cannot be known, or policy names none. */
  readonly auditors: readonly ExternalId[] | null;
}

/** As what they may read it; `null`: they may not, and are not told whether the run exists. */
export type Reader = "author" | "team" | "asked" | "auditor";

/**
 * Who may read a run: its own people, and the auditors, who may read every run and do nothing else. A group that cannot be
 * read lets nobody in.
 */
export function mayRead({ viewer, authors, team, asked, auditors }: Reading): Reader | null {
  if (viewer.kind !== "member") return null;
  if (isIn(viewer, authors)) return "author";
  if (team !== null && isIn(viewer, team)) return "team";
  if (isIn(viewer, asked)) return "asked";
  return auditors !== null && isIn(viewer, auditors) ? "auditor" : null;
}

import { createHash } from "node:crypto";
import { canonical } from "#policy/digest.ts";
import type { EventBody, RunEvent } from "./event.ts";

/** The hash before the first event of a run: binds the chain to that run. */
export const genesis = (runId: string): string => sha256(`countersign/run/${runId}`);

/** One link. `at` is milliseconds since 1970, the precision that is stored. */
export function link(previous: string, seq: number, at: Date, body: EventBody): string {
  return sha256(`${previous}\n${seq}\n${at.getTime()}\n${canonical(body)}`);
}

/** The first event at which the chain does not hold, or `null` when it does. */
export function brokenAt(runId: string, events: readonly RunEvent[]): number | null {
  let previous = genesis(runId);
  let seq = 0;
  for (const event of events) {
    seq += 1;
    if (event.seq !== seq || event.hash !== link(previous, seq, event.at, event.body)) return seq;
    previous = event.hash;
  }
  return null;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

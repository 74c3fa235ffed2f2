import type { RunEvent } from "./event.ts";
import type { Run } from "./run.ts";
import type { OutboxRow } from "./stores.ts";

/** A message that was claimed in the transaction that wanted it, with all that it shows: nothing has to be read again. */
export interface InHand {
  readonly row: OutboxRow;
  readonly run: Run;
  /** The whole record of the run. */
  readonly events: readonly RunEvent[];
}

/** A claim this old belongs to a worker that died. */
export const CLAIM_MS = 30_000;

import type { Tx } from "#ports/store.ts";
import type { Core } from "#runs/core.ts";
import type { EventBody, RunEvent } from "#runs/event.ts";
import { redacted } from "#runs/redact.ts";
import type { RunId } from "#runs/run.ts";

/**
 * The one door through which events are written: every text is redacted here and nowhere else.
 * `epoch: null` for writers that do not own the run (votes, the gateway's audit, the forge).
 */
export async function record(
  core: Pick<Core, "stores" | "redact">,
  tx: Tx,
  runId: RunId,
  epoch: number | null,
  bodies: readonly EventBody[],
): Promise<readonly RunEvent[]> {
  if (bodies.length === 0) return [];
  return core.stores.events.append(
    tx,
    runId,
    epoch,
    bodies.map((body) => redacted(body, core.redact) as EventBody),
  );
}

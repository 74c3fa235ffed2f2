import type { Tx } from "#ports/store.ts";
import type { Core } from "./core.ts";
import type { EventBody, RunEvent } from "./event.ts";
import type { RunId } from "./run.ts";

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

function redacted(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((item) => redacted(item, redact));
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redacted(item, redact)]));
  }
  return value;
}

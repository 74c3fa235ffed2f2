import type { Core } from "#runs/core.ts";
import type { RunEvent } from "#runs/event.ts";
import { facts, type RunFacts } from "#runs/facts.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { Run } from "#runs/run.ts";
import { type RunTitle, titleOf, type View } from "#runs/view.ts";

/** Rows read at a time; a long run's record is folded in slices. */
const SLICE = 2_000;

/** The whole record of a run, or what of it came after an event, oldest first. */
export async function eventsOf(core: Pick<Core, "stores">, runId: string, after = 0): Promise<readonly RunEvent[]> {
  const all: RunEvent[] = [];
  for (;;) {
    const slice = await core.stores.events.after(runId, all.at(-1)?.seq ?? after, SLICE);
    all.push(...slice);
    if (slice.length < SLICE) return all;
  }
}

export const factsOf = async (core: Pick<Core, "stores">, runId: string): Promise<RunFacts> =>
  facts(await eventsOf(core, runId));

export const titled = (core: Pick<Core, "agents" | "baseUrl">, run: Run): RunTitle =>
  titleOf(run, core.agents.get(run.agent)?.profile.title ?? run.agent, core.baseUrl);

/** A no about a run that there is: whoever reads it is led to the run's page. */
export const refusedOf = (core: Pick<Core, "agents" | "baseUrl">, run: Run, refusal: Refusal): View => ({
  kind: "refused",
  refusal,
  run: titled(core, run),
});

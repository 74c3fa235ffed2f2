import type { Core } from "#runs/core.ts";
import { scopeNow } from "#runs/decision/narrow.ts";
import { decidedByLine, sandboxUnmet, type UnmetSaid } from "#runs/decision/unmet.ts";
import { handOff } from "#runs/record/hand-off.ts";
import type { Run } from "#runs/run.ts";

/** Policy wants another sandbox for a run by now than can be had. Thrown where one would be made; it ends the run. */
export class SandboxUnfit extends Error {
  override readonly name = "SandboxUnfit";
  readonly unmet: UnmetSaid;

  constructor(unmet: UnmetSaid) {
    super(unmet.why);
    this.unmet = unmet;
  }
}

/** What of the sandbox that policy wants for the run by now is not to be had; `null`: it can be made. */
export const sandboxUnfit = (core: Core, run: Run): Promise<UnmetSaid | null> =>
  sandboxUnmet(core, run, scopeNow(core, run).sandbox);

/** Ends a run that has begun and whose next sandbox cannot be had, with the line of policy that wants it. */
export async function endUnfit(core: Core, run: Run, unmet: UnmetSaid): Promise<void> {
  const { why, ref } = unmet;
  await handOff(
    core,
    run,
    {
      fault: "policy",
      tried: run.text,
      failed: `It needs another sandbox, and ${why} (${ref.text} at ${ref.at}).`,
      next: "Ask the policy's owners, or whoever runs Countersign for such a sandbox. What the run had saved is on its page.",
    },
    [decidedByLine(core, run, unmet)],
  );
}

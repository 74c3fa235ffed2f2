import { startRequest } from "#policy/compile.ts";
import type { Scope } from "#policy/scope.ts";
import { allow, decided } from "./allow.ts";
import { covers } from "./approval.ts";
import type { Core } from "./core.ts";
import { heldForPolicy } from "./hold.ts";
import { move } from "./move.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";

/** How soon a run that had to queue looks again. A run that ends wakes nobody, so this is the longest idle place. */
const LOOK_AGAIN_MS = 5_000;
const PLACE_FREE = "this one starts when a place is free.";

/** "queued" → preparing, when policy still lets it start and the team has a free place. Told in words while it has not. */
export async function admit(core: Core, run: Run): Promise<void> {
  const { scope } = run;
  if (!scope) throw new Error(`run ${run.id} is queued without a scope`);
  if (await narrowed(core, run, scope)) return;
  const { limits } = scope;
  const now = core.clock.now();
  const said = (await core.stores.events.after(run.id, 0, 100)).some(
    ({ body }) => body.kind === "notice" && body.text.endsWith(PLACE_FREE),
  );
  await core.store.tx(async (tx) => {
    const active = await core.stores.runs.countActive(tx, run.orgId, run.team);
    if (active >= limits.concurrentRuns) {
      if (!said) {
        await record(core, tx, run.id, run.epoch, [
          {
            kind: "notice",
            text: `${active} of ${run.team}'s ${limits.concurrentRuns} runs are at work; ${PLACE_FREE}`,
          },
        ]);
      }
      await core.stores.runs.patch(tx, run, { wakeAt: new Date(now.getTime() + LOOK_AGAIN_MS) });
      return;
    }
    await move(core, tx, run, "preparing", {
      patch: { wakeAt: null, deadlineAt: new Date(now.getTime() + limits.runtimeMs) },
    });
  });
  core.nudge();
}

/**
 * Whether it may not start now. Policy may ask for more by now than was approved, or deny: people took their time, or it
 * stood in line. One that cannot be read holds the run.
 */
async function narrowed(core: Core, run: Run, scope: Scope): Promise<boolean> {
  const decision = await allow(core, run, startRequest(scope, run.model).objects);
  if (decision.outcome === "allow") return false;
  if (decision.outcome === "deny" && decision.reason === "policy_unavailable" && (await heldForPolicy(core, run)))
    return true;
  if (decision.outcome === "ask") {
    const starts = (await core.stores.approvals.ofRun(run.id)).filter(({ gate }) => gate === "start");
    if (starts.some((one) => one.status === "approved" && covers(one, decision.asks))) return false;
  }
  const why =
    decision.outcome === "deny" ? `policy: ${decision.reason}` : "policy asks for more by now than was approved";
  const events = [decided("start", run.repo, decision)];
  await core.store.tx((tx) => move(core, tx, run, "denied", { why, events, patch: { wakeAt: null } }));
  core.nudge();
  return true;
}

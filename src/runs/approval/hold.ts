import type { Ask, Decision } from "#policy/decision.ts";
import type { Policy } from "#policy/policy.ts";
import { DirectoryUnavailable } from "#ports/directory.ts";
import type { OpenAsk } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { type HandOff, handOff } from "#runs/record/hand-off.ts";
import { eventsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { withMembers } from "./ask.ts";
import { giveUpMs } from "./remind.ts";

const LOOK_AGAIN_MS = 60_000;

/**
 * What is needed to decide cannot be read now: nothing is allowed and nothing is given up. The run stays where it is, is
 * looked at again in a minute, which is not counted as its own time, and says `why` once. After the `give_up` of the
 * questions that could not be put, else of policy, it is handed off, with `given` in place of what is said otherwise.
 */
export async function hold(
  core: Core,
  run: Run,
  why: string,
  asks: readonly Ask[] = [],
  given: Partial<Pick<HandOff, "fault" | "next">> = {},
): Promise<void> {
  const events = await eventsOf(core, run.id);
  const said = events.findLast(({ body }) => body.kind === "notice" && body.text === why);
  // What was said before it went on is about another time.
  const saidNow = said !== undefined && !events.some(({ seq, body }) => seq > said.seq && body.kind === "run.moved");
  const now = core.clock.now().getTime();
  if (saidNow && now - said.at.getTime() >= giveUpMs(core, asks)) {
    return handOff(core, run, {
      fault: "environment",
      tried: run.text,
      failed: why,
      next: "Mend what cannot be read, then ask again. The run page has what was done so far.",
      ...given,
    });
  }
  await core.store.tx(async (tx) => {
    const deadlineAt = run.deadlineAt === null ? null : new Date(run.deadlineAt.getTime() + LOOK_AGAIN_MS);
    await core.stores.runs.patch(tx, run, { wakeAt: new Date(now + LOOK_AGAIN_MS), deadlineAt });
    if (saidNow) return;
    await record(core, tx, run.id, run.epoch, [{ kind: "notice", text: why }]);
    await tell(core, tx, run, "status");
  });
  core.nudge();
}

/** Whether policy cannot be read now, so that its denial is no decision; then the run is held. */
export async function heldForPolicy(core: Core, run: Run): Promise<boolean> {
  const current = core.policy();
  if (current.ok) return false;
  await hold(core, run, `Policy cannot be read: ${current.problem}`);
  return true;
}

/** Whether the denial is none of policy's: it could not be read, or not be evaluated. Then the run is held. */
export async function heldForDecision(core: Core, run: Run, decision: Decision): Promise<boolean> {
  if (decision.outcome !== "deny") return false;
  if (decision.reason === "policy_unavailable") return heldForPolicy(core, run);
  if (decision.reason !== "evaluator_failed") return false;
  const why = decision.rules.map((rule) => rule.why).join("; ");
  await hold(core, run, `Policy could not be evaluated, which is a fault of ours: ${why}`);
  return true;
}

/** Who is in each ask's group now; `null` when one of them cannot be read, and then the run is held. */
export async function membersOrHold(
  core: Core,
  policy: Policy,
  run: Run,
  asks: readonly Ask[],
): Promise<OpenAsk[] | null> {
  try {
    return await withMembers(core, policy, run, asks);
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    core.log("a question could not be put", { run: run.number, error: error.message });
    const groups = asks.map((ask) => ask.from).join(", ");
    // Of code owners it is somebody in particular who is not found: an account to link, a line to mend.
    const why = asks.some(({ from }) => from === "codeowners") ? error.message : `who is in ${groups} cannot be read`;
    await hold(core, run, `Nobody can be asked: ${why}. It is tried again every minute.`, asks);
    return null;
  }
}

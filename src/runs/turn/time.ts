import type { RuleRef } from "#policy/decision.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { moreTimeOf, TimeSubject } from "#runs/budget-added.ts";
import type { Core } from "#runs/core.ts";
import { allow } from "#runs/decision/allow.ts";
import { deadlineNow } from "#runs/decision/narrow.ts";
import { decidedByLine } from "#runs/decision/unmet.ts";
import { heldNow } from "#runs/money/shares.ts";
import { timeOf } from "#runs/money/time.ts";
import { type HandOff, handOff } from "#runs/record/hand-off.ts";
import type { Run } from "#runs/run.ts";
import { regrantRun } from "#runs/sandbox/regrant.ts";
import { isGone } from "#runs/sandbox/sandbox.ts";
import { ATOP, askForMore, saidNo, untold, whyNot } from "./budget.ts";
import { keepWork } from "./keep-work.ts";
import { suspend } from "./suspend.ts";

/**
 * The run's time is over. Its work is saved; then people are asked for more where policy says so and there is more to give,
 * and otherwise the run is handed off. `sandbox`: `null` when it has none to be saved from.
 */
export async function outOfTime(core: Core, before: Run, sandbox: Sandbox | null, signal: AbortSignal): Promise<void> {
  const { run, inside } = await kept(core, before, sandbox, signal);
  const { ownMs, moreMs } = await timeOf(core, run);
  const line = (await heldNow(core, run))?.("runtime")?.ref ?? null;
  const over = { about: "budget", subject: "runtime", reason: "over_limit" } as const;
  const lines = line === null ? [] : [decidedByLine(core, run, { ...over, ref: line })];
  const decision = await allow(core, run, [{ subject: "action", action: "run.extend" }]);
  if (decision.outcome !== "ask") {
    const next = whyNot(decision, "Ask for a smaller step, or ask the policy's owners for more time.");
    return handOff(core, run, timeWords(run, ownMs, line, next), [...(await untold(core, run, decision)), ...lines]);
  }
  if (moreMs <= 0) return handOff(core, run, timeWords(run, ownMs, line, ATOP), lines);
  const asked = (await core.stores.approvals.ofRun(run.id)).filter((one) => moreTimeOf(one) !== null);
  const no = await saidNo(
    core,
    run,
    asked.find(({ status, subject }) => status === "denied" && subject.timeMs === ownMs),
  );
  if (no !== null) return handOff(core, run, no);
  if (!asked.some(({ status }) => status === "pending")) {
    const subject = TimeSubject.parse({ timeMs: ownMs, moreMs });
    if (!(await askForMore(core, run, decision, subject))) return;
  }
  await suspend(core, run, inside, null, "time", signal);
}

/** The way out of a sandbox ends soon after its run's time, and nobody may have been here by then: it opens once more. */
async function kept(
  core: Core,
  before: Run,
  sandbox: Sandbox | null,
  signal: AbortSignal,
): Promise<{ readonly run: Run; readonly inside: Sandbox | null }> {
  if (sandbox === null) return { run: before, inside: null };
  const lateMs = core.clock.now().getTime() - (deadlineNow(core, before)?.getTime() ?? 0);
  const deadlineAt = new Date((before.deadlineAt?.getTime() ?? 0) + Math.max(0, lateMs));
  const run = await core.store.tx((tx) => core.stores.runs.patch(tx, before, { deadlineAt }));
  try {
    await sandbox.killAll();
    await regrantRun(core, run);
    return { run: await keepWork(core, { sandbox, agent: null }, run, signal), inside: sandbox };
  } catch (error) {
    if (!isGone(error)) throw error;
    return { run, inside: null };
  }
}

function timeWords(run: Run, ownMs: number, line: RuleRef | null, next: string): HandOff {
  const time = ownMs < 60_000 ? `${ownMs / 1_000} s` : `${Math.round(ownMs / 60_000)} min`;
  const where = line === null ? "" : ` (${line.text} at ${line.at})`;
  const failed = `It was not done within ${time}, the limit of ${run.team}${where}.`;
  return { fault: "budget", tried: run.text, failed, next };
}

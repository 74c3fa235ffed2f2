import { startRequest } from "#policy/load/compile.ts";
import type { Scope } from "#policy/scope.ts";
import type { Tx } from "#ports/store.ts";
import { heldForLinks } from "#runs/account/linked.ts";
import { answering } from "#runs/approval/answers.ts";
import { open } from "#runs/approval/ask.ts";
import { heldForDecision, heldForPolicy, membersOrHold } from "#runs/approval/hold.ts";
import { looksAt } from "#runs/approval/remind.ts";
import { stands } from "#runs/approval/yes.ts";
import type { Approval } from "#runs/approval.ts";
import { addedWords, bind } from "#runs/bind.ts";
import { boundNow, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, allow, decided } from "#runs/decision/allow.ts";
import { asRecipe } from "#runs/decision/recipe.ts";
import { decidedByLine } from "#runs/decision/unmet.ts";
import { settleMoney } from "#runs/money/settle-money.ts";
import {
  allotmentOf,
  fullOf,
  heldNow,
  type Month,
  monthAt,
  monthOver,
  monthPromised,
  monthsOf,
  promised,
  usedUp,
  type Wait,
} from "#runs/money/shares.ts";
import { timeAnew } from "#runs/money/time.ts";
import { decidedAnew } from "#runs/record/decided-anew.ts";
import { handOff } from "#runs/record/hand-off.ts";
import { eventsOf } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import { endUnfit, sandboxUnfit } from "#runs/sandbox/unfit.ts";
import { denyUnmet } from "./deny.ts";

/** How soon a run that had to queue looks again. A run that ends wakes nobody, so this is the longest idle place. */
const LOOK_AGAIN_MS = 5_000;

/**
 * "queued" → preparing, when policy still lets it start, a place is free wherever places are counted, and the month has
 * money left. Told in words while it has not.
 */
export async function admit(core: Core, run: Run): Promise<void> {
  const { scope } = run;
  if (!scope) throw new Error(`run ${run.id} is queued without a scope`);
  if (run.resumeTo !== null) return readmit(core, run);
  const authors = (tx: Tx) => core.stores.people.authors(tx, run.id);
  const known = (await core.store.tx(authors)).length;
  if (await withoutRecipe(core, run, scope)) return;
  const unmet = await sandboxUnfit(core, run);
  if (unmet !== null) return denyUnmet(core, run, unmet);
  if (await narrowed(core, run, scope)) return;
  if (await heldForLinks(core, run)) return;
  const held = await heldNow(core, run);
  if (held === null) {
    await heldForPolicy(core, run);
    return;
  }
  await settleMoney(core);
  const { limits } = scope;
  const now = core.clock.now();
  const stop = await core.store.tx(async (tx): Promise<{ over: Month } | { wait: Wait } | null> => {
    const use = await core.stores.shares.use(tx, run, monthAt(now));
    await core.stores.runs.lock(tx, run.id);
    // Whoever said yes may have added to it since that was looked at.
    if ((await authors(tx)).length !== known) {
      await core.stores.runs.patch(tx, run, { wakeAt: now });
      return null;
    }
    const months = monthsOf(held, use);
    const spent = usedUp(months);
    if (spent !== null) return { over: spent };
    const short = promised(months);
    const wait = fullOf(run, held, use) ?? (short === null ? null : monthPromised(run, short));
    if (wait !== null) return { wait };
    const { amount } = allotmentOf({ usd: limits.costUsd, tokens: limits.tokens }, months, use.own);
    await core.stores.shares.allot(tx, run, amount);
    await move(core, tx, run, "preparing", {
      patch: { wakeAt: null, deadlineAt: new Date(now.getTime() + limits.runtimeMs) },
    });
    return null;
  });
  if (stop !== null && "over" in stop) return noMoney(core, run, stop.over);
  if (stop !== null) await stayInLine(core, run, stop.wait);
  core.nudge();
}

/**
 * The same for a run that people's answer brings back. It was admitted before, so policy and the month are met where it
 * goes on; its time begins anew, else it would be over before it begins, or is what that answer gave it.
 */
async function readmit(core: Core, run: Run): Promise<void> {
  const held = await heldNow(core, run);
  if (held === null) {
    await heldForPolicy(core, run);
    return;
  }
  const unmet = await sandboxUnfit(core, run);
  if (unmet !== null) return endUnfit(core, run, unmet);
  const timeMs = await timeAnew(core, run);
  const now = core.clock.now();
  const wait = await core.store.tx(async (tx): Promise<Wait | null> => {
    const use = await core.stores.shares.use(tx, run, monthAt(now));
    await core.stores.runs.lock(tx, run.id);
    const full = fullOf(run, held, use);
    if (full !== null) return full;
    const deadlineAt = new Date(now.getTime() + timeMs);
    await move(core, tx, run, "preparing", { patch: { resumeTo: null, wakeAt: null, deadlineAt } });
    return null;
  });
  if (wait !== null) await stayInLine(core, run, wait);
  core.nudge();
}

/** Said once for each limit: how many are at work may change meanwhile, and is no news. */
async function stayInLine(core: Core, run: Run, wait: Wait): Promise<void> {
  const isNews = !(await saidInLine(core, run)).some((text) => text.includes(`(${wait.at}); `));
  await core.store.tx(async (tx) => {
    if ((await core.stores.runs.lock(tx, run.id))?.state !== run.state) return;
    if (isNews) {
      await record(core, tx, run.id, run.epoch, [{ kind: "notice", text: wait.text }]);
      await tell(core, tx, run, "status");
    }
    await core.stores.runs.patch(tx, run, { wakeAt: new Date(core.clock.now().getTime() + LOOK_AGAIN_MS) });
  });
}

/** What was said since it came into line. */
async function saidInLine(core: Core, run: Run): Promise<readonly string[]> {
  const bodies = (await eventsOf(core, run.id)).map(({ body }) => body);
  const since = bodies.findLastIndex((body) => body.kind === "run.moved" && body.to === "queued");
  return bodies.slice(since + 1).flatMap((body) => (body.kind === "notice" ? [body.text] : []));
}

/** Whether the month of its team or its person is used up, so that nobody needs to be asked about the run; said then. */
export async function monthUsedUp(core: Core, run: Run): Promise<boolean> {
  const held = await heldNow(core, run);
  if (held === null) return false;
  const use = await core.store.tx((tx) => core.stores.shares.use(tx, run, monthAt(core.clock.now())));
  const over = usedUp(monthsOf(held, use));
  if (over !== null) await noMoney(core, run, over);
  return over !== null;
}

/** Ends a run that has nothing to spend, with the limit as a decision of its own. */
async function noMoney(core: Core, run: Run, month: Month): Promise<void> {
  const { name, ref } = month.held;
  const told = decidedByLine(core, run, { about: "budget", subject: name, reason: "over_limit", ref });
  await handOff(core, run, monthOver(core, run, month), [told]);
}

/** Whether the recipe that it was asked with was taken away while people took their time, or it stood in line; ended then. */
async function withoutRecipe(core: Core, run: Run, scope: Scope): Promise<boolean> {
  const current = core.policy();
  if (!current.ok) return false;
  const asked = await asRecipe(core, current.policy, run, scope);
  if (!("gone" in asked)) return false;
  await denyUnmet(core, run, asked.gone);
  return true;
}

/**
 * Whether it may not start now. Policy may ask for more by now than was approved, or deny: people took their time, or it
 * stood in line. One that cannot be read holds the run.
 */
async function narrowed(core: Core, run: Run, scope: Scope): Promise<boolean> {
  const decision = await allow(core, run, startRequest(scope, run.model).objects);
  const admitted = async (): Promise<false> => {
    await decidedAnew(core, run, [{ about: "start", subject: run.repo, decision }]);
    return false;
  };
  if (decision.outcome === "allow") return admitted();
  if (await heldForDecision(core, run, decision)) return true;
  if (decision.outcome === "ask") {
    const yes = (await core.stores.approvals.ofRun(run.id)).filter(
      (one) => one.gate === "start" && one.status === "approved",
    );
    const stand = yes.filter((one) => stands(core, one, [], null, decision.asks));
    if ((await answering(core, run, stand, decision)) !== null) return admitted();
    const lapsed = yes.at(-1);
    if (lapsed) return putAnew(core, run, lapsed, decision);
  }
  const why =
    decision.outcome === "deny" ? `policy: ${decision.reason}` : "policy asks for more by now than was approved";
  const events = [decided("start", run.repo, decision)];
  await core.store.tx((tx) => move(core, tx, run, "denied", { why, events, patch: { wakeAt: null } }));
  core.nudge();
  return true;
}

/**
 * It stood in line for longer than its yes was for, what that was bound to has changed, or whoever gave it is an author by
 * now: people are asked once more, about what was said in the thread since as well.
 */
async function putAnew(core: Core, run: Run, lapsed: Approval, decision: Answer): Promise<boolean> {
  const current = core.policy();
  if (!current.ok || decision.outcome !== "ask") throw new Error("nothing is asked about a start");
  const asks = await membersOrHold(core, current.policy, run, decision.asks);
  if (asks === null) return true;
  await core.store.tx(async (tx) => {
    await record(core, tx, run.id, run.epoch, [decided("start", run.repo, decision)]);
    await core.stores.runs.lock(tx, run.id);
    const added = addedWords(await core.stores.turns.all(run.id, tx));
    const about = added.length === 0 ? lapsed.subject : { ...lapsed.subject, added };
    const subject = withBound(about, boundNow(core, run, decision));
    const approval = await open(core, tx, run, "start", subject, bind("start", run, subject), asks, run.epoch);
    await move(core, tx, run, "waiting", {
      why: "the yes to its start holds no more",
      patch: { wakeAt: looksAt(approval) },
    });
  });
  core.nudge();
  return true;
}

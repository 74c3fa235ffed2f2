import type { RuleRef } from "#policy/decision.ts";
import type { Agent } from "#ports/agent.ts";
import type { Sandbox } from "#ports/sandbox.ts";
import { open } from "#runs/approval/ask.ts";
import { membersOrHold } from "#runs/approval/hold.ts";
import type { Approval } from "#runs/approval.ts";
import { bind } from "#runs/bind.ts";
import { boundNow, withBound } from "#runs/bound.ts";
import { BudgetSubject, isUsedUp, moreTimeOf } from "#runs/budget-added.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, allow, decided } from "#runs/decision/allow.ts";
import { decidedByLine } from "#runs/decision/unmet.ts";
import type { EventBody } from "#runs/event.ts";
import { allotted, type Budget } from "#runs/money/allot.ts";
import { dollars, heldNow, monthOver, monthTaken } from "#runs/money/shares.ts";
import { isNews } from "#runs/record/decided-anew.ts";
import { type HandOff, handOff } from "#runs/record/hand-off.ts";
import { factsOf } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import type { Person, Run } from "#runs/run.ts";
import type { Amount } from "#runs/stores.ts";
import { keepWork } from "./keep-work.ts";
import { suspend } from "./suspend.ts";

/**
 * The gateway gives the run's model nothing more. Its work is saved; then people are asked for more where policy says so
 * and there is more to give, and otherwise the run is handed off.
 */
export async function outOfBudget(
  core: Core,
  before: Run,
  sandbox: Sandbox,
  agent: Agent | null,
  signal: AbortSignal,
): Promise<void> {
  const run = await keepWork(core, { sandbox, agent }, before, signal);
  const usage = await core.gateway.usage(run.id);
  const spent = { usd: Math.round(usage.usd * 100) / 100, tokens: usage.inputTokens + usage.outputTokens };
  const budget = await allotted(core, run);
  const short = shortOf(spent, budget.amount);
  const month = budget.by[short];
  if (month !== null) {
    const used = month.spent >= month.held.most;
    const { name, ref } = month.held;
    const over = decidedByLine(core, run, { ...OVER, subject: name, ref });
    return handOff(core, run, used ? monthOver(core, run, month) : monthTaken(core, run, month), [over]);
  }
  const decision = await allow(core, run, [{ subject: "action", action: "run.extend" }]);
  const limit = short === "usd" ? "cost_usd" : "tokens";
  const line = (await heldNow(core, run))?.(limit)?.ref ?? null;
  const over = line === null ? [] : [decidedByLine(core, run, { ...OVER, subject: limit, ref: line })];
  if (decision.outcome !== "ask") {
    const next = whyNot(decision, "Ask for a smaller step, or ask the policy's owners for a larger budget.");
    const told = await untold(core, run, decision);
    return handOff(core, run, spentWords(run, budget.own, short, line, next), [...told, ...over]);
  }
  if (budget.room[short] <= 0) return handOff(core, run, spentWords(run, budget.own, short, line, ATOP), over);
  const subject = BudgetSubject.parse({ spent, budget: budget.own, more: budget.room });
  const all = await core.stores.approvals.ofRun(run.id);
  const answers = all.filter((one) => one.gate === "budget" && moreTimeOf(one) === null);
  const pending = answers.find(({ status }) => status === "pending");
  const no = await saidNo(
    core,
    run,
    answers.find((one) => one.status === "denied" && same(one, budget.own)),
  );
  if (no !== null) return handOff(core, run, no);
  if (pending === undefined && !(await askForMore(core, run, decision, subject))) return;
  await suspend(core, run, sandbox, null, "budget", signal);
}

/** What policy says about more, unless the record has it: with a grant it was recorded that what people had given counts no more. */
export async function untold(core: Core, run: Run, decision: Answer): Promise<readonly EventBody[]> {
  const told = decided("budget", "run.extend", decision);
  return isNews((await factsOf(core, run.id)).decisions, told) ? [told] : [];
}

/** Puts the question. `false`: who is in the group cannot be read, and the run is held. */
export async function askForMore(
  core: Core,
  run: Run,
  decision: Answer & { readonly outcome: "ask" },
  subject: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const current = core.policy();
  if (!current.ok) throw new Error(`policy cannot be read: ${current.problem}`);
  const asks = await membersOrHold(core, current.policy, run, decision.asks);
  if (asks === null) return false;
  await core.store.tx(async (tx) => {
    await core.stores.runs.lock(tx, run.id);
    await record(core, tx, run.id, run.epoch, [decided("budget", "run.extend", decision)]);
    const bound = withBound(subject, boundNow(core, run, decision));
    await open(core, tx, run, "budget", bound, bind("budget", run, bound), asks, run.epoch);
  });
  core.nudge();
  return true;
}

/** Of money and tokens, what is nearer to its end: a call that may cost more than is left is refused before it is spent. */
function shortOf(spent: Amount, of: Amount): keyof Amount {
  const part = (kind: keyof Amount) => (of[kind] <= 0 ? 1 : spent[kind] / of[kind]);
  return part("tokens") > part("usd") ? "tokens" : "usd";
}

/** A no to this budget, not to one of before. */
function same({ subject }: Approval, budget: Budget["own"]): boolean {
  const asked = BudgetSubject.safeParse(subject);
  return asked.success && asked.data.budget.usd === budget.usd && asked.data.budget.tokens === budget.tokens;
}

const OVER = { about: "budget", reason: "over_limit" } as const;
/** What is said where a yes could give nothing. */
export const ATOP = "It is at the ceiling already: only the policy's owners can raise that.";

/** Why nobody is asked for more: the rule that says so, else what can be done instead. */
export function whyNot(decision: Answer, otherwise: string): string {
  if (decision.outcome === "deny" && decision.reason === "rule") {
    return `More is not asked for: ${decision.rules.map(({ text, at }) => `${text} (${at})`).join("; ")}.`;
  }
  return otherwise;
}

function spentWords(run: Run, own: Amount, short: keyof Amount, line: RuleRef | null, next: string): HandOff {
  const budget = short === "usd" ? dollars(own.usd) : `${own.tokens.toLocaleString("en")} tokens`;
  const where = line === null ? "" : ` (${line.text} at ${line.at})`;
  return { fault: "budget", tried: run.text, failed: `The budget of ${budget} is spent${where}.`, next };
}

/** What a run says of the no that it was given; `null`: there is none. */
export async function saidNo(core: Core, run: Run, denied: Approval | undefined): Promise<HandOff | null> {
  if (denied === undefined) return null;
  const votes = await core.store.tx((tx) => core.stores.approvals.votes(tx, denied.id));
  const vote = votes.find(({ choice }) => choice === "deny");
  return noMore(run, denied, vote?.person ?? null, vote?.reason ?? null);
}

/** What a run says that people gave no more. */
export function noMore(
  run: Pick<Run, "text">,
  denied: Pick<Approval, "gate" | "subject">,
  by: Person | null,
  reason: string | null,
): HandOff {
  return {
    fault: "budget",
    tried: run.text,
    failed: `${isUsedUp(denied)}, and ${by?.name ?? "an approver"} said no to more${reason === null ? "." : `: ${reason}`}`,
    next: "The run page has the work so far. Ask for a smaller step, or ask again with what the approver needs.",
  };
}

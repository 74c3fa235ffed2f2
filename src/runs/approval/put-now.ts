import type { PolicyObject, RuleRef } from "#policy/decision.ts";
import { DirectoryUnavailable } from "#ports/directory.ts";
import type { Approval } from "#runs/approval.ts";
import { type Asking, otherRules } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { allow, decided } from "#runs/decision/allow.ts";
import type { RunFacts } from "#runs/facts.ts";
import { factsOf } from "#runs/record/look.ts";
import type { OpenAsk } from "#runs/seat.ts";
import { withMembers } from "./ask.ts";

/** A question as policy would put it now. */
export interface PutNow extends Asking {
  readonly asks: readonly OpenAsk[];
  readonly rules: readonly RuleRef[];
  /** The decision, for the record. */
  readonly told: ReturnType<typeof decided>;
}

/**
 * How policy puts a question by now, when other rules ask it than those that did; `null`: it stands as it was put, or policy
 * asks nobody about it any more, which is met where its yes would be used. What was put to policy is in the run's record. Asks
 * the directory, so it comes before the transaction; while that is silent the question stands, and its yes is looked at again.
 */
export async function putNow(core: Core, approval: Approval): Promise<PutNow | null> {
  const run = await core.stores.runs.get(approval.runId);
  const current = core.policy();
  if (run === null || !current.ok) return null;
  const before = decisionOf(await factsOf(core, run.id), approval);
  if (before?.request === undefined) return null;
  const decision = await allow(core, run, before.request.objects as readonly PolicyObject[]);
  if (decision.outcome !== "ask" || !otherRules(approval, decision)) return null;
  try {
    const asks = await withMembers(core, current.policy, run, decision.asks);
    return { asks, rules: decision.rules, told: decided(approval.gate, before.subject, decision) };
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    core.log("a question could not be put anew", { approval: approval.id, error: error.message });
    return null;
  }
}

/** The newest decision about what this question is about. */
function decisionOf({ decisions }: RunFacts, { gate, subject }: Approval): RunFacts["decisions"][number] | undefined {
  const { command, secret, host, port } = subject;
  const named = { command, secret, host: `${host}:${port}` };
  return decisions.findLast(
    (one) => one.about === gate && (!(gate in named) || one.subject === named[gate as keyof typeof named]),
  );
}

import type { PolicyRequest } from "#policy/decision.ts";
import { type Explanation, explain } from "#policy/explain/explain.ts";
import { notReplayed, type RecordedDecision } from "#policy/explain/simulate.ts";
import type { Policy } from "#policy/policy.ts";
import { sayExplanation, sayNotReplayed, sayTold } from "./words.ts";

/** What is known of one run, and where to say it. */
export interface RunExplained {
  readonly run: string;
  readonly decisions: readonly RecordedDecision[];
  /** The policies that decided, by digest, as far as they were kept. */
  readonly kept: ReadonlyMap<string, Policy>;
  /** The files as they are; a text: why they say nothing. */
  readonly now: Policy | string;
  readonly json: boolean;
  readonly out: (text: string) => void;
  readonly error: (text: string) => void;
}

/**
 * Every decision of a run, explained by the policy that decided it, and what it would be under the files as they are; of a
 * limit, the line that said it. 0: at least one is explained.
 */
export function explainRun({ run, decisions, kept, now, json, out, error }: RunExplained): number {
  const explained = decisions.flatMap((decision) => {
    const { request, told } = decision;
    if (request === null) return told === undefined ? [] : [{ decision, by: null, now: null }];
    const by = deciding(decision, request, kept);
    return [{ decision, by, now: typeof now === "string" ? null : explain(now, request) }];
  });
  if (json) {
    out(JSON.stringify(explained, null, 2));
    return explained.length === 0 ? 1 : 0;
  }
  if (decisions.length === 0) error(`no decision of a run ${run} is recorded`);
  for (const one of explained) {
    const { decision, by } = one;
    const policy = by ?? (decision.told && kept.get(decision.policies?.[0] ?? "")) ?? null;
    const whose = policy === null ? "a policy that was not kept" : `${shortOf(policy.digest)} at ${policy.commit}`;
    const words = by === null ? null : sayExplanation(by.explanation);
    out(`${decision.at} ${decision.about}: ${decision.outcome}, by ${whose}`);
    if (decision.told !== undefined) out(sayTold(decision.told, decision.outcome));
    if (words !== null) out(words);
    if (one.now !== null) out(sayNow(sayExplanation(one.now), words));
    out("");
  }
  if (typeof now === "string" && explained.length > 0) out(`what it would be now is not said: ${now}`);
  const lost = sayNotReplayed(notReplayed(decisions));
  if (lost !== "") out(lost);
  return explained.length === 0 ? 1 : 0;
}

/** The policy that decided, and how. */
interface Deciding {
  readonly digest: string;
  readonly commit: string;
  readonly explanation: Explanation;
}

/** By the policy whose word it was: each decision passed the one that its run was begun under and the one in force. */
function deciding(
  { policies = [], outcome }: RecordedDecision,
  request: PolicyRequest,
  kept: ReadonlyMap<string, Policy>,
): Deciding | null {
  const all = policies.flatMap((digest): Deciding[] => {
    const policy = kept.get(digest);
    return policy === undefined ? [] : [{ digest, commit: policy.commit, explanation: explain(policy, request) }];
  });
  return all.find(({ explanation }) => explanation.decision.outcome === outcome) ?? all[0] ?? null;
}

const shortOf = (digest: string): string => digest.slice(0, 15);

const sayNow = (now: string, before: string | null): string => (now === before ? "now: the same" : `now: ${now}`);

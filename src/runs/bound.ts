import { z } from "zod";
import type { Ask, RuleRef } from "#policy/decision.ts";
import { digest } from "#policy/digest.ts";
import type { Approval } from "./approval.ts";
import type { Core } from "./core.ts";
import type { Run } from "./run.ts";

/**
 * What a yes is bound to beside the exact bytes: the words of the rules that ask, and where these say so the commit the run
 * starts from and the digest of the whole policy. A question of before rules were kept with it has none.
 */
const Bound = z.strictObject({
  base: z.string().optional(),
  policy: z.string().optional(),
  rules: z.array(z.string()).optional(),
});
export type Bound = Readonly<z.infer<typeof Bound>>;

type Subject = Readonly<Record<string, unknown>>;

/** Who asks: a decision, or a question as it was put. */
export interface Asking {
  readonly asks: readonly Pick<Ask, "binds">[];
  readonly rules: readonly Pick<RuleRef, "text">[];
}

/** By the rules that it was put by. */
export const asPut = ({ subject, asks }: Pick<Approval, "subject" | "asks">): Asking => ({
  asks,
  rules: (boundOf(subject).rules ?? []).map((text) => ({ text })),
});

const boundOf = ({ bound }: Subject): Bound => Bound.safeParse(bound).data ?? {};

/** What the questions bind a yes to, as it is now. A rule that only stands on another line is the same rule. */
export function boundNow(core: Pick<Core, "policy">, run: Pick<Run, "baseOid">, { asks, rules }: Asking): Bound {
  const to = new Set(asks.flatMap(({ binds }) => binds));
  const current = core.policy();
  const words = wordsOf(rules);
  return {
    ...(to.has("base") ? { base: run.baseOid ?? "none" } : {}),
    ...(to.has("policy") ? { policy: current.ok ? current.policy.digest : "unreadable" } : {}),
    ...(words.length === 0 ? {} : { rules: words }),
  };
}

/** The subject with what its yes is bound to, so that people see it and the digest covers it. */
export function withBound({ bound: _, ...subject }: Subject, bound: Bound): Subject {
  return Object.keys(bound).length === 0 ? subject : { ...subject, bound };
}

/** Whether two subjects are about the same act, whatever a yes to them was bound to. */
export const sameAct = (a: Subject, b: Subject): boolean => digest(withBound(a, {})) === digest(withBound(b, {}));

/** Whether other rules ask about the act than those that the question was put by. */
export function otherRules({ subject }: Pick<Approval, "subject">, { rules }: Pick<Asking, "rules">): boolean {
  const before = boundOf(subject).rules;
  return before !== undefined && digest(before) !== digest(wordsOf(rules));
}

const wordsOf = (rules: Asking["rules"]): string[] => [...new Set(rules.map(({ text }) => text))].sort();

/**
 * Whether what this question was bound to is as it was when it was put. Nothing else that changes voids it. `now`: as policy
 * asks by now; absent where that is not looked at.
 */
export function stillBound(
  core: Pick<Core, "policy">,
  run: Pick<Run, "baseOid">,
  approval: Pick<Approval, "subject" | "asks">,
  now: Asking = asPut(approval),
): boolean {
  return boundAlike(core, run, approval, now) && !otherRules(approval, now);
}

/** The same of a question that may have been put by more rules than those that ask `now`. */
export function boundToo(
  core: Pick<Core, "policy">,
  run: Pick<Run, "baseOid">,
  approval: Pick<Approval, "subject" | "asks">,
  now: Asking,
): boolean {
  const before = boundOf(approval.subject).rules;
  const put = before === undefined || wordsOf(now.rules).every((text) => before.includes(text));
  return put && boundAlike(core, run, approval, now);
}

/** The rules that ask aside. */
function boundAlike(
  core: Pick<Core, "policy">,
  run: Pick<Run, "baseOid">,
  { subject, asks }: Pick<Approval, "subject" | "asks">,
  now: Asking,
): boolean {
  const { rules: _, ...was } = boundOf(subject);
  const { rules: __, ...is } = boundNow(core, run, { ...now, asks: [...asks, ...now.asks] });
  return digest(was) === digest(is);
}

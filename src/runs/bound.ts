import type { Ask } from "#policy/decision.ts";
import { digest } from "#policy/digest.ts";
import type { Approval } from "./approval.ts";
import type { Core } from "./core.ts";
import type { Run } from "./run.ts";

/** What the rules bind a yes to beside the exact bytes: the commit the run starts from, the digest of the whole policy. */
export type Bound = Readonly<Partial<Record<"base" | "policy", string>>>;

type Subject = Readonly<Record<string, unknown>>;

/** What the questions bind a yes to, as it is now. */
export function boundNow(
  core: Pick<Core, "policy">,
  run: Pick<Run, "baseOid">,
  asks: readonly Pick<Ask, "binds">[],
): Bound {
  const to = new Set(asks.flatMap(({ binds }) => binds));
  const current = core.policy();
  return {
    ...(to.has("base") ? { base: run.baseOid ?? "none" } : {}),
    ...(to.has("policy") ? { policy: current.ok ? current.policy.digest : "unreadable" } : {}),
  };
}

/** The subject with what its yes is bound to, so that people see it and the digest covers it. */
export function withBound({ bound: _, ...subject }: Subject, bound: Bound): Subject {
  return Object.keys(bound).length === 0 ? subject : { ...subject, bound };
}

/** Whether two subjects are about the same act, whatever a yes to them was bound to. */
export const sameAct = (a: Subject, b: Subject): boolean => digest(withBound(a, {})) === digest(withBound(b, {}));

/** Whether what this question was bound to is as it was when it was put. Nothing else that changes voids it. */
export const stillBound = (
  core: Pick<Core, "policy">,
  run: Pick<Run, "baseOid">,
  { subject, asks }: Pick<Approval, "subject" | "asks">,
  now: readonly Pick<Ask, "binds">[] = [],
): boolean => digest(subject.bound ?? {}) === digest(boundNow(core, run, [...asks, ...now]));

import type { EgressRule } from "#policy/egress.ts";
import type { Scope } from "#policy/scope.ts";
import type { GrantedRule } from "#ports/gateway.ts";
import { answers } from "#runs/approval/answers.ts";
import { give } from "#runs/approval/yes.ts";
import { bind, secretSubject } from "#runs/bind.ts";
import { boundNow, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, allow } from "#runs/decision/allow.ts";
import { scopeNow } from "#runs/decision/narrow.ts";
import { allotNow } from "#runs/money/allot.ts";
import { decidedAnew } from "#runs/record/decided-anew.ts";
import type { Run } from "#runs/run.ts";
import type { Slot } from "#runs/slot.ts";
import type { Amount } from "#runs/stores.ts";
import { allowedHosts, askableNow } from "./hosts.ts";

/** A secret as a sandbox has it: under this name an opaque value, which the gateway swaps on its way out. */
export interface PlacedSecret {
  readonly name: string;
  readonly variable: string;
  readonly placeholder: string;
}

/** What one sandbox may reach now. */
export interface Granted {
  readonly egress: readonly GrantedRule[];
  readonly secrets: readonly PlacedSecret[];
  readonly askable: readonly EgressRule[];
  /** Of the run, over all its sandboxes. */
  readonly budget: Amount;
}

export const secretNames = ({ egress }: Pick<Scope, "egress">): readonly string[] =>
  [...new Set(egress.flatMap(({ secret }) => secret?.name ?? []))].sort();

/**
 * What is open to the sandbox: what both policies give, without the hosts of secrets that it does not get, and with the
 * hosts that people allowed for this run. A sandbox that checks the result gets no secret. Computed anew with each grant
 * out of the record, so that a crash, a narrowing and the end of a yes need no second place.
 */
export async function granted(core: Core, run: Run, sandbox: string, slot: Slot): Promise<Granted> {
  const now = scopeNow(core, run);
  const given = slot === "agent" ? await secretsGiven(core, run, now, sandbox) : new Map<string, Given>();
  const own = now.egress.flatMap((rule): GrantedRule[] => {
    if (rule.secret === null) return [rule];
    const one = given.get(rule.secret.name);
    return one === undefined ? [] : [{ ...rule, ...untilOf(one) }];
  });
  const asked = (await allowedHosts(core, run, sandbox)).map(({ rule, until }) => ({ ...rule, ...untilOf({ until }) }));
  return {
    egress: [...own, ...asked],
    secrets: [...given.keys()].map((name, index, all) => ({
      name,
      variable: variableOf(name, all.slice(0, index)),
      placeholder: core.tokenFor(`${sandbox}/secret/${name}`),
    })),
    askable: slot === "agent" ? askableNow(core, run) : [],
    // A sandbox that checks the result calls no model.
    budget: slot === "agent" ? await allotNow(core, run) : { usd: now.limits.costUsd, tokens: now.limits.tokens },
  };
}

/** `until`: when it ends before the run does. */
interface Given {
  readonly until: Date | null;
}

/** The secrets of the run that its sandbox gets now, by name. What policy says of each is recorded where it is news. */
async function secretsGiven(core: Core, run: Run, now: Scope, sandbox: string): Promise<Map<string, Given>> {
  const asked: { about: string; subject: string; decision: Answer }[] = [];
  // Also of those whose hosts policy has taken away since.
  for (const name of run.scope === null ? [] : secretNames(run.scope)) {
    const decision = await allow(core, run, [{ subject: "secret.name", secret: name }]);
    asked.push({ about: "secret", subject: name, decision });
  }
  await decidedAnew(core, run, asked);
  const given = new Map<string, Given>();
  const left = secretNames(now);
  for (const { subject: name, decision } of asked) {
    const one = left.includes(name) ? await secretGiven(core, run, name, decision, sandbox) : null;
    if (one !== null) given.set(name, one);
  }
  return given;
}

const untilOf = ({ until }: { readonly until: Date | null }): { readonly until?: string } =>
  until === null ? {} : { until: until.toISOString() };

const variable = (name: string): string => `SECRET_${name.toUpperCase().replace(/[^A-Z0-9]+/g, "_")}`;

/** "SECRET_CMS_READ"; numbered when another name of the run has become the same. */
function variableOf(name: string, before: readonly string[]): string {
  const same = before.filter((other) => variable(other) === variable(name)).length;
  return same === 0 ? variable(name) : `${variable(name)}_${same + 1}`;
}

/** What stands for the secrets inside, as variables of every process there. */
export const secretEnv = ({ secrets }: Pick<Granted, "secrets">): Readonly<Record<string, string>> =>
  Object.fromEntries(secrets.map(({ variable: name, placeholder }) => [name, placeholder]));

/** Whether the sandbox gets the secret now, and until when; `null`: it does not. */
async function secretGiven(
  core: Core,
  run: Run,
  name: string,
  decision: Answer,
  sandbox: string,
): Promise<Given | null> {
  if (decision.outcome === "deny") return null;
  if (decision.outcome === "allow") return { until: null };
  const digest = bind("secret", run, withBound(secretSubject(run, name), boundNow(core, run, decision)));
  for (const approval of await core.stores.approvals.ofRun(run.id)) {
    if (approval.gate !== "secret" || approval.digest !== digest) continue;
    if (!(await answers(core, run, approval, decision))) continue;
    const one = await give(core, run, approval, sandbox, decision.asks);
    if (one !== null) return one;
  }
  return null;
}

import type { Ask } from "#policy/decision.ts";
import type { Approval } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { record } from "#runs/record/record.ts";
import type { Run } from "#runs/run.ts";
import type { Effect } from "#runs/stores.ts";

const least = (values: readonly (number | null)[]): number | null => {
  const given = values.filter((value) => value !== null);
  return given.length === 0 ? null : Math.min(...given);
};

/** Under this an effect says that a yes was given to somebody: a sandbox, an agent's one question. */
export const grantKey = (approval: Pick<Approval, "id">, to: string): string => `grant:${approval.id}:${to}`;

type Granting = readonly Pick<Ask, "grants">[];

/** When a yes that was given for a while ends, by the rules it was asked by and those of now; `null`: it has no end of its own. */
function endOf({ asks, closedAt }: Approval, now: Granting): Date | null {
  const ms = least([...asks, ...now].map(({ grants }) => grants.ms));
  return ms === null || closedAt === null ? null : new Date(closedAt.getTime() + ms);
}

/**
 * Whether a yes still gives something (`null`: to a sandbox that is yet to be made). A use is one sandbox that was given
 * it: how often what is in there uses it is not counted, for one piece of work makes many requests. Of a command a use is
 * one time that the agent asked to run it. `now`: what policy asks now, which may grant less than it did.
 */
export function stands(
  core: Pick<Core, "clock">,
  approval: Approval,
  effects: readonly Effect[],
  to: string | null,
  now: Granting = [],
): boolean {
  if (approval.status !== "approved") return false;
  const end = endOf(approval, now);
  if (end !== null && end <= core.clock.now()) return false;
  const uses = least([...approval.asks, ...now].map(({ grants }) => (grants.for === "once" ? 1 : grants.uses)));
  const given = effects.filter(({ key }) => key.startsWith(grantKey(approval, "")));
  return uses === null || given.length < uses || given.some(({ key }) => key === grantKey(approval, to ?? "-"));
}

/**
 * The same for an agent's question about a command: what was given away to it before a crash is given to it again, also
 * after the yes has ended, for it may be running already.
 */
export const spendable = (
  core: Pick<Core, "clock">,
  approval: Approval,
  effects: readonly Effect[],
  asking: string,
  now: Granting,
): boolean =>
  stands(core, approval, effects, asking, now) ||
  (approval.status === "approved" && effects.some(({ key }) => key === grantKey(approval, asking)));

/**
 * Gives what was approved to the sandbox, and records that it did, once. `until`: when it ends before the run does.
 * `null`: the yes is spent or over. Throws `Fenced` when another worker has the run.
 */
export async function give(
  core: Core,
  run: Run,
  approval: Approval,
  sandbox: string,
  now: Granting,
): Promise<{ readonly until: Date | null } | null> {
  const effects = await core.stores.effects.ofRun(run.id);
  if (!stands(core, approval, effects, sandbox, now)) return null;
  const key = grantKey(approval, sandbox);
  const before = effects.find((effect) => effect.key === key) ?? (await core.stores.effects.intend(key, run));
  if (before.state !== "done") {
    await core.store.tx(async (tx) => {
      await core.stores.effects.done(tx, key, run, null);
      await record(core, tx, run.id, run.epoch, [
        { kind: "grant.used", approval: approval.id, digest: approval.digest },
      ]);
    });
  }
  return { until: endOf(approval, now) };
}

import type { Approval } from "./approval.ts";
import type { Core } from "./core.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";
import type { Effect } from "./stores.ts";

const least = (values: readonly (number | null)[]): number | null => {
  const given = values.filter((value) => value !== null);
  return given.length === 0 ? null : Math.min(...given);
};

const prefixOf = (approval: Pick<Approval, "id">): string => `grant:${approval.id}:`;

/** When a yes that was given for a while ends; `null`: it has no end of its own. */
function endOf({ asks, closedAt }: Approval): Date | null {
  const ms = least(asks.map(({ grants }) => grants.ms));
  return ms === null || closedAt === null ? null : new Date(closedAt.getTime() + ms);
}

/**
 * Whether a yes still gives something to the sandbox (`null`: to one that is yet to be made). A use is one sandbox that
 * was given it: how often what is in there uses it is not counted, for one piece of work makes many requests.
 */
export function stands(
  core: Pick<Core, "clock">,
  approval: Approval,
  effects: readonly Effect[],
  sandbox: string | null,
): boolean {
  if (approval.status !== "approved") return false;
  const end = endOf(approval);
  if (end !== null && end <= core.clock.now()) return false;
  const uses = least(approval.asks.map(({ grants }) => (grants.for === "once" ? 1 : grants.uses)));
  const given = effects.filter(({ key }) => key.startsWith(prefixOf(approval)));
  return uses === null || given.length < uses || given.some(({ key }) => key === `${prefixOf(approval)}${sandbox}`);
}

/**
 * Gives what was approved to the sandbox, and records that it did, once. `until`: when it ends before the run does.
 * `null`: the yes is spent or over. Throws `Fenced` when another worker has the run.
 */
export async function give(
  core: Core,
  run: Run,
  approval: Approval,
  sandbox: string,
): Promise<{ readonly until: Date | null } | null> {
  const effects = await core.stores.effects.ofRun(run.id);
  if (!stands(core, approval, effects, sandbox)) return null;
  const key = `${prefixOf(approval)}${sandbox}`;
  const before = effects.find((effect) => effect.key === key) ?? (await core.stores.effects.intend(key, run));
  if (before.state !== "done") {
    await core.store.tx(async (tx) => {
      await core.stores.effects.done(tx, key, run, null);
      await record(core, tx, run.id, run.epoch, [
        { kind: "grant.used", approval: approval.id, digest: approval.digest },
      ]);
    });
  }
  return { until: endOf(approval) };
}

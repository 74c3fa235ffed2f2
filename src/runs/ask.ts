import type { Ask } from "#policy/decision.ts";
import { groupOf, type Policy } from "#policy/policy.ts";
import { DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import type { Approval, Gate, OpenAsk } from "./approval.ts";
import type { Core } from "./core.ts";
import { newId } from "./ids.ts";
import { record } from "./record.ts";
import type { Run } from "./run.ts";
import { tell } from "./tell.ts";

/** Who is in each ask's group now. Done before the transaction: the directory is outside. Throws `DirectoryUnavailable`. */
export function withMembers(core: Core, policy: Policy, run: Run, asks: readonly Ask[]): Promise<OpenAsk[]> {
  return Promise.all(asks.map(async (ask) => ({ ...ask, members: await membersOf(core, policy, run, ask.from) })));
}

/** Throws `DirectoryUnavailable`, also for a group that the policy of the run's start had and the one in force has not. */
export async function membersOf(
  core: Core,
  policy: Policy,
  run: Pick<Run, "place">,
  from: string,
): Promise<readonly ExternalId[]> {
  const group = groupOf(policy, from);
  if (group === null) throw new DirectoryUnavailable(`policy has no ${from}`);
  return core.directory.members(group, run.place.workspace);
}

/** Opens a question about exact bytes, or returns the one that is pending about the same. */
export async function open(
  core: Core,
  tx: Tx,
  run: Run,
  gate: Gate,
  subject: Readonly<Record<string, unknown>>,
  digest: string,
  asks: readonly OpenAsk[],
  epoch: number | null,
): Promise<Approval> {
  const pending = await core.stores.approvals.pendingOf(tx, run.id);
  const same = pending.find((approval) => approval.gate === gate && approval.digest === digest);
  if (same) return same;
  const now = core.clock.now();
  const approval = await core.stores.approvals.open(tx, {
    id: newId(now),
    runId: run.id,
    gate,
    digest,
    subject,
    asks,
    expiresAt: new Date(now.getTime() + Math.min(...asks.map((ask) => ask.expiresMs))),
  });
  await record(core, tx, run.id, epoch, [
    {
      kind: "approval.opened",
      approval: approval.id,
      gate,
      digest,
      subject: { ...subject },
      asks: asks.map(({ from, quorum, self, rule }) => ({ from, quorum, self, rule: { ...rule } })),
      askNo: approval.askNo,
      expiresAt: approval.expiresAt.toISOString(),
    },
  ]);
  await tell(core, tx, run, "approval", approval.id);
  await tell(core, tx, run, "status");
  return approval;
}

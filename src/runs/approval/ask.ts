import type { Ask } from "#policy/decision.ts";
import { groupOf, type Policy } from "#policy/policy.ts";
import { DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import { type Approval, GATE_WORDS, type Gate } from "#runs/approval.ts";
import { asPut, otherRules, sameAct } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import type { EventBody } from "#runs/event.ts";
import { newId } from "#runs/ids.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import { type Run, workspaceOf } from "#runs/run.ts";
import type { MembersNow, OpenAsk } from "#runs/seat.ts";
import { accountsOf, ownersAsks } from "./owners.ts";

/**
 * The asks as questions that can be put: with who is in each group now, those to code owners with who owns what. Done before
 * the transaction: the directory is outside. Throws `DirectoryUnavailable`.
 */
export async function withMembers(core: Core, policy: Policy, run: Run, asks: readonly Ask[]): Promise<OpenAsk[]> {
  const workspace = workspaceOf(run);
  const of = (from: string) => membersOf(core, policy, workspace, from);
  const open = await Promise.all(
    asks.map((ask) =>
      ask.from === "codeowners"
        ? ownersAsks(core, policy, run, workspace, ask, of)
        : of(ask.from).then((members): OpenAsk[] => [{ ...ask, members }]),
    ),
  );
  return open.flat();
}

/** The same questions put anew: nobody has stepped in yet, and who is in their groups is read again. */
export async function anew(core: Core, policy: Policy, run: Run, asks: readonly OpenAsk[]): Promise<OpenAsk[]> {
  return Promise.all(
    asks.map(async (ask) => {
      const { members } = await membersNow(core, policy, workspaceOf(run), { ...ask, escalate: null });
      return { ...untouched(ask), members };
    }),
  );
}

/** Without what has become of it since it was put. */
export function untouched({ escalated: _, delegates: __, ...ask }: OpenAsk): OpenAsk {
  return ask;
}

/** Who may answer one open question right now. Throws `DirectoryUnavailable`. */
export async function membersNow(core: Core, policy: Policy, workspace: string, ask: OpenAsk): Promise<MembersNow> {
  const owners = ask.owners ?? [];
  const [members, escalated] = await Promise.all([
    owners.length > 0
      ? accountsOf(core, workspace, owners).then((found) => found.members)
      : membersOf(core, policy, workspace, ask.from),
    ask.escalated === undefined || ask.escalate === null ? [] : membersOf(core, policy, workspace, ask.escalate.to),
  ]);
  return { members, escalated };
}

/** Throws `DirectoryUnavailable`, also for a group that the policy of the run's start had and the one in force has not. */
export async function membersOf(
  core: Core,
  policy: Policy,
  workspace: string,
  from: string,
): Promise<readonly ExternalId[]> {
  const group = groupOf(policy, from);
  if (group === null) throw new DirectoryUnavailable(`policy has no ${from}`);
  return core.directory.members(group, workspace);
}

/**
 * Opens a question about exact bytes, or returns the one that is pending about the same. One about the same act whose yes
 * would be bound to what is no longer so is void with that.
 */
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
  for (const other of pending) {
    if (other.gate !== gate || !sameAct(other.subject, subject)) continue;
    await core.stores.approvals.close(tx, other.id, "void");
    const changed = otherRules(other, asPut({ subject, asks }));
    await record(core, tx, run.id, epoch, [
      { kind: "approval.closed", approval: other.id, status: "void" },
      ...(changed ? [rulesChanged(gate)] : []),
    ]);
    await tell(core, tx, run, "approval", other.id);
  }
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
      asks: asks.map(asRecorded),
      askNo: approval.askNo,
      expiresAt: approval.expiresAt.toISOString(),
    },
  ]);
  await tell(core, tx, run, "approval", approval.id);
  await tell(core, tx, run, "status");
  return approval;
}

/** Why a question is put anew. */
export const rulesChanged = (gate: Gate): EventBody => ({
  kind: "notice",
  text: `The rule that asks about ${GATE_WORDS[gate]} has changed: the question is put anew, and what was answered so far counts no more.`,
});

/** A question as the record keeps it: what is not said in it is as it is for most. */
function asRecorded(ask: OpenAsk): Extract<EventBody, { kind: "approval.opened" }>["asks"][number] {
  const { from, quorum, self, rule, escalate, delegate, grants, paths, owners, unknown } = ask;
  const bounded = grants.for === "once" || grants.uses !== null || grants.ms !== null;
  return {
    from,
    quorum,
    self,
    rule: { ...rule },
    ...(escalate === null ? {} : { escalate: { ...escalate } }),
    ...(delegate ? { delegate } : {}),
    ...(bounded ? { grants: { ...grants } } : {}),
    ...(owners === undefined ? {} : { paths: [...(paths ?? [])], owners: [...owners] }),
    ...(unknown === undefined || unknown.length === 0 ? {} : { unknown: [...unknown] }),
  };
}

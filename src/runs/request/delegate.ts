import type { Place } from "#ports/chat.ts";
import { type Account, DirectoryUnavailable, type ExternalId } from "#ports/directory.ts";
import { putNow } from "#runs/approval/put-now.ts";
import { rebound } from "#runs/approval/rebind.ts";
import { type Approval, VOTE_REFUSALS, type VoteRefusal } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { type DelegationRefusal, judgeNaming } from "#runs/delegation.ts";
import { authorsOn } from "#runs/record/authors.ts";
import { refusedOf, titled } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { Run } from "#runs/run.ts";
import type { Partly, View } from "#runs/view.ts";
import { liveMembers, refusalOf } from "./vote.ts";

export interface Handover {
  readonly run: Run;
  readonly account: Account;
  /** Id of the account that is to answer, on the workspace of `account`; `null`: the words named none. */
  readonly to: string | null;
  readonly place: Place;
}

/**
 * Names somebody to answer in the speaker's place, for every open question of the run that the speaker is asked and whose
 * rule lets them. Always returns what to tell the speaker. Nothing that is said here reaches the agent.
 */
export async function delegate(core: Core, handover: Handover): Promise<View> {
  const { run, account } = handover;
  if (account.kind !== "member") return refusedOf(core, run, { code: "guest" });
  const open = (await core.stores.approvals.ofRun(run.id)).filter(({ status }) => status === "pending");
  const [first] = open;
  const refuse = (code: DelegationRefusal): View => refusedOf(core, run, refusal(code, open));
  if (first === undefined) return refuse("nothing_asked");
  let to: Account | null;
  try {
    to = handover.to === null ? null : await core.directory.account({ ...idOf(account), id: handover.to });
  } catch (error) {
    if (!(error instanceof DirectoryUnavailable)) throw error;
    return refusedOf(core, run, { code: "directory_unavailable" });
  }
  if (to === null || to.kind !== "member") return refuse("no_such_delegate");
  const handed: Partly["handed"][number][] = [];
  const kept: Partly["kept"][number][] = [];
  for (const approval of open) {
    const refused = await nameOne(core, run, approval, handover, to);
    if (refused === null) handed.push(titleOf(approval));
    else kept.push({ ...titleOf(approval), refusal: refused });
  }
  core.nudge();
  const [why] = kept;
  if (handed.length === 0 && why !== undefined) return refusedOf(core, run, why.refusal);
  const noted: View = { kind: "noted", what: "delegated", run: titled(core, run) };
  return kept.length === 0 ? noted : { ...noted, partly: { handed, kept } };
}

function titleOf({ gate, subject }: Approval): Partly["handed"][number] {
  const name = subject[gate];
  return { gate, name: typeof name === "string" ? name : null };
}

const idOf = ({ provider, workspace, id }: ExternalId): ExternalId => ({ provider, workspace, id });

/** `null`: it is handed over. */
async function nameOne(core: Core, run: Run, known: Approval, by: Handover, to: Account): Promise<Refusal | null> {
  const membersNow = await liveMembers(core, known, by);
  if (membersNow === null) return { code: "directory_unavailable" };
  const put = await putNow(core, known);
  return core.store.tx(async (tx): Promise<Refusal | null> => {
    const locked = await core.stores.runs.lock(tx, run.id);
    const approval = await core.stores.approvals.lock(tx, known.id);
    if (!locked || !approval) return { code: "unknown_approval" };
    const refused = (code: VoteRefusal): Promise<Refusal> => refusalOf(core, tx, locked, approval, by.account, code);
    if (await rebound(core, tx, locked, approval, put)) return refused("stale");
    const account = idOf(by.account);
    const person = await core.stores.people.resolve(tx, core.orgId, account, by.account.name);
    const delegate = {
      person: await core.stores.people.resolve(tx, core.orgId, idOf(to), to.name),
      account: idOf(to),
    };
    const named = judgeNaming(approval, await core.stores.approvals.votes(tx, approval.id), {
      person,
      account,
      authors: await authorsOn(core, tx, locked, account),
      membersNow,
      to: delegate,
      now: core.clock.now(),
    });
    if (named.refused !== null) {
      return isVoteRefusal(named.refused) ? refused(named.refused) : refusal(named.refused, [approval]);
    }
    if (named.fresh) {
      await core.stores.approvals.amend(tx, approval.id, named.asks);
      await record(core, tx, run.id, null, [
        { kind: "approval.delegated", approval: approval.id, by: person, to: delegate.person, account: to.id },
      ]);
      await tell(core, tx, locked, "delegated", `${approval.id} ${delegate.person.id}`);
      await tell(core, tx, locked, "approval", approval.id);
      await tell(core, tx, locked, "status");
    }
    return null;
  });
}

const isVoteRefusal = (code: VoteRefusal | DelegationRefusal): code is VoteRefusal =>
  (VOTE_REFUSALS as readonly string[]).includes(code);

const refusal = (code: DelegationRefusal, open: readonly Approval[]): Refusal => ({
  code,
  from: [...new Set(open.flatMap(({ asks }) => asks.map((ask) => ask.from)))],
  rule: open[0]?.asks[0]?.rule.at ?? "",
});

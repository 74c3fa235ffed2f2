import type { Place } from "#ports/chat.ts";
import type { Account, ExternalId } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import { notLinked, unlinkedOf, wanted } from "#runs/account/linked.ts";
import { membersNow } from "#runs/approval/ask.ts";
import { putNow } from "#runs/approval/put-now.ts";
import { giveBack, rebound } from "#runs/approval/rebind.ts";
import { type Approval, type Choice, type Click, type Gate, judge, type VoteRefusal } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { authorsOn } from "#runs/record/authors.ts";
import type { HandOff } from "#runs/record/hand-off.ts";
import { refusedOf, titled } from "#runs/record/look.ts";
import { move } from "#runs/record/move.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { Person, Run } from "#runs/run.ts";
import { hostAnswered } from "#runs/sandbox/hosts.ts";
import { regrantRun } from "#runs/sandbox/regrant.ts";
import type { MembersNow } from "#runs/seat.ts";
import { queueOf } from "#runs/state.ts";
import { noMore } from "#runs/turn/budget.ts";
import type { View } from "#runs/view.ts";

export interface Cast {
  readonly approvalId: string;
  /** What the clicked card showed. */
  readonly digest: string;
  readonly account: Account;
  readonly choice: Choice;
  readonly reason: string | null;
  readonly place: Place;
}

/** One click, from lock to answer, in one transaction. Always returns what to tell the clicker. */
export async function vote(core: Core, cast: Cast): Promise<View> {
  const known = await core.stores.approvals.get(cast.approvalId);
  if (!known) return { kind: "refused", refusal: { code: "unknown_approval" } };
  const members = await liveMembers(core, known, cast);
  const put = known.status === "pending" ? await putNow(core, known) : null;
  const asked = await core.stores.runs.get(known.runId);
  const links = asked === null ? [] : await wanted(core, asked, "approvers");
  const view = await core.store.tx(async (tx): Promise<View> => {
    // Run before approval, always in this order: parking takes the same lock, so a vote before it cannot be lost.
    const run = await core.stores.runs.lock(tx, known.runId);
    const approval = await core.stores.approvals.lock(tx, known.id);
    if (!run) return { kind: "refused", refusal: { code: "unknown_approval" } };
    if (!approval) return refusedOf(core, run, { code: "unknown_approval" });
    const person = await core.stores.people.resolve(tx, core.orgId, cast.account, cast.account.name);
    const refuse = async (code: VoteRefusal | "directory_unavailable" | "not_a_member"): Promise<View> => {
      await record(core, tx, run.id, null, [
        { kind: "approval.refused", approval: approval.id, by: person, choice: cast.choice, code },
      ]);
      return refusedOf(core, run, await refusalOf(core, tx, run, approval, cast.account, code));
    };
    if (cast.account.kind !== "member") return refuse("not_a_member");
    if (members === null) return refuse("directory_unavailable");
    // The card that was clicked shows what is no longer so.
    if (await rebound(core, tx, run, approval, put)) return refuse("stale");
    const click: Click = {
      person,
      account: cast.account,
      choice: cast.choice,
      digest: cast.digest,
      now: core.clock.now(),
      authors: await authorsOn(core, tx, run, cast.account),
      membersNow: members,
    };
    const verdict = judge(approval, await core.stores.approvals.votes(tx, approval.id), click);
    if (verdict.refused !== null) return refuse(verdict.refused);
    // A no needs no proof of an account elsewhere: it opens nothing.
    const lack = cast.choice === "approve" ? await unlinkedOf(core, tx, links, [person]) : null;
    if (lack !== null) {
      await record(core, tx, run.id, null, [
        { kind: "approval.refused", approval: approval.id, by: person, choice: cast.choice, code: "not_linked" },
      ]);
      return refusedOf(core, run, notLinked(lack, "answer"));
    }
    const fresh = await core.stores.approvals.vote(tx, {
      approvalId: approval.id,
      person,
      account: cast.account,
      choice: cast.choice,
      reason: cast.reason,
    });
    if (!fresh) return refuse("already_voted");
    await record(core, tx, run.id, null, [
      {
        kind: "approval.voted",
        approval: approval.id,
        by: person,
        choice: cast.choice,
        reason: cast.reason,
        digest: approval.digest,
      },
    ]);
    if (verdict.status !== "pending") await close(core, tx, run, approval, verdict.status, person, cast.reason);
    await tell(core, tx, run, "approval", approval.id);
    await tell(core, tx, run, "status");
    return { kind: "noted", what: cast.choice === "approve" ? "approved" : "denied", run: titled(core, run) };
  });
  core.nudge();
  if (known.gate === "host" && view.kind === "noted") await openHost(core, known.runId);
  return view;
}

/** The way is open when the clicker reads so. When the gateway is away, the next round of grants opens it. */
async function openHost(core: Core, runId: string): Promise<void> {
  try {
    const run = await core.stores.runs.get(runId);
    if (run) await regrantRun(core, run);
  } catch (error) {
    core.log("an allowed host is not open yet", { run: runId, error: String(error) });
  }
}

/** After a no to these the run goes on, without what was asked for. */
const GOES_ON: readonly Gate[] = ["command", "secret"];

/** Decided: the approval is closed and whatever waits for it goes on. */
async function close(
  core: Core,
  tx: Tx,
  run: Run,
  approval: Approval,
  status: "approved" | "denied",
  by: Person,
  reason: string | null,
): Promise<void> {
  await core.stores.approvals.close(tx, approval.id, status);
  await record(core, tx, run.id, null, [{ kind: "approval.closed", approval: approval.id, status }]);
  const why =
    status === "approved"
      ? `${approval.gate} approved`
      : `${approval.gate} denied${reason === null ? "" : `: ${reason}`}`;
  if (run.state === "waiting" && approval.gate === "start") {
    const open = (await core.stores.approvals.pendingOf(tx, run.id)).filter((one) => one.gate === "start");
    if (status === "denied") await move(core, tx, run, "denied", { by, why, epoch: null, patch: { wakeAt: null } });
    else if (open.length === 0) await move(core, tx, run, "queued", { by, why, epoch: null, patch: { wakeAt: null } });
    return;
  }
  // Nothing waits for it.
  if (approval.gate === "host") return hostAnswered(core, tx, run, approval, status, by);
  if (run.state === "suspended" && (status === "approved" || GOES_ON.includes(approval.gate))) {
    // An agent goes on after either answer, as soon as a place is free, and meets a no when it asks again. A result needs
    // no place to be published.
    const to = run.resumeTo === "publishing" ? "publishing" : "queued";
    await move(core, tx, run, to, { by, why, epoch: null, patch: { wakeAt: null } });
    return;
  }
  if (run.state === "suspended") {
    await move(core, tx, run, "handed_off", {
      by,
      why,
      epoch: null,
      events: [
        {
          kind: "run.handed_off",
          ...(approval.gate === "budget" ? noMore(run, approval, by, reason) : saidNo(run, by, reason)),
          branch: run.pullRequest === null ? null : run.branch,
        },
      ],
    });
    return;
  }
  // Still at work, or a denial that its owner must act on: it looks for itself.
  if (approval.gate === "command") await giveBack(core, tx, run, approval);
  await core.engine.wake(tx, run.id, queueOf(run.state));
}

const saidNo = (run: Run, by: Person, reason: string | null): HandOff => ({
  fault: "policy",
  tried: run.text,
  failed: `${by.name} said no${reason === null ? "." : `: ${reason}`}`,
  next: "The run page has the diff so far. Ask again with what the approver needs.",
});

/** Who may answer each ask right now; `null`: that cannot be known. */
export async function liveMembers(
  core: Core,
  approval: Approval,
  { account }: Pick<Cast, "account">,
): Promise<readonly MembersNow[] | null> {
  const current = core.policy();
  if (!current.ok) return null;
  try {
    return await Promise.all(approval.asks.map((ask) => membersNow(core, current.policy, account.workspace, ask)));
  } catch (cause) {
    core.log("approvers could not be read", { approval: approval.id, error: String(cause) });
    return null;
  }
}

/** A refusal with what its words need: who may answer, by which rule, who was first. */
export async function refusalOf(
  core: Core,
  tx: Tx,
  run: Run,
  approval: Approval,
  on: ExternalId,
  code: VoteRefusal | "directory_unavailable" | "not_a_member",
): Promise<Refusal> {
  if (code === "directory_unavailable") return { code };
  if (code === "not_a_member") return { code: "guest" };
  const votes = await core.stores.approvals.votes(tx, approval.id);
  const last = votes.at(-1) ?? null;
  const unlinked =
    code === "author_unlinked"
      ? (await authorsOn(core, tx, run, on)).find((author) => author.account === null)
      : undefined;
  return {
    code,
    from: approval.asks.map((ask) => ask.from),
    rule: approval.asks[0]?.rule.at ?? "",
    who: unlinked?.person.name ?? last?.person.name ?? null,
    at: approval.closedAt ?? last?.at ?? null,
    status: approval.status,
  };
}

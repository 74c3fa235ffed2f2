import type { Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import { anew, open } from "#runs/approval/ask.ts";
import { type PutNow, putNow } from "#runs/approval/put-now.ts";
import { looksAt } from "#runs/approval/remind.ts";
import type { Approval, OpenAsk } from "#runs/approval.ts";
import { addedWords, bind } from "#runs/bind.ts";
import { asPut, boundNow, stillBound, withBound } from "#runs/bound.ts";
import type { Core } from "#runs/core.ts";
import { unrecorded } from "#runs/decision/allow.ts";
import { refusedOf, titled } from "#runs/record/look.ts";
import { record } from "#runs/record/record.ts";
import { tell } from "#runs/record/tell.ts";
import type { Refusal } from "#runs/refusal.ts";
import type { Person, Run } from "#runs/run.ts";
import { AT_WORK } from "#runs/sandbox/hosts.ts";
import { sameAccount } from "#runs/seat.ts";
import type { View } from "#runs/view.ts";
import { standingIn } from "./standing.ts";

/**
 * The same bytes, bound to what is so now; of a start, with what was said in the thread since it was asked. The run must be
 * locked.
 */
async function asItIsNow(
  core: Core,
  tx: Tx,
  run: Run,
  expired: Approval,
  put: PutNow | null,
): Promise<Pick<Approval, "subject" | "digest">> {
  const { gate, subject, digest } = expired;
  const added = gate === "start" ? addedWords(await core.stores.turns.all(run.id, tx)) : [];
  if (added.length === 0 && put === null && stillBound(core, run, expired)) return { subject, digest };
  const bound = boundNow(core, run, put ?? asPut(expired));
  const now = withBound(added.length === 0 ? subject : { ...subject, added }, bound);
  return { subject: now, digest: bind(gate, run, now) };
}

type Again = { readonly refused: Refusal } | { readonly asks: readonly OpenAsk[] };

/**
 * Who may ask again, with who may answer now: an author who still belongs to the run's team, and whoever may answer.
 * Nobody else, or anyone in the workspace could call the approvers. What cannot be known is a refusal.
 */
async function mayAsk(core: Core, run: Run, expired: Approval, account: Account, person: Person): Promise<Again> {
  if (account.kind !== "member") return { refused: { code: "guest" } };
  const current = core.policy();
  if (!current.ok) return { refused: { code: "policy_unavailable", problem: current.problem } };
  let asks: readonly OpenAsk[];
  try {
    asks = await anew(core, current.policy, run, expired.asks);
  } catch (cause) {
    core.log("approvers could not be read", { approval: expired.id, error: String(cause) });
    return { refused: { code: "directory_unavailable" } };
  }
  if (asks.some(({ members }) => members.some((member) => sameAccount(member, account)))) return { asks };
  const authors = await core.store.tx((tx) => core.stores.people.authors(tx, run.id));
  if (!authors.some(({ id }) => id === person.id)) {
    const from = asks.map((ask) => ask.from);
    return { refused: { code: "not_yours_to_ask_again", requester: run.requester.name, from } };
  }
  // The click came from the run's own thread, where a stranger's account is refused by its kind.
  if (account.kind !== "member") return { refused: { code: "guest" } };
  const here = await standingIn(core, current.policy, { account }, run.team);
  return "refused" in here ? here : { asks };
}

/** Opens an expired question anew, about the same bytes. Always returns what to tell the clicker. */
export async function askAgain(core: Core, o: { approvalId: string; account: Account; place: Place }): Promise<View> {
  const expired = await core.stores.approvals.get(o.approvalId);
  const run = expired && (await core.stores.runs.get(expired.runId));
  if (!run) return { kind: "refused", refusal: { code: "unknown_approval" } };
  const person = await core.store.tx((tx) => core.stores.people.resolve(tx, core.orgId, o.account, o.account.name));
  const may = await mayAsk(core, run, expired, o.account, person);
  if ("refused" in may) return refusedOf(core, run, may.refused);
  const put = await putNow(core, expired);
  const view = await core.store.tx(async (tx): Promise<View> => {
    const locked = await core.stores.runs.lock(tx, run.id);
    const old = await core.stores.approvals.lock(tx, expired.id);
    if (!locked || !old) return refusedOf(core, run, { code: "unknown_approval" });
    const parked = locked.state === "waiting" || locked.state === "suspended";
    const inTime = parked || (old.gate === "host" && AT_WORK.includes(locked.state));
    if (!inTime || locked.cancelRequestedBy !== null) {
      return refusedOf(core, locked, { code: "run_over", number: locked.number, state: locked.state });
    }
    if (old.status !== "expired") return refusedOf(core, locked, decided(old));
    const { subject, digest } = await asItIsNow(core, tx, locked, old, put);
    const pending = await core.stores.approvals.pendingOf(tx, run.id);
    if (put !== null) await record(core, tx, run.id, null, await unrecorded(core, tx, `again:${old.id}`, put.told));
    const approval = await open(core, tx, locked, old.gate, subject, digest, put?.asks ?? may.asks, null);
    // Somebody pressed it a moment ago: theirs is the question, and it is asked once.
    if (!pending.some(({ id }) => id === approval.id)) {
      await record(core, tx, run.id, null, [{ kind: "approval.asked_again", approval: approval.id, by: person }]);
      if (parked) await core.stores.runs.patch(tx, locked, { wakeAt: looksAt(approval) });
      await tell(core, tx, locked, "approval", old.id);
    }
    return { kind: "noted", what: "asked_again", run: titled(core, locked) };
  });
  core.nudge();
  return view;
}

const decided = (approval: Approval): Refusal => ({
  code: "already_decided",
  from: approval.asks.map((ask) => ask.from),
  rule: approval.asks[0]?.rule.at ?? "",
  who: null,
  at: approval.closedAt,
  status: approval.status,
});

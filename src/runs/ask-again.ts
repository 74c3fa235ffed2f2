import type { Place } from "#ports/chat.ts";
import type { Account } from "#ports/directory.ts";
import type { Tx } from "#ports/store.ts";
import type { Approval } from "./approval.ts";
import { open, withMembers } from "./ask.ts";
import { addedWords, bind } from "./bind.ts";
import type { Core } from "./core.ts";
import { titled } from "./look.ts";
import type { Refusal } from "./refusal.ts";
import type { Run } from "./run.ts";
import { tell } from "./tell.ts";
import type { View } from "./view.ts";

/** The same bytes; of a start, with what was said in the thread since it was asked. The run must be locked. */
async function asItIsNow(
  core: Core,
  tx: Tx,
  run: Run,
  { gate, subject, digest }: Approval,
): Promise<Pick<Approval, "subject" | "digest">> {
  const added = gate === "start" ? addedWords(await core.stores.turns.all(run.id, tx)) : [];
  if (added.length === 0) return { subject, digest };
  const now = { ...subject, added };
  return { subject: now, digest: bind(gate, run, now) };
}

/** Opens an expired question anew, about the same bytes. Anyone who may speak in the conversation may ask again. */
export async function askAgain(core: Core, o: { approvalId: string; account: Account; place: Place }): Promise<View> {
  const expired = await core.stores.approvals.get(o.approvalId);
  if (!expired) return { kind: "refused", refusal: { code: "unknown_approval" } };
  if (o.account.kind !== "member") return { kind: "refused", refusal: { code: "guest" } };
  const run = await core.stores.runs.get(expired.runId);
  if (!run) return { kind: "refused", refusal: { code: "unknown_approval" } };
  const refuse = (code: "already_decided" | "run_over"): View => ({
    kind: "refused",
    refusal: code === "run_over" ? { code, number: run.number, state: run.state } : decided(expired),
  });
  if (run.state !== "waiting" && run.state !== "suspended") return refuse("run_over");
  if (expired.status !== "expired") return refuse("already_decided");
  const current = core.policy();
  if (!current.ok) return { kind: "refused", refusal: { code: "policy_unavailable", problem: current.problem } };
  const asks = await withMembers(core, current.policy, run, expired.asks);
  await core.store.tx(async (tx) => {
    const locked = await core.stores.runs.lock(tx, run.id);
    if (!locked || (locked.state !== "waiting" && locked.state !== "suspended")) return;
    const { subject, digest } = await asItIsNow(core, tx, locked, expired);
    const approval = await open(core, tx, locked, expired.gate, subject, digest, asks, null);
    await core.stores.runs.patch(tx, locked, { wakeAt: approval.expiresAt });
    await tell(core, tx, locked, "approval", expired.id);
  });
  core.nudge();
  return { kind: "noted", what: "asked_again", run: titled(core, run) };

  function decided(approval: typeof expired & {}): Refusal {
    return {
      code: "already_decided",
      from: approval.asks.map((ask) => ask.from),
      rule: approval.asks[0]?.rule.at ?? "",
      who: null,
      at: approval.closedAt,
      status: approval.status,
    };
  }
}

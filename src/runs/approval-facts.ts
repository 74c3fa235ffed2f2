import type { RuleRef } from "#policy/decision.ts";
import type { ApprovalState, Choice, Gate, VoteRefusal } from "./approval.ts";
import type { EventBody } from "./event.ts";
import type { Person } from "./run.ts";

/** A question as it was put; what is absent is as it is for most. */
export interface AskFacts {
  readonly from: string;
  readonly quorum: number;
  readonly self: boolean;
  readonly rule: RuleRef;
  readonly escalate?: { readonly afterMs: number; readonly to: string } | undefined;
  readonly delegate?: boolean | undefined;
  readonly grants?:
    | { readonly for: "run" | "once"; readonly uses: number | null; readonly ms: number | null }
    | undefined;
  /** Of code owners: the paths, who owns them, and of whom nobody was found. */
  readonly paths?: readonly string[] | undefined;
  readonly owners?: readonly string[] | undefined;
  readonly unknown?: readonly string[] | undefined;
}

export interface ApprovalFacts {
  readonly id: string;
  readonly gate: Gate;
  readonly digest: string;
  readonly subject: Readonly<Record<string, unknown>>;
  readonly asks: readonly AskFacts[];
  readonly askNo: number;
  readonly openedAt: Date;
  readonly expiresAt: Date;
  status: ApprovalState;
  closedAt: Date | null;
  /** Groups that may answer too, since nobody of another had decided in time. */
  readonly escalated: { readonly from: string; readonly to: string; readonly at: Date }[];
  /** Who answers in whose place. */
  readonly delegated: { readonly by: Person; readonly to: Person; readonly account: string; readonly at: Date }[];
  readonly votes: { readonly by: Person; readonly choice: Choice; readonly reason: string | null; readonly at: Date }[];
  readonly refused: {
    readonly by: Person;
    readonly code: VoteRefusal | "directory_unavailable" | "not_a_member" | "not_linked";
    readonly at: Date;
  }[];
}

/** Adds what happened to a question to what is known of a run's questions. */
export function foldApproval(
  approvals: ApprovalFacts[],
  body: Extract<EventBody, { approval: string; kind: `approval.${string}` }>,
  at: Date,
): void {
  if (body.kind === "approval.opened") {
    approvals.push({
      id: body.approval,
      gate: body.gate,
      digest: body.digest,
      subject: body.subject,
      asks: body.asks,
      askNo: body.askNo,
      openedAt: at,
      expiresAt: new Date(body.expiresAt),
      status: "pending",
      closedAt: null,
      escalated: [],
      delegated: [],
      votes: [],
      refused: [],
    });
    return;
  }
  const approval = approvals.find((one) => one.id === body.approval);
  if (!approval) return;
  if (body.kind === "approval.voted")
    approval.votes.push({ by: body.by, choice: body.choice, reason: body.reason, at });
  if (body.kind === "approval.refused") approval.refused.push({ by: body.by, code: body.code, at });
  if (body.kind === "approval.escalated") approval.escalated.push({ from: body.from, to: body.to, at });
  if (body.kind === "approval.delegated")
    approval.delegated.push({ by: body.by, to: body.to, account: body.account, at });
  if (body.kind === "approval.closed") {
    approval.status = body.status;
    approval.closedAt = at;
  }
}

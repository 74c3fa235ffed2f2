import type { Ask } from "#policy/decision.ts";
import type { Approval } from "#runs/approval.ts";
import type { Core } from "#runs/core.ts";
import { messageKey } from "#runs/record/tell.ts";
import type { Run } from "#runs/run.ts";
import type { OpenAsk } from "#runs/seat.ts";

/** When it was put, by our own clock. All its asks end together, with the first of them. */
const putAt = ({ asks, expiresAt }: Pick<Approval, "asks" | "expiresAt">): number =>
  expiresAt.getTime() - Math.min(...asks.map((ask) => ask.expiresMs));

/** When the people of a question are reminded, all of them when the first of its asks says so; `null`: it ends before. */
function remindsAt(approval: Approval): Date | null {
  const at = putAt(approval) + Math.min(...approval.asks.map((ask) => ask.remindMs));
  return at < approval.expiresAt.getTime() ? new Date(at) : null;
}

/** When one ask of a question goes to its next group; `null`: to none any more, or the question ends before that. */
export function escalatesAt(approval: Approval, { escalate, escalated }: OpenAsk): Date | null {
  if (escalate === null || escalated !== undefined) return null;
  const at = putAt(approval) + escalate.afterMs;
  return at < approval.expiresAt.getTime() ? new Date(at) : null;
}

/** When a question that was put just now is looked at next: to remind, to escalate, else to expire. */
export const looksAt = (approval: Approval): Date =>
  earliest(remindsAt(approval), ...approval.asks.map((ask) => escalatesAt(approval, ask))) ?? approval.expiresAt;

const GIVE_UP_MS = 7 * 86_400_000;

/** How long these questions are waited for at most, in milliseconds: the least of them, and with none of them policy's own. */
export function giveUpMs(core: Pick<Core, "policy">, asks: readonly Pick<Ask, "giveUpMs">[]): number {
  if (asks.length > 0) return Math.min(...asks.map((ask) => ask.giveUpMs));
  const current = core.policy();
  return current.ok ? current.policy.approvals.giveUpMs : GIVE_UP_MS;
}

/** The first of the moments that there are; `null`: there is none. */
export function earliest(...moments: readonly (Date | null)[]): Date | null {
  const times = moments.flatMap((at) => at?.getTime() ?? []);
  return times.length === 0 ? null : new Date(Math.min(...times));
}

/**
 * Of the open questions of a run: which are due to be put to their people once more, and when to look again. Each is
 * reminded of once, whoever asks and after any crash: the message itself says that it was wanted.
 */
export async function reminders(
  core: Core,
  run: Run,
  open: readonly Approval[],
): Promise<{ readonly due: readonly Approval[]; readonly next: Date | null }> {
  const now = core.clock.now();
  const due: Approval[] = [];
  const times: number[] = [];
  for (const approval of open) {
    const at = remindsAt(approval);
    const reminded = at === null || (await core.stores.outbox.get(messageKey(run, "reminder", approval.id))) !== null;
    if (!reminded && at <= now) due.push(approval);
    times.push((reminded || at <= now ? approval.expiresAt : at).getTime());
  }
  return { due, next: times.length === 0 ? null : new Date(Math.min(...times)) };
}

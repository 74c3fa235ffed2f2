import type { Approval } from "./approval.ts";
import type { Core } from "./core.ts";
import type { Run } from "./run.ts";
import { messageKey } from "./tell.ts";

/** When the people of a question are reminded; `null`: it ends before that, or policy cannot be read. */
function remindsAt(core: Pick<Core, "policy">, { asks, expiresAt }: Approval): Date | null {
  const current = core.policy();
  if (!current.ok) return null;
  const lastsMs = Math.min(...asks.map((ask) => ask.expiresMs));
  const at = expiresAt.getTime() - lastsMs + current.policy.approvals.remindMs;
  return at < expiresAt.getTime() ? new Date(at) : null;
}

/** When a question that was put just now is looked at next: to remind, else to expire. */
export const looksAt = (core: Pick<Core, "policy">, approval: Approval): Date =>
  remindsAt(core, approval) ?? approval.expiresAt;

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
    const at = remindsAt(core, approval);
    const reminded = at === null || (await core.stores.outbox.get(messageKey(run, "reminder", approval.id))) !== null;
    if (!reminded && at <= now) due.push(approval);
    times.push((reminded || at <= now ? approval.expiresAt : at).getTime());
  }
  return { due, next: times.length === 0 ? null : new Date(Math.min(...times)) };
}

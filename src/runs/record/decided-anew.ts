import { canonical, digest } from "#policy/digest.ts";
import type { Core } from "#runs/core.ts";
import { type Answer, type Decided, decided, unrecorded } from "#runs/decision/allow.ts";
import { redacted } from "#runs/redact.ts";
import type { Run } from "#runs/run.ts";
import { eventsOf } from "./look.ts";
import { record } from "./record.ts";

type Said = Pick<Decided, "about" | "subject" | "outcome" | "digest" | "request">;

/** Whether the record's last word on the same question is another one: its outcome, or the policy whose word it is. */
export function isNews(before: readonly Said[], told: Said): boolean {
  const question = ({ about, subject, request }: Said) => canonical([about, subject, request?.objects ?? null]);
  const last = before.findLast((one) => question(one) === question(told));
  return last?.outcome !== told.outcome || last.digest !== told.digest;
}

/**
 * Records what policy says about a run that is under way, of each act and subject, where that is news: it is asked with each
 * grant and each look, and answers otherwise once it has changed. That it could not be read is no decision. Throws
 * `Fenced` when another worker has the run.
 */
export async function decidedAnew(
  core: Core,
  run: Run,
  acts: readonly { readonly about: string; readonly subject: string; readonly decision: Answer }[],
): Promise<void> {
  const read = acts.filter(({ decision }) => decision.outcome !== "deny" || decision.reason !== "policy_unavailable");
  if (read.length === 0) return;
  const before = (await eventsOf(core, run.id)).flatMap(({ seq, body }) =>
    body.kind === "policy.decided" ? [{ seq, ...body }] : [],
  );
  const news = read
    .map(({ about, subject, decision }) => decided(about, subject, decision))
    .filter((told) => isNews(before, redacted(told, core.redact) as Decided));
  if (news.length === 0) return;
  // Named by what it follows: of two who found the same news one tells it, and what was so before may be so again.
  const after = before.at(-1)?.seq ?? 0;
  await core.store.tx(async (tx) => {
    for (const told of news) {
      const act = `${run.id} ${digest([told.about, told.subject, told.request ?? null])} after ${after}`;
      await record(core, tx, run.id, run.epoch, await unrecorded(core, tx, act, told));
    }
  });
}

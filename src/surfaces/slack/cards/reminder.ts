import type { View } from "#runs/view.ts";
import { actOf } from "./approval.ts";
import { actions, type Card, card, context, section } from "./blocks.ts";
import { called, calledInText } from "./call.ts";
import { name, openRun } from "./facts.ts";
import { code, inUtc, listed, moment, short } from "./text.ts";

/** One more word to the people of a question that nobody has answered. The buttons stay on its card, with what it shows. */
export function reminderCard({ run, facts, approval, groups }: Extract<View, { kind: "reminder" }>): Card {
  const act = actOf(run, approval);
  const people = listed([...new Set(approval.asks.map((ask) => called(ask.from, groups)))]);
  const requester = name(facts.request.by);
  return card(
    `Run ${run.number} still waits for ${calledInText(approval, groups)}: ${act.plain}, for ${requester}. Answer on its card in this thread until ${inUtc(approval.expiresAt)}.`,
    [
      section(
        `*Still waiting for ${people}: ${act.bold}*`,
        `${requester} waits. Approve or deny on its card in this thread.`,
      ),
      context(`digest ${code(short(approval.digest))}`, `expires ${moment(approval.expiresAt, "day")}`),
      actions(openRun(run)),
    ],
  );
}

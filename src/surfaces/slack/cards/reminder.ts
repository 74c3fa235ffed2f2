import type { View } from "#runs/view.ts";
import { actOf } from "./approval.ts";
import { actions, type Card, card, context, section } from "./blocks.ts";
import { called, calledInText, mayAnswer } from "./call.ts";
import { name, openRun } from "./facts.ts";
import { code, inUtc, listed, moment, short } from "./text.ts";

/** One more word to the people of a question that nobody has answered. The buttons stay on its card, with what it shows. */
export function reminderCard({ run, facts, approval, groups }: Extract<View, { kind: "reminder" }>): Card {
  const act = actOf(run, approval);
  const people = listed(mayAnswer(approval).map((from) => called(from, groups)));
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

/** Others may answer from now on: a group, since nobody had decided in time, or one person in the place of another. */
export function handedCard({
  run,
  facts,
  approval,
  groups,
  handed,
}: Extract<View, { kind: "escalated" | "delegated" }>): Card {
  const act = actOf(run, approval);
  const requester = name(facts.request.by);
  const { escalated } = approval;
  const [plain, title, why] =
    handed === null
      ? [
          calledInText({ asks: [], escalated }, groups),
          `Nobody has decided, so it goes to ${listed([...new Set(escalated.map(({ to }) => called(to, groups)))])} too`,
          `Who was asked at first may still answer. ${requester} waits.`,
        ]
      : [
          mention(handed),
          `${name(handed.by)} has ${mention(handed)} answer in their place`,
          `${name(handed.by)} was asked and named them for this one question. ${requester} waits.`,
        ];
  return card(
    `Run ${run.number} asks ${plain} to decide now: ${act.plain}, for ${requester}. Answer on its card in this thread until ${inUtc(approval.expiresAt)}.`,
    [
      section(
        `*${title}: ${act.bold}*`,
        why,
        "Approve or deny on its card in this thread: it shows all that a yes covers.",
      ),
      context(`digest ${code(short(approval.digest))}`, `expires ${moment(approval.expiresAt, "day")}`),
      actions(openRun(run)),
    ],
  );
}

/** Only an id of the right form becomes a mention. */
const mention = ({ to, account }: { readonly to: { readonly name: string }; readonly account: string }): string =>
  /^[UW][A-Z0-9]+$/.test(account) ? `<@${account}>` : name(to);

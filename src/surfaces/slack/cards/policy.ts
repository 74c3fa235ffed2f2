import { CAN_EXAMPLES } from "#policy/explain/can.ts";
import type { ExplainedObject, Explanation } from "#policy/explain/explain.ts";
import type { View } from "#runs/view.ts";
import { policyReason } from "#surfaces/slack/words.ts";
import { type Card, card, context, section } from "./blocks.ts";
import { pointName, ruleLine } from "./facts.ts";
import { code, count, listed, said, some } from "./text.ts";

type Of<K extends View["kind"]> = Extract<View, { kind: K }>;

const LINES_MOST = 20;
const RULES_MOST = 6;

export const version = (commit: string, digest: string): string =>
  `policy ${code(commit.slice(0, 12))}, digest ${code(digest.replace(/^sha256:/, "").slice(0, 8))}`;

/** What a team may do, for whoever asks in its channel. */
export function policyCard({ team, commit, digest, says }: Of<"policy">): Card {
  const lines = says.map(({ text, at, points = [] }) => {
    const where = points.length === 0 ? "" : `, enforced ${listed(points.map(pointName))}`;
    return `${said(text, 240)}${at === null ? "" : ` ${code(at, 120)}`}${where}`;
  });
  return card(
    `The policy of team ${said(team, 60)} says ${count(says.length, "thing")}, each with its file and line.`,
    [
      section(`*What team ${said(team, 60)} may do*`),
      section(...some(lines, LINES_MOST)),
      context(version(commit, digest), "Everything that nothing here allows is denied."),
    ],
  );
}

function subjectOf({ object }: ExplainedObject): string {
  const [, ...values] = Object.values(object).filter((value) => value !== null);
  return `${object.subject} ${values.join(" ")}`;
}

function objectLine(explained: ExplainedObject): string {
  const { outcome, points, considered } = explained;
  const where = listed(points.map(pointName));
  const deciding = considered.filter(({ says }) => says === "decides").slice(0, RULES_MOST);
  const rules = deciding.map(({ at, text, why }) => ruleLine({ at, text, why })).join(" ");
  return `${code(subjectOf(explained), 160)}: *${outcome}*, enforced ${where}. ${rules === "" ? "No rule speaks of it, and what nothing allows is denied." : rules}`;
}

/** What led to the answer; of a yes, what somebody has written down, and the rest only when nobody has. */
function telling({ decision, objects }: Explanation): readonly ExplainedObject[] {
  const decisive = objects.filter(({ outcome }) => outcome === decision.outcome);
  const written = decisive.filter(({ considered }) =>
    considered.some(({ says, at }) => says === "decides" && at !== "baseline"),
  );
  return written.length > 0 ? written : decisive;
}

/** What policy would say to something, before anybody asks for it. */
export function canCard({ team, text, explanation, owners }: Of<"can">): Card {
  if (explanation === null) {
    const sorry = `I could not tell what ${code(text, 120)} would try.`;
    return card(`${sorry} To ask for work, leave out "can I".`, [
      section(`${sorry} I understand:`, ...CAN_EXAMPLES.map((example) => code(example, 120))),
      context("To ask for work, leave out _can I_ and say what you want."),
    ]);
  }
  const { decision } = explanation;
  const asks = decision.outcome === "ask" ? decision.asks : [];
  const head = {
    allow: `Yes. Policy lets team ${said(team, 60)} do that.`,
    ask: `After a yes from ${listed(asks.map(({ from, quorum }) => `${quorum === 1 ? "" : `${quorum} of `}${said(from.replace("group:", ""), 60)}`))}.`,
    deny: `No${decision.outcome === "deny" ? `: ${policyReason(decision.reason)}` : ""}.`,
  }[decision.outcome];
  const change = owners === null ? "whoever keeps the policy" : said(owners.replace("group:", ""), 60);
  return card(`${head} Nothing was done, and nobody was asked.`, [
    section(`*${head}*`, ...some(telling(explanation).map(objectLine), LINES_MOST)),
    context(`Nothing was done, and nobody was asked. ${change} can change these rules.`),
  ]);
}

const PROBLEMS_MOST = 10;

/** Its files do not load: where, and what holds meanwhile. */
export function policyBrokenCard({ problems, more, kept, tree }: Of<"policy_broken">): Card {
  const all = problems.length + more;
  const shown = problems.slice(0, PROBLEMS_MOST);
  const left = all - shown.length;
  const lines = shown.map(({ at, message }) => `${code(at, 120)} ${said(message, 240)}`);
  return card(
    `The policy's files cannot be used (${count(all, "problem")}); the last good policy stays in force. What can be done stands here.`,
    [
      section(
        "*The policy's files cannot be used*",
        "What is in force is the last good policy, and it stays in force while any of these is left:",
      ),
      section(...lines, left > 0 ? `and ${left} more: ${code("countersign policy check")} says all of them.` : null),
      section(
        "In a folder: mend the files.",
        `On a branch: revert the commit, since nothing after it is looked at. Whoever runs Countersign can accept one that loads: ${code("countersign policy accept COMMIT")}.`,
        "Where something cannot be reached or asked: whoever runs Countersign looks at the token and the network.",
      ),
      context(`in force: ${version(kept.commit, kept.digest)}`, `refused: ${code(tree.slice(0, 24))}`),
    ],
  );
}

export function policyMendedCard({ now }: Of<"policy_mended">): Card {
  return card("The policy's files are in force again. Nothing is left to do.", [
    section("*The policy's files are in force again.*"),
    context(version(now.commit, now.digest)),
  ]);
}

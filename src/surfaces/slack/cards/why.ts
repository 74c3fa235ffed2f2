import type { Reason, ShownRule } from "#runs/reason.ts";
import type { View } from "#runs/view.ts";
import { egressReason, policyReason } from "#surfaces/slack/words.ts";
import { actions, type Card, card, context, section } from "./blocks.ts";
import { approvalLine, openRun, pointName, ruleLine, STATES, trialLine } from "./facts.ts";
import { version } from "./policy.ts";
import { capital, code, codeBlock, count, groupName, listed, said, some } from "./text.ts";

type Of<K extends View["kind"]> = Extract<View, { kind: K }>;

const LINES_MOST = 10;
/** Each may bring its rules' text: what does not fit is on the run page. */
const REASONS_MOST = 8;
const RULES_MOST = 3;
const EXCERPT_MOST = 700;

/** Who may change what the rules say. */
const changedBy = (owners: string | null): string =>
  owners === null
    ? "Whoever keeps the policy can change these rules."
    : `${capital(said(groupName(owners), 60))} can change these rules: edit the file, and have them review it.`;

/** The rule in a sentence, then the lines of its file as they stood when it decided. */
function shown({ ref, commit, excerpt }: ShownRule): string {
  if (ref.at === "baseline") return ref.text === "" ? "Built in." : `Built in: ${code(ref.text, 240)}.`;
  const line = ref.text === "" ? `Rule at ${code(ref.at, 160)}.` : ruleLine(ref);
  if (excerpt === null) return line;
  const more = excerpt.more === 0 ? [] : [`… ${count(excerpt.more, "more line")}`];
  const from = `${excerpt.file}:${excerpt.line}${commit === null ? "" : `@${commit.slice(0, 12)}`}`;
  return `${line}\n${code(from, 160)}\n${codeBlock([...excerpt.lines, ...more].join("\n"), EXCERPT_MOST)}`;
}

function lines(reason: Reason): string[] {
  const { about, subject, outcome, rules, points, remedy, trial } = reason;
  const why =
    reason.reason === null ? "" : ` (${about === "host" ? egressReason(reason.reason) : policyReason(reason.reason)})`;
  const where = points.length === 0 ? "" : `, enforced ${listed(points.map(pointName))}`;
  const head = `${said(about, 40)} ${code(subject, 120)}: *${outcome}*${why}${where}.`;
  const spoken =
    rules.length === 0 && outcome === "deny"
      ? ["No rule speaks of it, and what nothing allows is denied."]
      : some(rules.slice(0, RULES_MOST).map(shown), RULES_MOST);
  const left = rules.length - RULES_MOST;
  return [
    head,
    // What was allowed by what is built in needs no proof here; the run page has all of it.
    ...(outcome === "allow" ? spoken.filter((_, index) => rules[index]?.ref.at !== "baseline") : spoken),
    ...(left > 0 ? [`And ${count(left, "more rule")}, on the run page.`] : []),
    ...(remedy === null ? [] : [`To allow it: ${remedyLine(remedy)}`]),
    ...(trial === null ? [] : [trialLine(trial)]),
  ];
}

function remedyLine({ text, add }: NonNullable<Reason["remedy"]>): string {
  const words = said(text.replaceAll("group:", ""), 400);
  return add === null ? `${words}.` : `${words}:\n${codeBlock(add.lines.join("\n"), EXCERPT_MOST)}`;
}

/** The decisions behind a run: the rule as it is written, where it holds, and what would change the answer. */
export function whyCard({ run, facts, reasons, owners }: Of<"why">): Card {
  const more = reasons.length - REASONS_MOST;
  return card(
    `Run ${run.number} ${STATES[facts.state]}; ${count(reasons.length, "policy decision")} led here. The rules are listed below with file and line.`,
    [
      section(`*Why run ${run.number} may do what it does*`, `${said(capital(facts.request.because), 400)}.`),
      ...(reasons.length === 0
        ? [section("Policy has decided nothing about it yet.")]
        : reasons.slice(0, REASONS_MOST).map((reason) => section(...lines(reason)))),
      more > 0 ? section(`And ${count(more, "more decision")}: the run page has all of them.`) : null,
      facts.approvals.length === 0 ? null : section("*People*", ...some(facts.approvals.map(approvalLine), LINES_MOST)),
      context(`asked under ${version(facts.request.policy.commit, facts.request.policy.digest)}`, changedBy(owners)),
      actions(openRun(run)),
    ],
  );
}

/** Where no run is: why this place has its team, and what that team may work on. */
export function whyHereCard({ team, because, members, repositories, rules, owners }: Of<"why_here">): Card {
  const where = repositories.map((repo) => code(repo, 120));
  return card(
    `Here you ask for team ${said(team, 60)}; the rules are listed below with file and line. In the thread of a run, why explains that run.`,
    [
      section(
        `*Why you ask for team ${said(team, 60)} here*`,
        `${capital(said(because, 300))}.`,
        members === null ? null : `Its people are the group ${said(groupName(members), 80)}.`,
        where.length === 0
          ? "Policy gives it no repository."
          : `It may work on ${listed(some(where, LINES_MOST))}. What no rule allows is denied.`,
      ),
      ...rules.slice(0, REASONS_MOST).map((rule) => section(shown(rule))),
      context(changedBy(owners), "In the thread of a run, _why_ explains that run."),
    ],
  );
}

import type { ApprovalFacts, RunFacts } from "#runs/facts.ts";
import { isFinal } from "#runs/state.ts";
import type { RunTitle, View } from "#runs/view.ts";
import { ACTS } from "#surfaces/slack/acts.ts";
import { egressReason } from "#surfaces/slack/words.ts";
import { actions, button, type Card, card, context, plan, section } from "./blocks.ts";
import {
  askedOf,
  cost,
  elapsed,
  hostName,
  name,
  openPullRequest,
  openRun,
  pending,
  STATES,
  TITLES,
  whyButton,
} from "./facts.ts";
import { bare, capital, code, groupName, inUtc, link, listed, moment, quoted, said, some } from "./text.ts";

/** The one message of a run: who asked for what, how far it is, what it waits for, and the way to stop it. */
export function statusCard({ run, facts, tasks }: Extract<View, { kind: "status" }>, now: Date): Card {
  const { request } = facts;
  const over = isFinal(facts.state);
  const stopping = !over && facts.stoppedBy !== null;
  const state = stopping ? `is being stopped by ${name(facts.stoppedBy)}` : STATES[facts.state];
  const notice = facts.notices.at(-1);
  return card(
    `Run ${run.number} for ${name(request.by)} on ${said(run.repo, 80)} ${state}. ${next(run, facts, stopping)}`,
    [
      section(
        `*Run ${run.number}* for ${name(request.by)} on ${code(run.repo)} *${state}*.`,
        quoted(request.text, 600),
      ),
      beside(facts),
      plan(planTitle(facts, stopping), tasks),
      waiting(facts),
      !over && notice !== undefined && notice.at.getTime() === facts.last.getTime()
        ? section(said(notice.text, 400))
        : null,
      blocked(facts),
      context(
        request.ticket === undefined
          ? null
          : `asked for on ${link(request.ticket.url, `Linear ${request.ticket.name}`)}`,
        said(capital(request.because), 300),
        `branch ${code(run.branch, 100)}`,
        said(run.agent, 80),
        `${cost(run, facts)} spent`,
        elapsed(facts, now),
      ),
      actions(
        over || stopping
          ? null
          : button({
              action: ACTS.stop,
              text: "Stop",
              label: `Stop run ${run.number} of team ${run.team}`,
              value: run.id,
              style: "danger",
              confirm: {
                title: `Stop run ${run.number}?`,
                text:
                  facts.pullRequest?.state === "open"
                    ? "Nobody works on it any more. Its pull request stays open."
                    : "Its processes end at once. Work that was committed stays on its branch.",
                yes: "Stop it",
                no: "Let it run",
              },
            }),
        openPullRequest(run, facts),
        openRun(run),
        whyButton(run),
      ),
    ],
  );
}

/** Whoever said "also" in a thread may think that the run there goes on. */
function beside({ beside: other }: RunFacts) {
  if (other === null) return null;
  const pull = other.pull === null ? "" : ` ${said(other.repo, 80)} #${other.pull}`;
  return section(
    `The pull request${pull} of run ${other.number} ${other.pull === null ? "is being opened" : "is open already"}, so this is a new run, with an approval of its own where policy asks for one; it starts from the default branch, without the changes of run ${other.number}.`,
  );
}

/** The run goes on while people think about a host. */
const isWaitedFor = ({ gate }: ApprovalFacts): boolean => gate !== "host";

function next(run: RunTitle, facts: RunFacts, stopping: boolean): string {
  if (stopping) return "The thread says when everything has ended.";
  const asks = pending(facts).filter(isWaitedFor);
  if (asks.length > 0) {
    const first = asks[0];
    return `Waiting for ${listed([...new Set(asks.map(askedOf))])}${first ? ` until ${inUtc(first.expiresAt)}` : ""}: answer with Approve or Deny in the thread.`;
  }
  switch (facts.state) {
    case "waiting":
    case "suspended":
      return "Press Ask again on the question in the thread to go on.";
    case "in_review":
      return "Review the pull request and merge or close it.";
    case "denied":
    case "handed_off":
      return "The thread says why, and what to do next.";
    case "answered":
      return "The answer is in the thread.";
    case "cancelled":
      return "Mention me to ask for something else.";
    case "merged":
    case "closed":
      return "Nothing is left to do.";
    default:
      return `Say stop in the thread to end run ${run.number}.`;
  }
}

/** The plan's title in Slack is plain text. */
function planTitle(facts: RunFacts, stopping: boolean): string {
  if (stopping) return "Stopping";
  const groups = pending(facts)
    .filter(isWaitedFor)
    .flatMap((approval) => approval.asks.map((ask) => bare(groupName(ask.from), 40)));
  return groups.length > 0 ? `Waiting for ${listed([...new Set(groups)])}` : TITLES[facts.state];
}

function waiting(facts: RunFacts) {
  const asks = pending(facts);
  if (asks.length === 0) return null;
  return section(
    ...asks.map((ask) =>
      isWaitedFor(ask)
        ? `*Waiting for ${askedOf(ask)}* to decide on ${said(ask.gate)}, since ${moment(ask.openedAt)}, until ${moment(ask.expiresAt, "day")}.`
        : `*${askedOf(ask)}* may open ${code(`${ask.subject.host}:${ask.subject.port}`, 120)} to it until ${moment(ask.expiresAt, "day")}; it goes on meanwhile.`,
    ),
  );
}

/** Refused hosts, with the reason of the last refusal. */
function blocked(facts: RunFacts) {
  const refused = facts.hosts.filter((host) => host.refused > 0);
  if (refused.length === 0) return null;
  const names = refused.map((host) => `${hostName(host)} (${egressReason(host.reason ?? "no_rule")})`);
  return context(`Refused hosts: ${listed(some(names, 5))}`);
}

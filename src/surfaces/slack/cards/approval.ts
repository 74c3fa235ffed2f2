import type { Point } from "#policy/points.ts";
import type { GroupRef } from "#policy/policy.ts";
import type { Gate } from "#runs/approval.ts";
import { moreTimeOf } from "#runs/budget-added.ts";
import type { ApprovalFacts, AskFacts, RunFacts } from "#runs/facts.ts";
import { isFinal } from "#runs/state.ts";
import { peopleOf, type RunTitle, type View } from "#runs/view.ts";
import { ACTS, packAsked } from "#surfaces/slack/acts.ts";
import { actions, button, type Card, card, context, section } from "./blocks.ts";
import { called, calledInText } from "./call.ts";
import { name, openRun, pointName, ruleLine, whyButton } from "./facts.ts";
import { subjectLines } from "./subject.ts";
import {
  code,
  count,
  duration,
  groupName,
  inUtc,
  link,
  listed,
  moment,
  money,
  quoted,
  said,
  sentence,
  short,
  some,
} from "./text.ts";

/** More does not fit where a person reads on a phone; then the card says so. */
const REQUEST_SHOWN = 400;

/** What holds people's answer to each kind of question. */
const POINTS: Readonly<Record<Gate, Point>> = {
  start: "intake",
  command: "protocol",
  host: "gateway",
  publish: "publish",
  budget: "gateway",
  secret: "gateway",
};

/** A question to named people: what exactly will be done, by which rule, who may answer, until when. */
export function approvalCard(view: Extract<View, { kind: "approval" }>): Card {
  const { run, facts, approval, claim } = view;
  const act = actOf(run, approval);
  const open = approval.status === "pending" && !isFinal(facts.state);
  const ended = open ? null : outcome(view);
  const requester = name(facts.request.by);
  const text = open
    ? `Run ${run.number} asks ${calledInText(approval, view.groups)} to decide: ${act.plain}. ${requester} asked for the run. Approve or deny until ${inUtc(approval.expiresAt)}.`
    : `Run ${run.number}: the request to ${act.plain} ${ended?.plain ?? ""}`;
  return card(text, [
    section(
      open ? `*Approval needed: ${act.bold}*` : `*${ended?.title ?? ""}: ${act.bold}*`,
      `Run ${run.number} of team ${said(run.team, 60)}, asked for by ${requester}:`,
      quoted(facts.request.text, REQUEST_SHOWN),
      facts.request.text.length > REQUEST_SHOWN
        ? `These are the first ${REQUEST_SHOWN} of ${facts.request.text.length.toLocaleString("en")} characters. ${link(run.url, "Read all of it")} before you answer: a yes covers the whole request.`
        : null,
    ),
    ended === null ? null : section(ended.line),
    ended?.settled ? null : section(...subjectLines(approval.subject)),
    section(
      ...new Set(
        approval.asks.map((ask) => `Why ${open ? "this needs" : "it needed"} a person: ${ruleLine(ask.rule)}`),
      ),
    ),
    open ? section(...who(view)) : null,
    claim === null ? null : section("The agent says, in its own words and unchecked:", quoted(claim, 500)),
    context(
      `digest ${code(short(approval.digest))}`,
      said(run.agent, 80),
      open ? `enforced ${pointName(moreTimeOf(approval) === null ? POINTS[approval.gate] : "worker")}` : null,
      open ? `expires ${moment(approval.expiresAt, "day")}` : null,
      approval.askNo > 1 ? `asked ${count(approval.askNo, "time")}` : null,
    ),
    actions(...buttons(run, approval, open, askedAgain(facts, approval))),
  ]);
}

/** What a yes adds, in bold and for plain text. */
export function actOf(run: RunTitle, approval: ApprovalFacts): { readonly bold: string; readonly plain: string } {
  const { gate, subject } = approval;
  const text = (key: string) => (typeof subject[key] === "string" ? String(subject[key]) : null);
  switch (gate) {
    case "start":
      return {
        bold: `start run ${run.number} on ${code(run.repo)}`,
        plain: `start run ${run.number} on ${said(run.repo, 80)}`,
      };
    case "command":
      return {
        bold: `run ${code(text("command") ?? "a command", 120)}`,
        plain: `run the command "${said(text("command") ?? "", 80)}"`,
      };
    case "host": {
      const host = `${text("host") ?? "a host"}${subject.port === undefined ? "" : `:${String(subject.port)}`}`;
      return { bold: `+ reach ${code(host)}`, plain: `reach ${said(host, 100)}` };
    }
    case "secret": {
      const secret = text("secret") ?? "a secret";
      return { bold: `+ use the secret ${code(secret)}`, plain: `use the secret ${said(secret, 100)}` };
    }
    case "publish":
      return {
        bold: `publish changes to ${code(run.repo)} that policy protects`,
        plain: `publish protected changes to ${said(run.repo, 80)}`,
      };
    case "budget": {
      const timeMs = moreTimeOf({ gate, subject });
      const more = timeMs === null ? moreOf(subject) : `work for ${duration(timeMs)} more`;
      return { bold: `+ ${more}`, plain: more };
    }
    default:
      return gate satisfies never;
  }
}

/** "spend up to $3.00 more"; tokens where there is no more money to give. */
function moreOf({ more }: Readonly<Record<string, unknown>>): string {
  const amount = (kind: string) =>
    typeof more === "object" && more !== null ? Number(Reflect.get(more, kind) ?? 0) : 0;
  if (amount("usd") > 0) return `spend up to ${money(amount("usd"))} more`;
  return amount("tokens") > 0 ? `use up to ${amount("tokens").toLocaleString("en")} tokens more` : "spend more";
}

function who({ facts, approval, groups }: Extract<View, { kind: "approval" }>): string[] {
  const authors = listed(facts.authors.map(name), "or");
  const yes = approval.votes.filter((vote) => vote.choice === "approve");
  return [
    ...approval.asks.map(
      (ask) =>
        `Who may answer: *any ${ask.quorum} of ${called(peopleOf(ask), groups)}*${ask.self ? "" : `, but not ${authors}, who asked for this run or added to it`}.${owned(ask)}${stepsIn(approval, ask, groups)}`,
    ),
    ...approval.delegated.map(({ by, to }) => `${name(to)} may answer in the place of ${name(by)}, who named them.`),
    approval.asks.some((ask) => ask.delegate === true)
      ? `Who is asked may name somebody in their place: mention me here with ${code("delegate to @name")}.`
      : "",
    ...new Set(approval.asks.map(holds).filter((line) => line !== null)),
    yes.length === 0
      ? "Nobody has answered yet."
      : `Approved so far by ${listed(yes.map((vote) => `${name(vote.by)} at ${moment(vote.at)}`))}; more are needed.`,
  ];
}

/** Whose files it is about, and which owners cannot be asked. */
function owned({ paths = [], owners, unknown = [] }: AskFacts): string {
  if (owners === undefined) return "";
  const files = listed(
    some(
      paths.map((path) => code(path, 120)),
      5,
    ),
  );
  const missing = unknown.length === 0 ? "" : ` Nobody is found for ${listed(unknown.map((one) => said(one, 80)))}.`;
  return `${owners.length === 0 ? ` Nobody owns ${files}.` : ` They own ${files}.`}${missing}`;
}

/** Who answers when nobody else does, and from when. */
function stepsIn(
  { escalated, openedAt }: ApprovalFacts,
  { from, escalate }: AskFacts,
  groups: Readonly<Record<string, GroupRef>>,
): string {
  if (escalate === undefined) return "";
  const since = escalated.find((one) => one.from === from && one.to === escalate.to);
  if (since !== undefined) return ` Since ${moment(since.at)} also *any of ${called(escalate.to, groups)}*.`;
  const at = new Date(openedAt.getTime() + escalate.afterMs);
  return ` If nobody has decided by ${moment(at)}, also any of ${said(groupName(escalate.to), 80)}.`;
}

/** How long and how often a yes holds, where a rule says so. */
function holds({ grants }: AskFacts): string | null {
  if (grants === undefined) return null;
  const uses = grants.for === "once" ? "once" : grants.uses === null ? null : count(grants.uses, "time");
  const parts = [uses, grants.ms === null ? null : `for ${duration(grants.ms)}`].filter((part) => part !== null);
  return parts.length === 0 ? null : `A yes holds ${parts.join(", ")}.`;
}

interface Ended {
  readonly title: string;
  readonly line: string;
  /** After "the request to …". */
  readonly plain: string;
  /** Nothing about it can be done any more, so its details are left to the run page. */
  readonly settled: boolean;
}

function outcome({ facts, approval }: Extract<View, { kind: "approval" }>): Ended {
  const at = approval.closedAt ?? facts.last;
  const by = (choice: "approve" | "deny") => approval.votes.filter((vote) => vote.choice === choice);
  const named = (votes: readonly ApprovalFacts["votes"][number][]) =>
    listed(votes.map((vote) => `${name(vote.by)} at ${moment(vote.at)}`));
  const plainly = (votes: readonly ApprovalFacts["votes"][number][]) =>
    listed(votes.map((vote) => `${name(vote.by)} at ${inUtc(vote.at)}`));
  switch (approval.status) {
    case "approved":
      return {
        title: "Approved",
        line: `Approved by ${named(by("approve"))}.`,
        plain: `was approved by ${plainly(by("approve"))}. The run goes on.`,
        settled: true,
      };
    case "denied": {
      const reason = by("deny").at(-1)?.reason ?? null;
      return {
        title: "Denied",
        line: `Denied by ${named(by("deny"))}${reason === null ? "." : `:\n${quoted(reason, 500)}`}`,
        plain: `was denied by ${plainly(by("deny"))}${reason === null ? "." : `: ${sentence(reason, 120)}`} It was not done.`,
        settled: true,
      };
    }
    case "expired":
      return askedAgain(facts, approval)
        ? {
            title: "Expired",
            line: `Nobody decided until ${moment(at)}. It was asked again: answer the newer card.`,
            plain: "expired and was put again. Answer the newer card.",
            settled: true,
          }
        : {
            title: "Expired",
            line: `Nobody decided until ${moment(at)}, so it was not done. Ask again to put the same question anew.`,
            plain: `expired at ${inUtc(at)} and was not done. Press Ask again to put it anew.`,
            settled: false,
          };
    case "void":
    case "pending":
      return {
        title: "No longer asked",
        line: "The run changed or ended, so this question is void. It was not done.",
        plain: "is void, because the run changed or ended. Nothing is left to answer.",
        settled: true,
      };
    default:
      return approval.status satisfies never;
  }
}

/** The same bytes were put to people anew after this one expired. */
const askedAgain = (facts: RunFacts, approval: ApprovalFacts): boolean =>
  facts.approvals.some(
    (other) => other.gate === approval.gate && other.digest === approval.digest && other.askNo > approval.askNo,
  );

function buttons(run: RunTitle, approval: ApprovalFacts, open: boolean, again: boolean) {
  const value = packAsked({ approvalId: approval.id, digest: approval.digest });
  const of = `${approval.gate} of run ${run.number} for ${run.team}`;
  return [
    open ? button({ action: ACTS.approve, text: "Approve", label: `Approve ${of}`, value, style: "primary" }) : null,
    open
      ? button({ action: ACTS.deny, text: "Deny", label: `Deny ${of}, with a reason`, value, style: "danger" })
      : null,
    approval.status === "expired" && !again
      ? button({ action: ACTS.askAgain, text: "Ask again", label: `Ask again about ${of}`, value })
      : null,
    openRun(run),
    open ? whyButton(run) : null,
  ];
}

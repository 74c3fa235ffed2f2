import type { Button } from "@slack/types";
import type { RuleRef } from "#policy/decision.ts";
import type { FileChange } from "#ports/gateway.ts";
import { addedUsd } from "#runs/budget-added.ts";
import type { ApprovalFacts, CheckFacts, HostFacts, RunFacts } from "#runs/facts.ts";
import { isFinal, type RunState } from "#runs/state.ts";
import type { RunTitle } from "#runs/view.ts";
import { ACTS, OPEN } from "#surfaces/slack/acts.ts";
import { button, linkButton } from "./blocks.ts";
import { capital, code, count, duration, groupName, listed, moment, money, said, sentence, short } from "./text.ts";

/**
 * A run's state as people say it, after "Run 12". A pull request in review is a draft as a rule, and people take it out of
 * draft and put it back without a word to us: what is said of it is true either way, and never "ready for review".
 */
export const STATES: Readonly<Record<RunState, string>> = {
  requested: "is being checked against policy",
  waiting: "waits for approval",
  queued: "is queued",
  preparing: "prepares a sandbox",
  working: "is at work",
  checking: "runs the checks",
  publishing: "opens the pull request",
  suspended: "is paused until people decide",
  in_review: "waits for a review",
  denied: "was denied",
  answered: "answered",
  cancelled: "was stopped",
  handed_off: "was handed off",
  merged: "was merged",
  closed: "was closed without a merge",
};

/** The same, as the title of its steps. */
export const TITLES: Readonly<Record<RunState, string>> = {
  requested: "Checking policy",
  waiting: "Waiting for approval",
  queued: "Queued",
  preparing: "Preparing",
  working: "Working",
  checking: "Checking the result",
  publishing: "Opening the pull request",
  suspended: "Paused until people decide",
  in_review: "Waiting for a review",
  denied: "Denied",
  answered: "Answered",
  cancelled: "Stopped",
  handed_off: "Handed off",
  merged: "Merged",
  closed: "Closed without a merge",
};

export const name = (person: { readonly name: string } | null): string =>
  person === null ? "nobody" : said(person.name, 60);

/** "leads", "leads and security". */
export const askedOf = (approval: Pick<ApprovalFacts, "asks">): string =>
  listed(approval.asks.map((ask) => said(groupName(ask.from), 80)));

export const pending = (facts: RunFacts): readonly ApprovalFacts[] =>
  isFinal(facts.state) ? [] : facts.approvals.filter((approval) => approval.status === "pending");

/** From the request to the end of the run, or to `until` while it goes on. */
export function elapsed(facts: RunFacts, until: Date): string {
  const end = isFinal(facts.state) ? (facts.moves.at(-1)?.at ?? facts.last) : until;
  return duration(end.getTime() - facts.request.at.getTime());
}

export function cost(run: RunTitle, facts: RunFacts): string {
  const limit = run.costLimitUsd === null ? "" : ` of ${money(run.costLimitUsd + addedUsd(facts))}`;
  return `${money(facts.spent.usd)}${limit}`;
}

/** "Releases are announced. Rule `ask command npm publish` at `teams/shop.yaml:9:5`." The reason first, when there is one. */
export function ruleLine(rule: RuleRef): string {
  const why = rule.why === null ? "" : `${capital(sentence(rule.why, 300))} `;
  return `${why}Rule ${code(rule.text, 240)} at ${code(rule.at, 160)}.`;
}

/** What a rule that is only tried would have said. */
export const trialLine = ({ outcome, until, rules }: Trial): string =>
  `It would ${outcome === "deny" ? "have been denied" : "have been asked about"} by a rule on trial until ${said(until, 20)}. ${rules.map(ruleLine).join(" ")}`.trimEnd();

type Trial = NonNullable<RunFacts["decisions"][number]["trial"]>;

/** "approved by Bo at 14:02, digest a1b2c3d4". */
export function approvalLine(approval: ApprovalFacts): string {
  const voters = approval.votes.map((vote) => `${name(vote.by)} at ${moment(vote.at)}`);
  const who = voters.length === 0 ? `nobody of ${askedOf(approval)}` : listed(voters);
  return `${said(approval.gate)}: ${approval.status} by ${who}, digest ${code(short(approval.digest))}`;
}

const VERDICTS: Readonly<Record<NonNullable<CheckFacts["verdict"]>, string>> = {
  green: "green",
  fixed: "fixed by this change",
  broke: "broken by this change",
  already_red: "red before and after",
  flaky: "flaky: it failed, then passed",
  not_run: "not run",
};

/** "test green: exit 0 before, exit 0 with this change, 12 s". */
export function checkLine(check: CheckFacts): string {
  const verdict = check.verdict === null ? "not judged yet" : VERDICTS[check.verdict];
  const exit = (run: { readonly exitCode: number | null } | null) =>
    run === null ? "not run" : `exit ${run.exitCode ?? "none"}`;
  const took = check.head === null ? "" : `, ${duration(check.head.ms)}`;
  return `${said(check.name, 80)} *${verdict}*: ${exit(check.base)} before, ${exit(check.head)} with this change${took}${check.required ? "" : " (not required)"}`;
}

export const hostName = (host: Pick<HostFacts, "host" | "port">): string => code(`${host.host}:${host.port}`, 120);

/** Hosts the sandbox reached, and those it was refused. The model and git of our own gateway are not hosts of the run. */
export function network(facts: RunFacts): { readonly reached: readonly string[]; readonly refused: readonly string[] } {
  const outside = facts.hosts.filter((host) => host.via !== "model" && host.via !== "git");
  const names = (hosts: readonly HostFacts[]) => [...new Set(hosts.map(hostName))];
  return {
    reached: names(outside.filter((host) => host.allowed > 0)),
    refused: names(outside.filter((host) => host.refused > 0)),
  };
}

/** "3 files changed, +10 −2"; `null` while there is no commit. */
export function changed(facts: RunFacts): string | null {
  if (facts.work === null) return null;
  const { files } = facts.work;
  const sum = (of: (file: FileChange) => number | null) => files.reduce((n, file) => n + (of(file) ?? 0), 0);
  return `${count(files.length, "file")} changed, +${sum((file) => file.additions)} −${sum((file) => file.deletions)}`;
}

export const openRun = (run: RunTitle): Button | null =>
  linkButton({ action: OPEN.run, text: "Open run page", label: `Open the page of run ${run.number}`, url: run.url });

export const openPullRequest = (run: RunTitle, facts: RunFacts): Button | null =>
  facts.pullRequest === null
    ? null
    : linkButton({
        action: OPEN.pullRequest,
        text: "Open pull request",
        label: `Open pull request ${facts.pullRequest.number} of run ${run.number}`,
        url: facts.pullRequest.url,
        style: "primary",
      });

export const whyButton = (run: RunTitle): Button =>
  button({ action: ACTS.why, text: "Why", label: `Why run ${run.number} may do what it does`, value: run.id });

const POINTS: Readonly<Record<string, string>> = {
  intake: "before anything starts",
  relay: "at every push",
  worker: "by the worker that carries the run",
  gateway: "by the gateway",
  publish: "before anything is published",
  sandbox: "by the sandbox",
  protocol: "only where the agent asks (advisory)",
};

/** Where something is enforced, after "enforced". */
export const pointName = (point: string): string => POINTS[point] ?? said(point, 40);

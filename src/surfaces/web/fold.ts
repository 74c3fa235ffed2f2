import { addedUsd } from "#runs/budget-added.ts";
import type { RunEvent } from "#runs/event.ts";
import { facts, type RunFacts } from "#runs/facts.ts";
import type { Run } from "#runs/run.ts";
import { isFinal } from "#runs/state.ts";
import { peopleOf } from "#runs/view.ts";
import { CLICK_REASONS, EGRESS_REASONS } from "#surfaces/reasons.ts";
import type { ApprovalRow, CheckRow, HostRow, RunLine, RunPage } from "./run-view.ts";
import { story } from "./story.ts";

export interface PageContext {
  /** "demo: scripted model", "OpenCode". */
  readonly agentTitle: string;
  /** "#website", "a direct message", "Linear SHOP-12", and the way back to it. */
  readonly place: { readonly name: string; readonly href: string | null };
  readonly repoHref: string | null;
  readonly now: Date;
}

const GATES: Readonly<Record<string, string>> = {
  start: "Start",
  command: "Command",
  host: "Host",
  publish: "Publish",
  budget: "Budget",
  secret: "Secret",
};

/** The run page is a fold of the run's events and of nothing else that could differ a year later. */
export function runPage(run: Run, events: readonly RunEvent[], context: PageContext): RunPage {
  const all = facts(events);
  const done = isFinal(all.state);
  return {
    id: run.id,
    number: run.number,
    version: all.count,
    title: titleOf(run),
    state: all.state,
    team: { name: run.team, href: null },
    repo: { name: run.repo, href: context.repoHref },
    branch: run.branch,
    requester: run.requester.name,
    approvedBy: [
      ...new Set(
        all.approvals
          .filter((approval) => approval.status === "approved")
          .flatMap((approval) =>
            approval.votes.filter((vote) => vote.choice === "approve").map((vote) => vote.by.name),
          ),
      ),
    ],
    place: context.place,
    agent: {
      title: isDemo(run) ? "Demo agent" : context.agentTitle,
      model: run.model,
      demo: isDemo(run),
    },
    policy: { ...all.request.policy, href: null },
    rules: all.decisions
      .filter(({ about }) => about === "start" || about === "sandbox" || about === "recipe")
      .flatMap((decision) => decision.rules.map((rule) => ({ outcome: decision.outcome, rule }))),
    startedAt: all.request.at.toISOString(),
    endedAt: done ? (all.moves.at(-1)?.at ?? all.last).toISOString() : null,
    life: lifeOf(all, done ? (all.moves.at(-1)?.at ?? all.last) : context.now),
    timeline: story(events),
    checks: checksOf(run, all),
    files: all.work?.files ?? [],
    hosts: hostsOf(all),
    usage: {
      ...all.spent,
      limitUsd: run.scope ? run.scope.limits.costUsd + addedUsd(all) : null,
      sandboxMs: sandboxMs(all, context.now),
    },
    approvals: all.approvals.map(approvalRow),
    pullRequest: all.pullRequest
      ? {
          ref: `${all.pullRequest.repo}#${all.pullRequest.number}`,
          href: all.pullRequest.url,
          state: all.pullRequest.state === "open" && all.pullRequest.draft ? "draft" : all.pullRequest.state,
        }
      : null,
    receipt: all.receipt ? { events: all.receipt.events, keyId: all.receipt.keyId, digest: all.receipt.digest } : null,
    handoff: all.handoff,
    answer: all.answer,
    byHand: all.pullRequest?.state === "open" ? [`git fetch origin ${run.branch}`, `git switch ${run.branch}`] : [],
    patch:
      done && all.work !== null && all.pullRequest === null && !holdsSecrets(all)
        ? { href: `/runs/${run.id}/changes.patch`, file: `run-${run.number}.patch` }
        : null,
  };
}

/** One line for the list; the list shows many runs and folds none. `spent`: of its model calls, if it made any. */
export function runLine(run: Run, spent: Pick<RunLine, "usd" | "tokens"> | undefined): RunLine {
  return {
    id: run.id,
    number: run.number,
    title: titleOf(run),
    state: run.state,
    team: run.team,
    repo: run.repo,
    requester: run.requester.name,
    demo: isDemo(run),
    startedAt: run.createdAt.toISOString(),
    usd: spent?.usd ?? 0,
    tokens: spent?.tokens ?? 0,
    pullRequest: run.pullRequest ? { ref: `${run.repo}#${run.pullRequest.number}`, href: run.pullRequest.url } : null,
  };
}

const isDemo = (run: Run): boolean => run.agent === "demo";

const titleOf = (run: Run): string => run.text.split("\n", 1)[0]?.slice(0, 120) || `Run ${run.number}`;

function lifeOf(all: RunFacts, until: Date): RunPage["life"] {
  const marks = [
    { state: "requested" as RunPage["state"], at: all.request.at },
    ...all.moves.map((move) => ({ state: move.to, at: move.at })),
  ];
  return marks
    .map((mark, index) => ({
      state: mark.state,
      ms: Math.max(0, (marks[index + 1]?.at ?? until).getTime() - mark.at.getTime()),
    }))
    .filter((part, index, parts) => !(isFinal(part.state) && index === parts.length - 1));
}

function checksOf(run: Run, all: RunFacts): RunPage["checks"] {
  const declared = (run.scope?.checks.length ?? 0) > 0;
  const ran: CheckRow[] = all.checks.map((check) => ({
    name: check.name,
    command: check.command,
    required: check.required,
    base: check.base
      ? {
          ok: check.base.exitCode === 0,
          words: check.base.exitCode === 0 ? "green" : `exit ${check.base.exitCode ?? "none"}`,
        }
      : null,
    verdict: check.verdict,
    words: null,
    ms: check.head?.ms ?? null,
    output:
      check.verdict === "broke" || check.verdict === "already_red" || check.verdict === "flaky"
        ? (check.head?.output ?? "")
        : "",
  }));
  const scans: CheckRow[] = all.scans
    .filter((scan) => scan.name === "secrets" || scan.name === "size")
    .map((scan) => ({
      name: `${scan.name} scan`,
      command: null,
      required: true,
      base: null,
      verdict: scan.findings.length === 0 ? "green" : "broke",
      words: `${scan.findings.length} found`,
      ms: null,
      output: scan.findings.map((found) => `${found.path}: ${found.what}`).join("\n"),
    }));
  return {
    base: all.work?.base ?? null,
    head: all.work?.head ?? null,
    declared,
    rows: [...ran, ...scans],
    touchedTests: all.scans
      .filter((scan) => scan.name === "tests" || scan.name === "checks and their configuration")
      .flatMap((scan) => scan.findings.map((found) => found.path)),
    note: null,
  };
}

/** What a scan says must not leave is not handed out here either. */
const holdsSecrets = (all: RunFacts): boolean => all.scans.some((scan) => scan.findings.some((found) => found.blocks));

function hostsOf(all: RunFacts): HostRow[] {
  return all.hosts.map((host) => ({
    host: host.via === "model" || host.via === "registry" || host.via === "git" ? host.via : host.host,
    port: host.port === 443 || host.via === "model" || host.via === "registry" || host.via === "git" ? null : host.port,
    allowed: host.allowed,
    refused: host.refused,
    reason:
      host.refused > 0 && host.reason !== null
        ? (EGRESS_REASONS[host.reason] ?? host.reason.replaceAll("_", " "))
        : null,
    rule: host.rule,
  }));
}

function sandboxMs(all: RunFacts, now: Date): number {
  const first = all.sandboxes[0]?.at;
  if (!first) return 0;
  const left = all.moves.find((move) => (move.to === "in_review" || isFinal(move.to)) && move.at > first)?.at ?? now;
  return Math.max(0, left.getTime() - first.getTime());
}

function approvalRow(approval: RunFacts["approvals"][number]): ApprovalRow {
  return {
    id: approval.id,
    gate: GATES[approval.gate] ?? approval.gate,
    from: [
      approval.asks.map((ask) => `${ask.quorum} of ${peopleOf(ask).replace("group:", "@")}`).join(" and "),
      ...approval.escalated.map(({ to }) => `escalated to ${to.replace("group:", "@")}`),
      ...approval.delegated.map(({ by, to }) => `${to.name} in the place of ${by.name}`),
    ].join("; "),
    digest: approval.digest,
    rule: approval.asks[0]?.rule ?? null,
    status: approval.status,
    expiresAt: approval.expiresAt.toISOString(),
    votes: approval.votes.map((vote) => ({
      by: vote.by.name,
      choice: vote.choice,
      reason: vote.reason,
      at: vote.at.toISOString(),
    })),
    refused: approval.refused.map((click) => ({
      by: click.by.name,
      why: CLICK_REASONS[click.code] ?? click.code.replaceAll("_", " "),
      at: click.at.toISOString(),
    })),
  };
}

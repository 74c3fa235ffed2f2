import type { FileChange } from "#ports/gateway.ts";
import { type ApprovalFacts, foldApproval } from "./approval-facts.ts";
import type { EventBody, Fault, RunEvent } from "./event.ts";
import { foldPullRequest, type PullRequestFacts } from "./pull-facts.ts";
import type { Person } from "./run.ts";
import type { RunState } from "./state.ts";
import type { Task } from "./task.ts";

export type { ApprovalFacts, AskFacts } from "./approval-facts.ts";

export interface CommandFacts {
  readonly tool: string;
  readonly title: string;
  readonly command: string | null;
  readonly toolKind: string;
  readonly startedAt: Date;
  endedAt: Date | null;
  status: "running" | "ok" | "failed" | "interrupted";
  exitCode: number | null;
  /** The end of what it printed. */
  output: string;
}

export interface HostFacts {
  readonly host: string;
  readonly port: number;
  readonly via: string;
  allowed: number;
  refused: number;
  reason: string | null;
  rule: string | null;
}

export interface CheckFacts {
  readonly name: string;
  command: string;
  base: { readonly exitCode: number | null; readonly ms: number } | null;
  head: { readonly exitCode: number | null; readonly ms: number; readonly output: string } | null;
  verdict: "green" | "fixed" | "broke" | "already_red" | "flaky" | "not_run" | null;
  required: boolean;
}

/** A run as its events tell it. The status message, the page and the receipt are drawn from this and nothing else. */
export interface RunFacts {
  request: Extract<EventBody, { kind: "run.requested" }> & { at: Date };
  /** The run of the same thread that this one does not go on from. */
  beside: { number: number; repo: string; pull: number | null } | null;
  state: RunState;
  moves: { from: RunState; to: RunState; by: Person | null; why: string | null; at: Date }[];
  authors: Person[];
  /** Accounts of authors elsewhere, as they were when the receipt was signed. */
  accounts: Extract<EventBody, { kind: "authors.known" }>["authors"];
  decisions: (Omit<Extract<EventBody, { kind: "policy.decided" }>, "kind"> & { at: Date })[];
  approvals: ApprovalFacts[];
  sandboxes: (Omit<Extract<EventBody, { kind: "sandbox.ready" }>, "kind"> & { at: Date; lost: string | null })[];
  setup: { command: string; exitCode: number | null; ms: number; output: string; at: Date }[];
  turns: {
    turn: number;
    cause: string;
    by: Person | null;
    text: string;
    startedAt: Date;
    endedAt: Date | null;
    end: string | null;
    detail: string | null;
  }[];
  plan: Task[];
  said: { text: string; at: Date }[];
  commands: CommandFacts[];
  hosts: HostFacts[];
  spent: {
    calls: number;
    inputTokens: number;
    cachedTokens: number;
    outputTokens: number;
    usd: number;
    prices: string | null;
  };
  pushes: (Omit<Extract<EventBody, { kind: "push.decided" }>, "kind"> & { at: Date })[];
  work: { base: string; head: string; files: FileChange[]; at: Date } | null;
  checks: CheckFacts[];
  scans: { name: string; findings: { path: string; line: number | null; what: string; blocks: boolean }[]; at: Date }[];
  pullRequest: PullRequestFacts | null;
  /** `events`: how many of them it was signed over. */
  receipt: { digest: string; keyId: string; events: number; at: Date } | null;
  answer: string | null;
  stoppedBy: Person | null;
  handoff: { fault: Fault; tried: string; failed: string; next: string; branch: string | null; at: Date } | null;
  notices: { text: string; at: Date }[];
  count: number;
  head: string;
  last: Date;
}

/** How much of a command's output a fold keeps: the page shows its end, the events hold all of it. */
const OUTPUT_KEPT = 8_000;

/** Folds a run's events. Throws when the first is not the request: that is no run. */
export function facts(events: readonly RunEvent[]): RunFacts {
  const first = events[0];
  if (first?.body.kind !== "run.requested") throw new Error("a run's first event must be run.requested");
  const all: RunFacts = {
    request: { ...first.body, at: first.at },
    beside: null,
    state: "requested",
    moves: [],
    authors: [first.body.by],
    accounts: [],
    decisions: [],
    approvals: [],
    sandboxes: [],
    setup: [],
    turns: [],
    plan: [],
    said: [],
    commands: [],
    hosts: [],
    spent: { calls: 0, inputTokens: 0, cachedTokens: 0, outputTokens: 0, usd: 0, prices: null },
    pushes: [],
    work: null,
    checks: [],
    scans: [],
    pullRequest: null,
    receipt: null,
    answer: null,
    stoppedBy: null,
    handoff: null,
    notices: [],
    count: 0,
    head: "",
    last: first.at,
  };
  for (const event of events) {
    all.count += 1;
    all.head = event.hash;
    all.last = event.at;
    fold(all, event.body, event.at);
  }
  return all;
}

function fold(all: RunFacts, body: EventBody, at: Date): void {
  switch (body.kind) {
    case "run.requested":
      return;
    case "run.beside":
      all.beside = body;
      return;
    case "run.moved":
      all.state = body.to;
      all.moves.push({ from: body.from, to: body.to, by: body.by, why: body.why, at });
      return;
    case "author.joined":
      if (!all.authors.some((author) => author.id === body.person.id)) all.authors.push(body.person);
      return;
    case "authors.known":
      all.accounts = body.authors;
      return;
    case "policy.decided":
      all.decisions.push({ ...body, at });
      return;
    case "approval.opened":
    case "approval.refused":
    case "approval.voted":
    case "approval.closed":
    case "approval.escalated":
    case "approval.delegated":
      foldApproval(all.approvals, body, at);
      return;
    case "sandbox.ready":
      all.sandboxes.push({ ...body, at, lost: null });
      return;
    case "sandbox.lost": {
      const lost = all.sandboxes.find((box) => box.sandbox === body.sandbox);
      if (lost) lost.lost = body.why;
      return;
    }
    case "sandbox.destroyed":
    case "approval.asked_again":
    case "grant.used":
    case "branch.pushed":
    case "checks.reported":
    case "review.asked":
    case "egress.closed":
    case "agent.started":
    case "agent.exited":
      return;
    case "setup.ran":
      all.setup.push({ ...body, at });
      return;
    case "turn.started":
      all.turns.push({ ...body, startedAt: at, endedAt: null, end: null, detail: null });
      return;
    case "turn.ended": {
      const turn = all.turns.findLast((one) => one.turn === body.turn);
      if (turn) Object.assign(turn, { endedAt: at, end: body.end, detail: body.detail });
      return;
    }
    case "agent.said":
      all.said.push({ text: body.text, at });
      return;
    case "agent.planned":
      all.plan = body.tasks;
      return;
    case "tool.started":
    case "tool.output":
    case "tool.ended":
      foldTool(all, body, at);
      return;
    case "egress.decided":
      foldHost(all, body);
      return;
    case "model.called":
      all.spent.calls += 1;
      all.spent.inputTokens += body.inputTokens;
      all.spent.cachedTokens += body.cachedTokens;
      all.spent.outputTokens += body.outputTokens;
      all.spent.usd += body.usd;
      all.spent.prices = body.prices;
      return;
    case "push.decided":
      all.pushes.push({ ...body, at });
      return;
    case "work.committed":
      all.work = { base: body.base, head: body.head, files: body.files, at };
      return;
    case "check.ran":
    case "check.judged":
      foldCheck(all, body);
      return;
    case "scan.ran":
      // A later round looked at another commit: only the last word of each scan counts.
      all.scans = [...all.scans.filter((scan) => scan.name !== body.name), { ...body, at }];
      return;
    case "pull_request.opened":
    case "pull_request.ready":
    case "pull_request.reviewed":
    case "pull_request.changed":
    case "forge.checked":
      all.pullRequest = foldPullRequest(all.pullRequest, body, at);
      return;
    case "receipt.signed":
      all.receipt = { digest: body.digest, keyId: body.keyId, events: body.events, at };
      return;
    case "run.answered":
      all.answer = body.text;
      return;
    case "run.stopped":
      all.stoppedBy = body.by;
      return;
    case "run.handed_off":
      all.handoff = { ...body, at };
      return;
    case "notice":
      all.notices.push({ text: body.text, at });
      return;
    default:
      body satisfies never;
  }
}

function foldTool(all: RunFacts, body: Extract<EventBody, { kind: `tool.${string}` }>, at: Date): void {
  if (body.kind === "tool.started") {
    all.commands.push({
      tool: body.tool,
      title: body.title,
      command: body.command,
      toolKind: body.toolKind,
      startedAt: at,
      endedAt: null,
      status: "running",
      exitCode: null,
      output: "",
    });
    return;
  }
  const command = all.commands.findLast((one) => one.tool === body.tool);
  if (!command) return;
  if (body.kind === "tool.output") command.output = (command.output + body.text).slice(-OUTPUT_KEPT);
  if (body.kind === "tool.ended") {
    command.endedAt = at;
    command.status = body.status;
    command.exitCode = body.exitCode;
  }
}

function foldHost(all: RunFacts, body: Extract<EventBody, { kind: "egress.decided" }>): void {
  let host = all.hosts.find((one) => one.host === body.host && one.port === body.port && one.via === body.via);
  if (!host) {
    host = { host: body.host, port: body.port, via: body.via, allowed: 0, refused: 0, reason: null, rule: null };
    all.hosts.push(host);
  }
  if (body.outcome === "allow") host.allowed += 1;
  else host.refused += 1;
  host.reason = body.reason;
  host.rule = body.rule;
}

function foldCheck(all: RunFacts, body: Extract<EventBody, { kind: "check.ran" | "check.judged" }>): void {
  let check = all.checks.find((one) => one.name === body.name);
  if (!check) {
    check = { name: body.name, command: "", base: null, head: null, verdict: null, required: true };
    all.checks.push(check);
  }
  if (body.kind === "check.judged") {
    check.verdict = body.verdict;
    check.required = body.required;
    return;
  }
  check.command = body.command;
  if (body.on === "base") check.base = { exitCode: body.exitCode, ms: body.ms };
  else check.head = { exitCode: body.exitCode, ms: body.ms, output: body.output };
}

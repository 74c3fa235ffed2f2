import type { Activity } from "#ports/ticket.ts";
import { moreTimeOf } from "#runs/budget-added.ts";
import type { Fault } from "#runs/event.ts";
import type { ApprovalFacts, RunFacts } from "#runs/facts.ts";
import type { RunTitle } from "#runs/view.ts";
import { POLICY_REASONS } from "#surfaces/reasons.ts";
import { groupName, inUtc, listed } from "#surfaces/slack/cards/text.ts";
import { code, link, quoted, said } from "./text.ts";

/** One activity that a session should have. `key` names it within its run for good. */
export interface Due {
  readonly key: string;
  readonly at: Date;
  readonly activity: Activity;
}

export interface Around {
  readonly run: RunTitle;
  /** The thread in Slack where people answer; `null`: not known yet. */
  readonly threadUrl: string | null;
}

const FAULTS: Readonly<Record<Fault, string>> = {
  code: "the code in the repository",
  environment: "the environment: setup, network or tools",
  policy: "policy",
  budget: "the budget",
  model: "the model or the agent",
  us: "us",
};

/**
 * What people following the ticket should have been told by now, oldest first. It only grows: what Linear has cannot be
 * changed. Pure.
 */
export function activitiesOf(facts: RunFacts, around: Around): readonly Due[] {
  const { run } = around;
  const due: Due[] = [
    thought(
      "accepted",
      facts.request.at,
      `Run ${run.number} for ${said(facts.request.by.name, 60)} on ${code(run.repo)}: ${said(facts.request.because, 300)}. People follow it and answer in ${slack(around)}; ${link(run.url, "the run page")} has the record.`,
    ),
    ...facts.approvals.flatMap((approval) => ofApproval(approval, around)),
    ...facts.turns
      .filter(({ cause }) => cause === "follow_up")
      .map(({ turn, by, startedAt }) =>
        thought(`turn:${turn}`, startedAt, `The agent reads what ${said(by?.name ?? "somebody", 60)} added.`),
      ),
    ...facts.sandboxes
      .filter(({ slot }) => slot === "agent")
      .map(({ sandbox, provider, isolation, at }) => ({
        key: `sandbox:${sandbox}`,
        at,
        activity: action("Prepared", "a sandbox", `${provider}, ${isolation}`),
      })),
    ...facts.notices.map(({ text, at }, n) => thought(`notice:${n}`, at, said(text, 500))),
    ...facts.moves.flatMap((move, n) => ofMove(facts, around, { ...move, n })),
    ...(facts.pullRequest?.reviews ?? []).map(({ by, verdict, at }) =>
      response(
        `review:${by}:${at.getTime()}`,
        at,
        `${said(by, 60)} reviewed the pull request: ${said(verdict.replaceAll("_", " "))}.`,
      ),
    ),
  ];
  return due.sort((a, b) => a.at.getTime() - b.at.getTime());
}

/** What the agent does this moment; `null`: nothing that has a name. Shown until the next activity. */
export function underWay(facts: RunFacts): Due | null {
  const last = facts.commands.at(-1);
  if (facts.state !== "working" || last === undefined || last.status !== "running") return null;
  return {
    key: `tool:${last.tool}`,
    at: last.startedAt,
    activity: action("Runs", last.command ?? last.title, null),
  };
}

const thought = (key: string, at: Date, body: string): Due => ({ key, at, activity: { kind: "thought", body } });
const response = (key: string, at: Date, body: string): Due => ({ key, at, activity: { kind: "response", body } });
const action = (verb: string, parameter: string, result: string | null): Activity => ({
  kind: "action",
  action: verb,
  parameter: code(parameter, 300),
  result: result === null ? null : said(result, 300),
});

const slack = ({ threadUrl }: Around): string => (threadUrl === null ? "Slack" : link(threadUrl, "its Slack thread"));

const people = (approval: ApprovalFacts): string =>
  listed(
    [...new Set([...approval.asks.map(({ from }) => from), ...approval.escalated.map(({ to }) => to)])].map((from) =>
      said(groupName(from), 80),
    ),
  );

const GATES: Readonly<Record<ApprovalFacts["gate"], string>> = {
  start: "the start of this run",
  command: "a command",
  host: "a host",
  secret: "a secret",
  publish: "what would be published",
  budget: "more budget",
};

function ofApproval(approval: ApprovalFacts, around: Around): readonly Due[] {
  const { id, gate, askNo } = approval;
  const name = approval.subject[gate];
  const act = moreTimeOf(approval) === null ? GATES[gate] : "more time";
  const what = typeof name === "string" ? `${act} (${code(name, 200)})` : act;
  const goesOn = gate === "host" ? " The run goes on meanwhile." : "";
  const asked: Due = {
    key: `approval:${id}:${askNo}`,
    at: approval.openedAt,
    activity: {
      kind: "elicitation",
      body: `Somebody of **${listed(approval.asks.map(({ from }) => said(groupName(from), 80)))}** has to decide about ${what} until ${inUtc(approval.expiresAt)}, in ${slack(around)}. ${link(around.run.url, "The run page")} shows all that a yes covers. An answer on this ticket is no vote.${goesOn}`,
    },
  };
  return [
    asked,
    ...approval.escalated.map(({ to, at }) =>
      thought(
        `approval:${id}:to:${to}`,
        at,
        `Nobody has decided, so ${said(groupName(to), 80)} may answer in Slack too.`,
      ),
    ),
    ...approval.votes.map(({ by, choice, reason, at }) =>
      thought(
        `approval:${id}:by:${by.id}`,
        at,
        `${said(by.name, 60)} ${choice === "approve" ? "approved" : "denied"} ${what} in Slack${reason === null ? "." : `: ${said(reason, 500)}`}`,
      ),
    ),
    ...(approval.closedAt !== null && approval.status === "expired"
      ? [
          thought(
            `approval:${id}:expired`,
            approval.closedAt,
            `Nobody of ${people(approval)} decided about ${what} in time, so it waits. Press Ask again in ${slack(around)}.`,
          ),
        ]
      : []),
  ];
}

type Move = RunFacts["moves"][number] & { readonly n: number };

function ofMove(facts: RunFacts, around: Around, { to, from, at, n }: Move): readonly Due[] {
  const key = `move:${n}`;
  const { work } = facts;
  switch (to) {
    case "queued":
      return from === "requested" ? [thought(key, at, "Policy lets it start without asking anybody.")] : [];
    case "checking":
      return work === null
        ? []
        : [
            {
              key,
              at,
              activity: action("Committed", `${work.files.length} files`, `commit ${work.head.slice(0, 12)}`),
            },
          ];
    case "publishing": {
      const lines = facts.checks.map(
        ({ name, verdict }) => `${code(name, 80)} ${(verdict ?? "not run").replaceAll("_", " ")}`,
      );
      return [
        thought(
          key,
          at,
          lines.length === 0 ? "No checks are declared, so none were run." : `Our checks: ${listed(lines)}.`,
        ),
      ];
    }
    case "in_review":
      return [response(key, at, published(facts, around))];
    case "denied":
      return [response(key, at, denied(facts))];
    case "answered":
      return [
        response(
          key,
          at,
          `Nothing was changed, so there is no pull request. The agent's answer, in its own words:\n\n${quoted(facts.answer ?? "", 4_000)}`,
        ),
      ];
    case "cancelled": {
      const by = facts.stoppedBy;
      return [
        response(
          key,
          at,
          `${by === null ? "It was stopped." : `${said(by.name, 60)} stopped it.`} All its processes have ended.${facts.pullRequest?.state === "open" ? " Its pull request stays open: merge or close it yourself." : ""}`,
        ),
      ];
    }
    case "handed_off":
      return [{ key, at, activity: { kind: "error", body: handedOff(facts, around) } }];
    case "merged":
    case "closed": {
      const pull = facts.pullRequest;
      const where = pull === null ? code(around.run.repo) : link(pull.url, `${pull.repo} #${pull.number}`);
      return [
        response(
          key,
          at,
          `${said(pull?.by ?? "Somebody", 60)} ${to === "merged" ? "merged" : "closed"} pull request ${where}.`,
        ),
      ];
    }
    default:
      return [];
  }
}

function published(facts: RunFacts, around: Around): string {
  const { pullRequest: pull, approvals } = facts;
  const yes = approvals.flatMap(({ votes }) =>
    votes.filter(({ choice }) => choice === "approve").map(({ by }) => said(by.name, 60)),
  );
  const where = pull === null ? code(around.run.repo) : link(pull.url, `${pull.repo} #${pull.number}`);
  return [
    // On a forge "ready for review" means that it is no draft. At this moment the record knows which it is.
    pull?.draft === false
      ? `Pull request ${where} is ready for review. We never merge: a person does.`
      : `Draft pull request ${where} waits for a review. We never merge: a person does.`,
    yes.length === 0 ? "Policy asked nobody." : `Approved by ${listed([...new Set(yes)])}.`,
    `Its signed receipt and the record are on ${link(around.run.url, "the run page")}.`,
  ].join(" ");
}

function denied(facts: RunFacts): string {
  const vote = facts.approvals.flatMap(({ votes }) => votes).findLast(({ choice }) => choice === "deny");
  if (vote !== undefined) {
    const why = vote.reason === null ? "." : `: ${said(vote.reason, 500)}`;
    return `${said(vote.by.name, 60)} said no${why} Change the request as they say, then ask again.`;
  }
  const decision = facts.decisions.findLast(({ outcome }) => outcome === "deny");
  const end = facts.moves.at(-1)?.why ?? null;
  const spoken = end === null ? "Policy does not allow it." : `It was denied: ${said(end, 300)}.`;
  if (decision === undefined) return spoken;
  const rules = decision.rules.map(({ text, at }) => `rule ${code(text, 240)} at ${code(at, 160)}`);
  // What no rule denies, the run's end says in words.
  if (decision.reason === "no_sandbox" || decision.reason === "no_recipe") {
    return `${spoken} It is ${listed(rules)}. Whoever keeps the policy can change that.`;
  }
  return `Policy does not allow ${code(decision.subject)}: ${POLICY_REASONS[decision.reason ?? "rule"] ?? said(decision.reason ?? "")}. ${rules.length === 0 ? "No rule allows it." : `It is ${listed(rules)}.`} Whoever keeps the policy can change that.`;
}

function handedOff({ handoff }: RunFacts, around: Around): string {
  if (handoff === null) return `A person has to go on. ${link(around.run.url, "The run page")} has the record.`;
  return [
    `It could not be finished, so a person has to go on.`,
    `- Failed: ${said(handoff.failed, 700)}`,
    `- This looks like ${FAULTS[handoff.fault]}.`,
    `- Next: ${said(handoff.next, 500)}`,
    handoff.branch === null
      ? `- ${link(around.run.url, "The run page")} has what was done so far.`
      : `- Go on from branch ${code(handoff.branch)}.`,
  ].join("\n");
}

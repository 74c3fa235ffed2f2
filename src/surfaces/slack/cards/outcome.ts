import type { Fault } from "#runs/event.ts";
import type { RunFacts } from "#runs/facts.ts";
import type { RunTitle, View } from "#runs/view.ts";
import { policyReason } from "#surfaces/slack/words.ts";
import { actions, type Card, card, context, section } from "./blocks.ts";
import { changed, cost, elapsed, name, openPullRequest, openRun, ruleLine, STATES, whyButton } from "./facts.ts";
import { capital, code, link, quoted, said, sentence } from "./text.ts";

/** Whose doing a failure looks like. */
const FAULTS: Readonly<Record<Fault, string>> = {
  code: "the code in the repository",
  environment: "the environment: setup, network or tools",
  policy: "policy",
  budget: "the budget",
  model: "the model or the agent",
  us: "us",
};

interface Ending {
  readonly plain: string;
  readonly lines: readonly (string | null)[];
}

/** How a run ended, when its end is not the receipt. */
export function outcomeCard({ run, facts }: Extract<View, { kind: "outcome" }>): Card {
  const ending = endingOf(run, facts);
  return card(`Run ${run.number} for ${name(facts.request.by)} ${STATES[facts.state]}. ${ending.plain}`, [
    section(`*Run ${run.number} ${STATES[facts.state]}.*`, ...ending.lines),
    context(
      `asked for by ${name(facts.request.by)}`,
      `team ${said(run.team, 60)}`,
      said(run.agent, 80),
      `${cost(run, facts)} spent`,
      elapsed(facts, facts.last),
    ),
    actions(openPullRequest(run, facts), openRun(run), whyButton(run)),
  ]);
}

function endingOf(run: RunTitle, facts: RunFacts): Ending {
  switch (facts.state) {
    case "denied":
      return denied(facts);
    case "answered":
      return {
        plain: "The answer is in the thread; nothing was changed.",
        lines: [
          ...refusals(facts),
          "Nothing was changed, so there is no pull request. The agent's answer, in its own words:",
          quoted(facts.answer ?? "", 2_000),
        ],
      };
    case "cancelled":
      return cancelled(facts);
    case "handed_off":
      return handedOff(facts);
    case "merged":
    case "closed":
      return settled(run, facts);
    default:
      return { plain: "It is not over.", lines: ["It is not over; the status message says how far it is."] };
  }
}

function denied(facts: RunFacts): Ending {
  const vote = facts.approvals.flatMap((approval) => approval.votes).findLast((one) => one.choice === "deny");
  if (vote) {
    const reason = vote.reason === null ? null : quoted(vote.reason, 500);
    return {
      plain: `${name(vote.by)} denied it. Change the request as the reason says and ask again.`,
      lines: [
        `${name(vote.by)} denied it${reason === null ? "." : ":"}`,
        reason,
        "Change the request as they say, then mention me again.",
      ],
    };
  }
  const decision = facts.decisions.findLast((one) => one.outcome === "deny");
  const why = facts.moves.at(-1)?.why ?? null;
  const spoken = why === null ? "Policy does not allow it." : capital(sentence(why, 300));
  if (decision === undefined) {
    return { plain: `${spoken} The run page has the record.`, lines: [spoken, "The run page has the record."] };
  }
  const { subject, reason, rules } = decision;
  const change = UNMET_NEXT[reason ?? ""];
  if (change !== undefined) {
    return { plain: `${spoken} The thread names the line.`, lines: [spoken, ...rules.map(ruleLine), change] };
  }
  const first = `Policy does not allow ${code(subject)}: ${policyReason(reason)}.`;
  if (rules.length === 0) {
    const next = "No rule allows it. To change that, add one to the team's policy file and have its owners review it.";
    return { plain: "Policy does not allow it. The thread says how to change it.", lines: [first, next] };
  }
  return {
    plain: "Policy does not allow it. The thread names the rule and how to change it.",
    lines: [
      first,
      ...rules.map(ruleLine),
      "To change that, edit the rule in the policy repository and have its owners review it. Then ask again.",
    ],
  };
}

/** What a person can do when a line ended the run that is no rule: then the run's end says in words what is wrong. */
const UNMET_NEXT: Readonly<Record<string, string>> = {
  no_sandbox:
    "To change that, have the policy's owners edit the line, or whoever runs this service bring a sandbox that meets it. Then ask again.",
  no_recipe: "To go on, ask in your own words, or have the policy's owners bring the recipe back.",
};

function cancelled(facts: RunFacts): Ending {
  const end = facts.moves.at(-1);
  const by = facts.stoppedBy ?? end?.by ?? null;
  const why = by === null ? (end?.why ?? null) : null;
  const who =
    by !== null
      ? `${name(by)} stopped it.`
      : why === null
        ? "It was stopped."
        : `It was stopped: ${sentence(why, 150)}`;
  const open = facts.pullRequest?.state === "open";
  const next = why === null ? "Mention me to ask for something else." : "The run page has the record.";
  return {
    plain: `${who} ${open ? "Its pull request stays open." : next}`,
    lines: [
      who,
      "All its processes have ended.",
      changed(facts) === null
        ? "Nothing was committed."
        : `Committed before that: ${changed(facts)}, ${code(facts.work?.head.slice(0, 12) ?? "")}.`,
      open ? "Its pull request stays open: merge or close it yourself." : null,
    ],
  };
}

function handedOff(facts: RunFacts): Ending {
  const { handoff } = facts;
  if (handoff === null)
    return { plain: "A person has to go on.", lines: ["A person has to go on. The run page has the record."] };
  return {
    plain: `${sentence(handoff.failed, 100)} Next: ${sentence(handoff.next, 100)}`,
    lines: [
      "It could not be finished, so a person has to go on.",
      `Tried: ${sentence(handoff.tried, 500)}`,
      `Failed: ${sentence(handoff.failed, 700)}`,
      `This looks like ${FAULTS[handoff.fault]}.`,
      `Next: ${sentence(handoff.next, 500)}`,
      whereabouts(facts, handoff.branch),
    ],
  };
}

/** What policy or a person refused while the agent was at work. Its own words may not say so, and people need the rule. */
const refusals = (facts: RunFacts): readonly string[] => [
  ...facts.decisions
    .filter((one) => one.outcome === "deny")
    .map(
      (one) =>
        `Policy refused ${said(one.about, 40)} ${code(one.subject, 200)}: ${policyReason(one.reason)}. ${one.rules.map(ruleLine).join(" ")}`,
    ),
  ...facts.approvals.flatMap(({ gate, votes }) =>
    votes
      .filter((vote) => vote.choice === "deny")
      .map(
        (vote) =>
          `${name(vote.by)} denied the ${gate}${vote.reason === null ? "." : `: ${sentence(vote.reason, 200)}`}`,
      ),
  ),
];

/** Where the work is that did not become a pull request. What a scan says must not leave is handed out nowhere. */
function whereabouts(facts: RunFacts, branch: string | null): string {
  if (branch !== null) return `Go on from branch ${code(branch)}.`;
  const work = changed(facts);
  if (work === null) return "Nothing was committed.";
  const held = facts.scans.some((scan) => scan.findings.some((finding) => finding.blocks));
  return held ? "Nothing was pushed." : `Nothing was pushed. The run page has the work so far as a patch: ${work}.`;
}

function settled(run: RunTitle, facts: RunFacts): Ending {
  const { pullRequest } = facts;
  const by = said(pullRequest?.by ?? "somebody", 60);
  const where =
    pullRequest === null ? code(run.repo) : link(pullRequest.url, `${pullRequest.repo} #${pullRequest.number}`);
  const verb = facts.state === "merged" ? "merged" : "closed";
  return {
    plain: `${by} ${verb} pull request ${pullRequest === null ? "" : `#${pullRequest.number}`} on ${said(run.repo, 80)}. Nothing is left to do.`,
    lines: [`${by} ${verb} pull request ${where}.`, changed(facts)],
  };
}

import type { RunFacts } from "#runs/facts.ts";
import type { View } from "#runs/view.ts";
import { actions, type Card, card, context, section } from "./blocks.ts";
import { approvalLine, changed, checkLine, cost, name, network, openPullRequest, openRun, whyButton } from "./facts.ts";
import { code, count, duration, link, listed, quoted, said, short, some } from "./text.ts";

const LINES_MOST = 8;

/** The pull request with what it rests on: checks, approvals, network, cost, signature. */
export function receiptCard({ run, facts }: Extract<View, { kind: "receipt" }>): Card {
  const { pullRequest } = facts;
  const where =
    pullRequest === null ? code(run.repo) : link(pullRequest.url, `${pullRequest.repo} #${pullRequest.number}`);
  const plainly = pullRequest === null ? said(run.repo, 80) : `${said(pullRequest.repo, 80)} #${pullRequest.number}`;
  return card(
    `Run ${run.number} for ${name(facts.request.by)}: pull request ${plainly} ${state(facts)}. ${verdict(facts)} ${todo(facts)}`,
    [
      section(
        `*Run ${run.number}: pull request ${where}* ${state(facts)}.`,
        quoted(facts.request.text, 300),
        changed(facts) === null
          ? null
          : `${changed(facts)}, commit ${code(facts.work?.head.slice(0, 12) ?? "")}, asked for by ${name(facts.request.by)}.`,
      ),
      section(...checks(facts)),
      section(...findings(facts)),
      section("*Approvals*", ...approvals(facts)),
      section("*Network*", ...hosts(facts)),
      context(
        said(run.agent, 80),
        `model ${said(facts.request.model, 80)}`,
        `${cost(run, facts)} spent`,
        `${duration((pullRequest?.at ?? facts.last).getTime() - facts.request.at.getTime())} from the request`,
        `policy ${code(facts.request.policy.commit.slice(0, 12))}`,
      ),
      signature(facts),
      actions(openPullRequest(run, facts), openRun(run), whyButton(run)),
    ],
  );
}

function state(facts: RunFacts): string {
  const { pullRequest } = facts;
  if (pullRequest === null) return "is not open yet";
  if (pullRequest.state === "open") return pullRequest.draft ? "is open as a draft" : "is open";
  return `was ${pullRequest.state} by ${said(pullRequest.by ?? "somebody", 60)}`;
}

const todo = (facts: RunFacts): string =>
  facts.pullRequest?.state === "open" ? "Review it, then merge or close it." : "Nothing is left to do.";

function verdict(facts: RunFacts): string {
  if (facts.checks.length === 0) return "No checks are declared.";
  const red = facts.checks.filter((check) => check.verdict !== "green" && check.verdict !== "fixed");
  return red.length === 0
    ? `${count(facts.checks.length, "check")} green.`
    : `${red.length} of ${facts.checks.length} checks not green.`;
}

function checks(facts: RunFacts): string[] {
  if (facts.checks.length === 0) {
    return ["*Checks*", "None are declared for this repository, so nothing was checked. This is not a green result."];
  }
  return ["*Checks*, run by us on a clean checkout", ...some(facts.checks.map(checkLine), LINES_MOST)];
}

/** What our scans of the diff found; the reader should look there first. */
function findings(facts: RunFacts): string[] {
  const found = facts.scans.flatMap((scan) => scan.findings.map((finding) => ({ scan: scan.name, ...finding })));
  if (found.length === 0) return [];
  const lines = found.map(
    (one) =>
      `${said(one.what, 160)}: ${code(`${one.path}${one.line === null ? "" : `:${one.line}`}`)}${one.blocks ? " *blocks*" : ""}`,
  );
  return ["*Look here first*", ...some(lines, LINES_MOST)];
}

function approvals(facts: RunFacts): readonly string[] {
  return facts.approvals.length === 0 ? ["Policy asked nobody."] : some(facts.approvals.map(approvalLine), LINES_MOST);
}

function hosts(facts: RunFacts): string[] {
  const { reached, refused } = network(facts);
  return [
    reached.length === 0 ? "No host outside was reached." : `Reached ${listed(some(reached, LINES_MOST))}.`,
    ...(refused.length === 0 ? [] : [`Refused ${listed(some(refused, LINES_MOST))}.`]),
  ];
}

function signature(facts: RunFacts) {
  if (facts.receipt === null) return context("The receipt is not signed yet.");
  return context(
    `Receipt ${code(short(facts.receipt.digest))} signed by ${code(facts.receipt.keyId)}. Check it without us: ${code("countersign receipt verify <file>")}`,
  );
}

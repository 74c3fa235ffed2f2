import type { PullRequestText } from "#ports/repo-host.ts";
import { addedUsd } from "./budget-added.ts";
import type { RunFacts } from "./facts.ts";
import type { Run } from "./run.ts";

/** Markdown's own characters in what others wrote: a file name or a sentence must not become a link or a heading. */
const plain = (text: string): string => text.replace(/[\\`*_{}[\]<>#|!@]/g, "\\$&").replace(/\s+/g, " ");

/** In a code span nothing is escaped and only a backtick ends it. */
const code = (text: string): string => `\`${text.replaceAll("`", "'").replace(/\s+/g, " ")}\``;

/** A link where the address can stand in one; else the words alone. */
const linked = (text: string, url: string): string =>
  /^https?:\/\/[^\s()<>|]+$/.test(url) ? `[${plain(text)}](${url})` : plain(text);

const quote = (text: string): string[] => text.split("\n").map((line) => `> ${plain(line)}`);

const money = (usd: number): string => `$${usd.toFixed(2)}`;

/** The request's first line as a subject: no markup is read in one, so nothing is escaped; cut between two words. */
export function subjectOf(run: { readonly text: string; readonly number: number }, most: number): string {
  const line = (run.text.split("\n", 1)[0] ?? "").replace(/\s+/g, " ").trim();
  if (line === "") return `Run ${run.number}`;
  if (line.length <= most) return line;
  const words = line.slice(0, most - 1).replace(/\s+\S*$/, "");
  return `${words}…`;
}

/** The pull request as its reviewer meets it: who asked, what it rests on, and the receipt. A fold of the events. */
export function pullRequestText(
  run: Pick<Run, "id" | "number" | "team" | "requester" | "model" | "scope">,
  facts: RunFacts,
  runUrl: string,
  agent: string,
): PullRequestText {
  // The request from the record, where known secrets are redacted: a pull request may be public.
  const { text, recipe, ticket } = facts.request;
  const title = subjectOf({ text: recipe?.title ?? text, number: run.number }, 100);
  const approvals = facts.approvals
    .filter((approval) => approval.status === "approved")
    .map((approval) => {
      const names = approval.votes
        .filter((vote) => vote.choice === "approve")
        .map(({ by }) => {
          const place = approval.delegated.find(({ to }) => to.id === by.id);
          return place === undefined ? by.name : `${by.name} for ${place.by.name}`;
        });
      return `${plain(names.join(", "))} (${approval.gate}) \`${approval.digest.slice(7, 15)}\``;
    });
  const rows: readonly (readonly [string, string])[] = [
    ["Asked by", `${plain(run.requester.name)}, for ${run.team}`],
    ...(ticket === undefined ? [] : [["Ticket", linked(ticket.name, ticket.url)] as const]),
    ["Approved by", approvals.length > 0 ? approvals.join("; ") : "nobody had to: policy allows it"],
    ["Policy", `\`${facts.request.policy.commit.slice(0, 12)}\` \`${facts.request.policy.digest.slice(7, 15)}\``],
    ["Agent", `${plain(agent)}, model \`${run.model}\``],
    ["Commit", `\`${facts.work?.head ?? ""}\``],
    [
      "Cost",
      `${money(facts.spent.usd)} of ${money((run.scope?.limits.costUsd ?? 0) + addedUsd(facts))}, ${facts.spent.calls} model ${facts.spent.calls === 1 ? "call" : "calls"}`,
    ],
    [
      "Hosts refused",
      facts.hosts
        .filter((host) => host.refused > 0)
        .map((host) => `\`${host.host}:${host.port}\``)
        .join(", ") || "none",
    ],
    [
      "Receipt",
      facts.receipt ? `signed by \`${facts.receipt.keyId}\`, over ${facts.receipt.events} events` : "not signed",
    ],
  ];
  const checks =
    facts.checks.length === 0
      ? ["No checks are declared for this repository: nothing was run, and that is not green."]
      : [
          "| check | base | this change | verdict |",
          "| --- | --- | --- | --- |",
          ...facts.checks.map(
            (check) =>
              `| ${code(check.name).replaceAll("|", "\\|")} | ${exit(check.base?.exitCode)} | ${exit(check.head?.exitCode)} | ${(check.verdict ?? "not_run").replace("_", " ")} |`,
          ),
        ];
  const look = facts.scans.flatMap((scan) => scan.findings.map((found) => `- ${found.what}: ${code(found.path)}`));
  const added = facts.turns.filter((turn) => turn.cause === "follow_up");
  const said = facts.said.at(-1)?.text ?? "";
  return {
    title,
    body: [
      "> The request, as it was made:",
      ...quote(text),
      ...added.flatMap((turn) => ["", `${plain(turn.by?.name ?? "Someone")} added:`, "", ...quote(turn.text)]),
      "",
      "| | |",
      "| --- | --- |",
      ...rows.map(([name, value]) => `| ${name} | ${value} |`),
      "",
      "## Checks, run by us on a clean checkout",
      "",
      ...checks,
      "",
      ...(look.length > 0 ? ["## Look at these first", "", ...look, ""] : []),
      ...(said === "" ? [] : ["## What the agent says (its words, not ours)", "", ...quote(said), ""]),
      `[Run ${run.number}](${runUrl}), [receipt](${runUrl}/receipt.json). Verify it with \`countersign receipt verify\`.`,
      "",
      `<!-- countersign run ${run.id} -->`,
    ].join("\n"),
  };
}

const exit = (code: number | null | undefined): string =>
  code === undefined ? "–" : code === null ? "stopped" : code === 0 ? "green" : `exit ${code}`;

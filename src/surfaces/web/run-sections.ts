import { pill, time } from "./frame.ts";
import type { Html } from "./markup.ts";
import { h, link } from "./markup.ts";
import type { ApprovalRow, CheckRow, CheckVerdict, HostRow, Mark, RunPage } from "./run-view.ts";
import { clip, counted, grouped, money, readable, spelled } from "./text.ts";
import { changeTotals } from "./timeline.ts";

/** A section of the run page; `null` when there is nothing to say yet. */
export type Section = (page: RunPage) => Html | null;

const VERDICTS: Record<CheckVerdict, { mark: Mark | "plain"; word: string }> = {
  green: { mark: "ok", word: "green" },
  fixed: { mark: "ok", word: "fixed" },
  broke: { mark: "no", word: "broke" },
  already_red: { mark: "wait", word: "already red" },
  flaky: { mark: "wait", word: "flaky" },
  not_run: { mark: "plain", word: "not run" },
};

const FAULTS: Record<NonNullable<RunPage["handoff"]>["fault"], string> = {
  code: "It looks like the code.",
  environment: "It looks like the environment, not the code.",
  policy: "Policy stopped it.",
  budget: "The budget was spent.",
  model: "It looks like the model.",
  us: "It looks like our fault.",
};

export const ending: Section = ({ handoff, answer }) => {
  if (handoff !== null) {
    return h`<h2>Handed off</h2><p class="who"><b>${FAULTS[handoff.fault]}</b></p><table class="gap"><tr><th>Tried</th><td>${handoff.tried}</td></tr><tr><th>Failed</th><td>${handoff.failed}</td></tr><tr><th>Next</th><td>${handoff.next}</td></tr></table>`;
  }
  return answer === null ? null : h`<h2>Answer</h2><blockquote>${clip(readable(answer))}</blockquote>`;
};

export const checks: Section = ({ checks: found }) => {
  const { rows, head, declared, touchedTests, note } = found;
  if (rows.length === 0 && declared) return null;
  const title =
    head === null
      ? h`Checks`
      : h`Checks, run by us on a clean checkout of <span class="mono">${head.slice(0, 7)}</span>`;
  const notes = [
    touchedTests.length === 0
      ? null
      : h`The change touches what judges it: ${touchedTests.map((path, i) => h`${i === 0 ? "" : ", "}<code>${path}</code>`)}.`,
    note,
    declared ? null : "Policy declares no checks for this repository. Nothing here says that the change works.",
  ].filter((line) => line !== null);
  return h`<h2>${title}</h2>${
    rows.length === 0
      ? ""
      : h`<table><thead><tr><th></th><th>base</th><th>this change</th><th class="n">time</th></tr></thead><tbody>${rows.map(checkRow)}</tbody></table>`
  }${notes.map((line) => h`<p class="who gap">${line}</p>`)}`;
};

function checkRow(row: CheckRow): Html {
  const { mark, word } = row.verdict === null ? { mark: "info" as const, word: "running" } : VERDICTS[row.verdict];
  const output = clip(readable(row.output));
  return h`<tr><td><span class="mono">${row.name}</span>${row.required ? "" : h` <span class="rule">advisory</span>`}</td><td>${
    row.base === null ? "–" : pill(row.base.ok ? "ok" : "no", row.base.words)
  }</td><td>${pill(mark, row.words ?? word)}</td><td class="n">${row.ms === null ? "" : spelled(row.ms)}</td></tr>${
    output === ""
      ? ""
      : h`<tr><td colspan="4" class="cont"><details><summary><span>${row.command ?? "what it found"}</span><span class="rule">output</span></summary><pre tabindex="0">${output}</pre></details></td></tr>`
  }`;
}

export const files: Section = (page) => {
  if (page.files.length === 0) return null;
  const rows = page.files.map(
    (file) =>
      h`<tr><td class="mono">${file.path}</td><td class="who">${file.status}</td><td class="n">${
        file.additions === null || file.deletions === null
          ? "binary"
          : h`<span class="add">+${grouped(file.additions)}</span> <span class="del">−${grouped(file.deletions)}</span>`
      }</td></tr>`,
  );
  return h`<h2>Changed: ${changeTotals(page)}</h2><table>${rows}</table>`;
};

export const receipt: Section = ({ receipt: signed, pullRequest, id, number }) => {
  if (signed === null && pullRequest === null) return null;
  const button =
    pullRequest === null
      ? null
      : h`${link("Open pull request", pullRequest.href, "btn")}<p class="who gap">${pullRequest.ref}, ${pullRequest.state}</p>`;
  const file = `${number}.json`;
  const proof =
    signed === null
      ? h`<p class="who gap">The receipt is not signed yet.</p>`
      : h`<table class="gap"><tr><td>Signed over</td><td class="n">${counted(signed.events, "event")}</td></tr><tr><td>Key</td><td class="n mono">${signed.keyId}</td></tr><tr><td>Digest</td><td class="n rule">${shortDigest(signed.digest)}</td></tr></table><p class="gap"><a href="/runs/${id}/receipt.json" download="${file}">Download</a>, then</p><ul class="lines"><li><code>countersign receipt verify ${file}</code></li></ul>`;
  return h`<h2>Receipt</h2>${button}${proof}`;
};

export const spending: Section = ({ usage }) => {
  const { usd, limitUsd } = usage;
  const share = limitUsd === null || limitUsd === 0 ? null : Math.min(1, usd / limitUsd);
  return h`<h2>Money</h2><b class="num">${money(usd)}</b>${
    limitUsd === null
      ? ", and policy sets no limit"
      : h` of ${money(limitUsd)}${share === null ? "" : h`<progress class="bar" max="100" value="${Math.round(share * 100)}" aria-label="share of the budget that is spent">${Math.round(share * 100)} %</progress>`}`
  }<table><tr><td>Model</td><td class="n">${counted(usage.calls, "call")}</td></tr><tr><td>Tokens</td><td class="n">${grouped(usage.inputTokens)} in · ${grouped(usage.outputTokens)} out</td></tr>${
    usage.cachedTokens === 0 ? "" : h`<tr><td>From cache</td><td class="n">${grouped(usage.cachedTokens)}</td></tr>`
  }${usage.sandboxMs === 0 ? "" : h`<tr><td>Sandbox</td><td class="n">${spelled(usage.sandboxMs)}</td></tr>`}</table>`;
};

export const network: Section = ({ hosts }) =>
  h`<h2>Network</h2>${
    hosts.length === 0 ? h`<p class="who">Nothing was reached.</p>` : h`<table>${hosts.flatMap(hostRow)}</table>`
  }`;

function hostRow({ host, port, allowed, refused, reason, rule }: HostRow): Html[] {
  const name = `${host}${port === null ? "" : `:${port}`}`;
  const rows: Html[] = [];
  if (allowed > 0) rows.push(h`<tr><td class="mono">${name}</td><td class="n">${counted(allowed, "call")}</td></tr>`);
  if (refused > 0) {
    rows.push(
      h`<tr><td><span class="mono del">${name}</span>${reason === null ? "" : h`<br><span class="rule">${reason}${rule === null ? "" : ` · ${rule}`}</span>`}</td><td class="n del">refused ${grouped(refused)}</td></tr>`,
    );
  }
  return rows;
}

export const approvals: Section = (page) => {
  if (page.approvals.length === 0) return null;
  return h`<h2>Approvals</h2><table>${page.approvals.map((approval) => approvalRows(page, approval))}</table>`;
};

const STATUS: Record<ApprovalRow["status"], { mark: Mark | "plain"; word: string }> = {
  pending: { mark: "wait", word: "waiting" },
  approved: { mark: "ok", word: "approved" },
  denied: { mark: "no", word: "denied" },
  expired: { mark: "plain", word: "expired" },
  void: { mark: "plain", word: "void" },
};

function approvalRows(page: RunPage, approval: ApprovalRow): Html {
  const { mark, word } = STATUS[approval.status];
  const votes = approval.votes.map(
    (vote) =>
      h`<tr><td class="cont">${vote.by}${vote.reason === null ? "" : h`<blockquote>${vote.reason}</blockquote>`}</td><td class="n cont">${pill(
        vote.choice === "approve" ? "ok" : "no",
        vote.choice === "approve" ? "yes" : "no",
      )} <span class="rule">${time(vote.at, page.startedAt)}</span></td></tr>`,
  );
  const refused = approval.refused.map(
    (click) =>
      h`<tr><td class="cont">${click.by}</td><td class="n cont">${pill("no", "did not count")}</td></tr><tr><td colspan="2" class="cont rule">${click.why}</td></tr>`,
  );
  return h`<tr><td>${approval.gate}</td><td class="n">${pill(mark, word, mark === "wait" ? "wait" : undefined)}</td></tr><tr><td colspan="2" class="cont rule">${approval.from}</td></tr>${votes}${refused}<tr><td colspan="2" class="cont"><span class="rule">${shortDigest(approval.digest)}${
    approval.rule === null ? "" : ` · ${approval.rule.at}`
  }${approval.status === "pending" ? h`<br>expires ${time(approval.expiresAt, page.startedAt)}` : ""}</span></td></tr>`;
}

export const policy: Section = ({ policy: pinned, rules, team }) =>
  h`<h2>Policy</h2><p class="who">${link(`${pinned.repo ?? team.name}@${pinned.commit.slice(0, 12)}`, pinned.href, "mono")} <span class="rule">${shortDigest(pinned.digest)}</span></p>${
    rules.length === 0
      ? ""
      : h`<table class="gap">${rules.map(
          ({ outcome, rule }) =>
            h`<tr><td>${pill(outcome === "allow" ? "ok" : outcome === "ask" ? "wait" : "no", outcome)}</td><td><code>${rule.text}</code><br><span class="rule">${rule.at}</span>${rule.why === null ? "" : h`<blockquote>${rule.why}</blockquote>`}</td></tr>`,
        )}</table>`
  }`;

export const byHand: Section = ({ byHand: lines, patch, checks: { base } }) => {
  if (patch !== null) {
    return h`<h2>Continue by hand</h2><p><a href="${patch.href}" download="${patch.file}">Download the change</a>${
      base === null ? "" : h`, made on <span class="mono">${base.slice(0, 12)}</span>`
    }, then</p><ul class="lines"><li><code>git apply ${patch.file}</code></li></ul>`;
  }
  return lines.length === 0
    ? null
    : h`<h2>Continue by hand</h2><ul class="lines">${lines.map((line) => h`<li><code>${line}</code></li>`)}</ul>`;
};

/** "sha256:9c1e4b7a…": enough to compare by eye; the whole is in the receipt. */
const shortDigest = (digest: string): string => digest.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1…");

import { QUICK_MS, type QuickRule } from "#runs/quick-yes.ts";
import { pill, renderPage, time } from "./frame.ts";
import type { Html } from "./markup.ts";
import { h, link } from "./markup.ts";
import { DEMO, statePill } from "./run-page.ts";
import type { RunLine } from "./run-view.ts";
import { counted, day, grouped, money } from "./text.ts";

/**
 * The list of runs, as given: newest first. `who` is signed in; `null`: nobody in particular. `quick`: rules whose questions
 * are answered unread, for who may know.
 */
export function renderRunIndex(runs: readonly RunLine[], who: string | null, quick: readonly QuickRule[] = []): string {
  const list =
    runs.length === 0
      ? h`<p class="who">There is no run ${who === null ? "yet" : "that you may see"}. Write to <b>@agent</b> in a channel, and it appears here.</p>`
      : h`<table class="runs" role="table"><tr role="row">${HEAD}</tr>${runs.map(line)}</table>`;
  return renderPage({
    title: "Runs · Countersign",
    body: h`<header class="top"><h1>Runs</h1>${who === null ? "" : h`<p class="crumb">Signed in as <a href="/signin">${who}</a></p>`}</header>${unread(quick)}<section>${list}</section>`,
  });
}

function unread(quick: readonly QuickRule[]): Html | null {
  if (quick.length === 0) return null;
  const lines = quick.map(
    ({ rule, answers, quick: yeses }) =>
      h`<li>${pill("wait", `${grouped(yeses)} of ${grouped(answers)}`)} <code>${rule.text}</code> <span class="rule">${rule.at}</span></li>`,
  );
  return h`<section><h2>Approved faster than read</h2><p class="who">Of what these rules ask, nearly every answer of the last 90 days was a yes within ${QUICK_MS / 1_000} seconds. A question that nobody reads guards nothing: allow it, or ask about less.</p><ul class="lines">${lines}</ul></section>`;
}

const HEAD = [
  h`<th role="columnheader" scope="col"><span class="sr">Number</span></th>`,
  h`<th role="columnheader" scope="col">Request</th>`,
  h`<th role="columnheader" scope="col">Asked by</th>`,
  h`<th role="columnheader" scope="col" class="n">Cost</th>`,
  h`<th role="columnheader" scope="col" class="n">State</th>`,
];

/** The roles are said because a narrow screen draws the rows as blocks, and they would be lost with the table. */
function line(run: RunLine): Html {
  const pull = run.pullRequest === null ? "" : h` · ${link(run.pullRequest.ref, run.pullRequest.href)}`;
  const cells = [
    h`<td role="cell" class="who num">${run.number}</td>`,
    h`<td role="cell"><a href="/runs/${run.id}">${run.title}</a><br><span class="who">${run.repo} · ${day(run.startedAt)}, ${time(run.startedAt)}${pull}</span>${run.demo ? h` ${DEMO}` : ""}</td>`,
    h`<td role="cell">${run.requester}<br> <span class="who">in ${run.team}</span></td>`,
    h`<td role="cell" class="n">${money(run.usd)}<br> <span class="who">${counted(run.tokens, "token")}</span></td>`,
    h`<td role="cell" class="n">${statePill(run.state)}</td>`,
  ];
  return h`<tr role="row">${cells}</tr>`;
}

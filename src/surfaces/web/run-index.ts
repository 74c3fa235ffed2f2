import { renderPage, time } from "./frame.ts";
import type { Html } from "./markup.ts";
import { h, link } from "./markup.ts";
import { statePill } from "./run-page.ts";
import type { RunLine } from "./run-view.ts";
import { day } from "./text.ts";

/** The list of runs, as given: newest first. */
export function renderRunIndex(runs: readonly RunLine[]): string {
  const list =
    runs.length === 0
      ? h`<p class="who">There is no run yet. Write to <b>@agent</b> in a channel, and it appears here.</p>`
      : h`<table>${runs.map(line)}</table>`;
  return renderPage({
    title: "Runs · Countersign",
    body: h`<header class="top"><h1>Runs</h1></header><section>${list}</section>`,
  });
}

function line(run: RunLine): Html {
  const pull = run.pullRequest === null ? "" : h` · ${link(run.pullRequest.ref, run.pullRequest.href)}`;
  return h`<tr><td class="who num">${run.number}</td><td><a href="/runs/${run.id}">${run.title}</a><br><span class="who">${run.requester} in ${run.team} · ${run.repo} · ${day(run.startedAt)}, ${time(run.startedAt)}${pull}</span></td><td class="n">${statePill(run.state)}</td></tr>`;
}

import { icon, pill, time } from "./frame.ts";
import type { Html } from "./markup.ts";
import { h, link } from "./markup.ts";
import type { CommandView, RunPage, TimelineItem, Words } from "./run-view.ts";
import { clip, counted, grouped, readable, spelled } from "./text.ts";

/** One `<li>` of what happened, under its own id so that a reader's place is never lost. */
export function timelineItem(page: RunPage, item: TimelineItem, attributes: Html): Html {
  return h`<li${attributes}><span class="mark ${item.mark}">${icon(item.mark)}</span><span class="t">${time(item.at, page.startedAt)}</span>${words(item.words)}${
    item.quote === null ? "" : quote(item.quote)
  }${item.command === null ? "" : command(item.command)}</li>`;
}

// A longer quotation is folded: it would push the rest of the story away.
const QUOTE_LINES = 12;

function quote({ by, text }: NonNullable<TimelineItem["quote"]>): Html {
  const said = clip(readable(text), { head: 30, tail: 30, width: 4000 });
  const whole = h`<blockquote>${by === "" ? "" : h`<span class="who">${by}: </span>`}${said}</blockquote>`;
  const lines = said.split("\n");
  if (lines.length <= QUOTE_LINES) return whole;
  return h`<details class="long"><summary><span>${lines[0]}</span><span class="rule">${counted(lines.length, "line")}</span></summary>${whole}</details>`;
}

export function words(pieces: Words): Html {
  return h`${pieces.map((piece) => {
    if (typeof piece === "string") return piece;
    if ("code" in piece) return h`<code>${piece.code}</code>`;
    if ("who" in piece) return h`<b>${piece.who}</b>`;
    if ("source" in piece) return h`<span class="rule">${piece.source}</span>`;
    if ("link" in piece) return link(piece.link, piece.href);
    return h`<span class="add num">+${grouped(piece.added)}</span> <span class="del num">−${grouped(piece.deleted)}</span>`;
  })}`;
}

// Output up to here is open when the command failed; more would push the rest of the story away.
const OPEN_LINES = 24;

/** A command, its end, and what it printed. Only a short failure is open from the start. */
export function command(run: CommandView): Html {
  const output = clip(readable(run.output));
  const failed = run.ended && run.exitCode !== 0;
  const facts = [
    run.ms === null ? null : spelled(run.ms),
    run.cutBytes === 0 ? null : `the first ${grouped(run.cutBytes)} bytes are not kept`,
    run.refusedHosts.length === 0
      ? null
      : `${run.refusedHosts.join(", ")} ${run.refusedHosts.length === 1 ? "was" : "were"} refused while it ran`,
  ].filter((fact) => fact !== null);
  return h`<details${failed && output !== "" && output.split("\n").length <= OPEN_LINES ? h` open` : ""}><summary><span>${run.line}</span>${exit(run)}</summary>${
    output === "" ? "" : h`<pre tabindex="0">${output}</pre>`
  }${
    facts.length > 0 || output === ""
      ? h`<div class="aside">${[...(output === "" ? ["no output"] : []), ...facts].join(" · ")}</div>`
      : ""
  }</details>`;
}

function exit({ ended, exitCode }: CommandView): Html {
  if (!ended) return pill("info", "running", "info");
  if (exitCode === null) return pill("no", "killed", "no");
  return pill(exitCode === 0 ? "ok" : "no", `exit ${exitCode}`);
}

/** "2 files", and how many lines came and went. */
export function changeTotals(page: RunPage): Html {
  const added = page.files.reduce((sum, file) => sum + (file.additions ?? 0), 0);
  const deleted = page.files.reduce((sum, file) => sum + (file.deletions ?? 0), 0);
  return h`${counted(page.files.length, "file")} ${words([{ added, deleted }])}`;
}

import { createHash } from "node:crypto";
import type { RunState } from "#runs/state.ts";
import { isFinal } from "#runs/state.ts";
import { pill, renderPage, time } from "./frame.ts";
import type { Html } from "./markup.ts";
import { h, link, trusted } from "./markup.ts";
import type { Section } from "./run-sections.ts";
import { approvals, byHand, checks, ending, files, network, policy, receipt, spending } from "./run-sections.ts";
import type { Mark, RunPage } from "./run-view.ts";
import { brief, spelled } from "./text.ts";
import { timelineItem } from "./timeline.ts";

/** A part of the page that is replaced as a whole, or added at the end of `parent` when it is new. */
export interface Fragment {
  readonly id: string;
  readonly parent: string | null;
  /** Changes exactly when `html` does; also in the element's `data-v`. */
  readonly version: string;
  readonly html: string;
}

const STATES: Record<RunState, { mark: Mark | "plain"; shape: Mark }> = {
  requested: { mark: "info", shape: "info" },
  waiting: { mark: "wait", shape: "wait" },
  queued: { mark: "info", shape: "info" },
  preparing: { mark: "info", shape: "info" },
  working: { mark: "info", shape: "info" },
  checking: { mark: "info", shape: "info" },
  publishing: { mark: "info", shape: "info" },
  suspended: { mark: "wait", shape: "wait" },
  in_review: { mark: "ok", shape: "info" },
  denied: { mark: "no", shape: "no" },
  answered: { mark: "ok", shape: "ok" },
  cancelled: { mark: "plain", shape: "no" },
  handed_off: { mark: "no", shape: "no" },
  merged: { mark: "ok", shape: "ok" },
  closed: { mark: "plain", shape: "no" },
};

/** "in review": the name of the state, readable. */
export const stateWord = (state: RunState): string => state.replaceAll("_", " ");

export const statePill = (state: RunState): Html => pill(STATES[state].mark, stateWord(state), STATES[state].shape);

const MAIN: readonly [string, Section][] = [
  ["ending", ending],
  ["happened", () => null],
  ["checks", checks],
  ["files", files],
];
const ASIDE: readonly [string, Section][] = [
  ["receipt", receipt],
  ["money", spending],
  ["network", network],
  ["approvals", approvals],
  ["policy", policy],
  ["by-hand", byHand],
];

/** The page of a run. Readable as it is; `live.js` adds what happens later. */
export function renderRunPage(page: RunPage): string {
  const live = !isFinal(page.state);
  const section = ([name, draw]: [string, Section]): Html =>
    name === "happened" ? happened(page, live) : whole(sectionOf(page, name, draw));
  const body = h`<div id="run"${live ? h` data-events="/runs/${page.id}/events" data-version="${page.version}"` : ""}>${whole(head(page))}${whole(life(page))}<div class="grid"><div>${MAIN.map(([name, draw]) => section([name, draw]))}</div><aside>${ASIDE.map(([name, draw]) => section([name, draw]))}</aside></div></div>`;
  return renderPage({
    title: `Run ${page.number} · ${stateWord(page.state)} · ${page.repo.name}`,
    body,
    script: "/runs/live.js",
  });
}

/** Every part of the page, in reading order. What has the same version as before need not be sent. */
export function renderRunFragment(page: RunPage): readonly Fragment[] {
  return [
    head(page),
    life(page),
    ...[...MAIN, ...ASIDE].filter(([name]) => name !== "happened").map(([name, draw]) => sectionOf(page, name, draw)),
    ...page.timeline.map((item) => itemFragment(page, item)),
  ];
}

const whole = ({ html }: Fragment): Html => trusted(html);

/** `draw` gets the attributes its root element must carry. */
function fragment(id: string, parent: string | null, draw: (attributes: Html) => Html): Fragment {
  const version = createHash("sha256").update(draw(h``).toString()).digest("base64url").slice(0, 10);
  return { id, parent, version, html: draw(h` id="${id}" data-v="${version}"`).toString() };
}

function sectionOf(page: RunPage, name: string, draw: Section): Fragment {
  const inside = draw(page);
  return fragment(
    name,
    null,
    (attributes) => h`<section${attributes}${inside === null ? h` hidden` : ""}>${inside}</section>`,
  );
}

const itemFragment = (page: RunPage, item: RunPage["timeline"][number]): Fragment =>
  fragment(`e-${item.id}`, "timeline", (attributes) => timelineItem(page, item, attributes));

function happened(page: RunPage, live: boolean): Html {
  const items = page.timeline.map((item) => whole(itemFragment(page, item)));
  return h`<section><h2>What happened</h2><ol class="time" id="timeline">${items}</ol>${
    live ? h`<p class="live gap" id="live" role="status">Reload to see what happened since.</p>` : ""
  }</section>`;
}

/** No model thought of what the agent did. */
export const DEMO = pill("wait", "demo: scripted model");

function head(page: RunPage): Fragment {
  const { team, repo, place, agent, approvedBy } = page;
  const approved = approvedBy.map(
    (name, i) => h`${i === 0 ? "" : i === approvedBy.length - 1 ? " and " : ", "}<b>${name}</b>`,
  );
  return fragment(
    "head",
    null,
    (attributes) =>
      h`<header${attributes}><div class="crumb"><a href="/runs">Runs</a> / ${link(team.name, team.href)} / ${link(repo.name, repo.href)} / Run ${page.number}</div><h1>${page.title} ${statePill(page.state)}</h1><p class="who">Asked by <b>${page.requester}</b> in ${link(place.name, place.href)}${
        approved.length === 0 ? "" : h` · approved by ${approved}`
      } · ${agent.title}, <span class="mono">${agent.model}</span>${agent.demo ? h` ${DEMO}` : ""} · policy ${link(`${page.policy.repo ?? team.name}@${page.policy.commit.slice(0, 12)}`, page.policy.href, "mono")}${
        page.pullRequest === null ? "" : h` · ${link(page.pullRequest.ref, page.pullRequest.href)}`
      }</p></header>`,
  );
}

const LIFE: Partial<Record<RunState, "wait" | "ok">> = {
  waiting: "wait",
  suspended: "wait",
  checking: "ok",
  publishing: "ok",
  in_review: "ok",
};
const STEPS = 100;

/** The run's life in proportion; what would be thinner than a line is only spoken. Widths are classes: no inline style. */
function life(page: RunPage): Fragment {
  const spans = page.life.filter((span) => !isFinal(span.state));
  const total = spans.reduce((sum, span) => sum + span.ms, 0);
  const bars = spans.map(({ state, ms }) => {
    const share = total === 0 ? 1 / spans.length : ms / total;
    if (share < 1 / (2 * STEPS)) return null;
    const text =
      share < 0.04 ? null : h`${share < 0.1 ? "" : h`<span>${stateWord(state)}</span>`}<span>${brief(ms)}</span>`;
    return h`<div class="g${Math.round(share * STEPS)} ${LIFE[state] ?? "info"}${text === null ? " bare" : ""}" title="${stateWord(state)} ${spelled(ms)}">${text}</div>`;
  });
  const spoken = spans.map(({ state, ms }) => `${stateWord(state)} ${spelled(ms)}`).join(", ");
  return fragment(
    "life",
    null,
    (attributes) =>
      h`<div${attributes}><div class="life" role="img" aria-label="${spoken}">${bars}</div><div class="legend"><span>${time(page.startedAt)}</span><span>${summary(page)}</span><span>${
        page.endedAt === null ? "so far" : time(page.endedAt, page.startedAt)
      }</span></div></div>`,
  );
}

/** How long it took, and how much of that was people. */
function summary({ life: spans, pullRequest, startedAt }: RunPage): Html {
  const review = spans.findIndex((span) => span.state === "in_review");
  const until = pullRequest !== null && review >= 0 ? spans.slice(0, review) : spans;
  const sum = (list: RunPage["life"]): number => list.reduce((total, span) => total + span.ms, 0);
  const waited = sum(until.filter((span) => span.state === "waiting" || span.state === "suspended"));
  const took = sum(until);
  const opened = new Date(Date.parse(startedAt) + took).toISOString();
  return h`${until === spans ? "" : h`pull request at ${time(opened, startedAt)} · `}${spelled(took)}${
    waited === 0 ? "" : `, of which ${spelled(waited)} waited for a person`
  }`;
}

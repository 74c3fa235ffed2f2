import type { CheckReport } from "#ports/repo-host.ts";
import type { Decided, MergeTrial } from "./decide.ts";
import { diffView } from "./diff-view.ts";
import type { FormRefusal } from "./guard.ts";
import type { HostLook, Html } from "./look.ts";
import { markdown } from "./markdown.ts";
import type { Person } from "./records.ts";
import type { Review } from "./review.ts";
import { counts, crumbs, files, listed, shortOid, statePill, symbol, when } from "./words.ts";

/** Who looks at the page, with the tokens of the two acts they may press; `null` for somebody who may only read. */
export interface Seat {
  readonly viewer: Person;
  /** Set for an author of the pull request, who may not merge it: the names of those who may. */
  readonly instead: readonly string[] | null;
  readonly mergeToken: string;
  readonly closeToken: string;
}

/** Somebody who is known, may read it and decides nothing of it. `deciders`: who does, in words. */
export interface Spectator {
  readonly deciders: string;
}

/** The page of a pull request. `home` is the path the host's pages are under. `banner`: what a press led to. */
export function pullPage(
  look: HostLook,
  home: string,
  review: Review,
  seat: Seat | Spectator | null,
  banner: Html | null,
): string {
  const { h } = look;
  const { pull, text, opened, change } = review;
  const here = `${home}/${pull.repo}/pull/${pull.number}`;
  const changed = change?.files ?? [];
  const command = `git diff ${shortOid(change?.mergeBase ?? pull.base)} ${shortOid(pull.headOid)}`;
  const body = h`<header class="top">${crumbs(look, home, pull.repo, `#${pull.number}`)}<h1>${text.title} ${statePill(look, pull)}</h1><p class="who"><span class="mono">${pull.branch}</span> into <span class="mono">${pull.base}</span> · ${files(h, changed.length)} ${counts(h, changed)} · opened ${when(h, opened.at)}</p></header>${banner}<div class="grid"><div><section>${
    text.body.trim() === "" ? h`<p class="who">There is no description.</p>` : markdown(look, text.body)
  }</section></div><aside>${decisionBox(look, here, review, seat)}${checksBox(h, review.checks)}${commitsBox(h, review)}</aside></div>${
    change === null
      ? h`<section><p class="who">The branch ${pull.base}, or a commit, is gone. There is nothing to compare with.</p></section>`
      : changed.length === 0
        ? h`<section><p class="who">There is no change against ${pull.base}.</p></section>`
        : h`<h2>${files(h, changed.length)} changed</h2>${diffView(look, changed, command)}`
  }`;
  return look.page({ title: `${text.title} · ${pull.repo}#${pull.number}`, body });
}

function decisionBox(look: HostLook, here: string, review: Review, seat: Seat | Spectator | null): Html {
  const { h } = look;
  const { pull, decision } = review;
  if (decision !== null) {
    const merged = decision.kind === "merged";
    return h`<section><h2>${merged ? "Merged" : "Closed"}</h2><p><b>${decision.by.name}</b> ${merged ? "merged" : "closed"} it ${when(h, decision.at)}.</p>${
      decision.mergeOid === null
        ? ""
        : h`<p class="who">${pull.base} is at merge <span class="mono">${shortOid(decision.mergeOid)}</span>.</p>`
    }</section>`;
  }
  const hint = hintOf(h, pull.base, review.trial);
  if (seat === null) {
    return h`<section><h2>Decide</h2>${hint}<p class="who">Merging and closing are acts of a person. Open the start link, choose who you are, and come back.</p></section>`;
  }
  if ("deciders" in seat)
    return h`<section><h2>Decide</h2>${hint}<p class="who">It is merged and closed by ${seat.deciders}.</p></section>`;
  const { instead } = seat;
  const able = review.trial?.kind === "clean" || review.trial?.kind === "contained";
  const form = (act: "merge" | "close", token: string, button: Html): Html =>
    h`<form method="post" action="${here}/${act}"><input type="hidden" name="token" value="${token}"><input type="hidden" name="head" value="${pull.headOid}">${button}</form>`;
  return h`<section><h2>Decide</h2><p class="who">You are <b>${seat.viewer.name}</b>. ${able && instead === null && pull.draft ? "This is a draft; merging makes it ready first." : ""}</p>${hint}${
    able && instead !== null ? h`<p class="gap">${ownWords(instead)}</p>` : ""
  }<div class="acts gap">${
    able && instead === null ? form("merge", seat.mergeToken, h`<button class="btn">Merge</button>`) : ""
  }${form("close", seat.closeToken, h`<button class="btn quiet">Close</button>`)}</div></section>`;
}

function hintOf(h: HostLook["h"], base: string, trial: MergeTrial | null): Html | string {
  if (trial === null) return h`<p class="gap">${base} is gone. It can be closed, not merged.</p>`;
  if (trial.kind === "clean") return "";
  if (trial.kind === "contained")
    return h`<p class="gap">${base} has these commits already. Merging only records it.</p>`;
  if (trial.kind === "unmergeable") return h`<p class="gap">It cannot be merged: ${trial.reason}.</p>`;
  return h`<p class="gap">It conflicts with ${base} in ${trial.files.map((file, i) => h`${i === 0 ? "" : ", "}<code>${file}</code>`)}. ${askAgain(base)}</p>`;
}

const CONCLUSIONS: Record<CheckReport["conclusion"], { mark: string; word: string }> = {
  success: { mark: "ok", word: "green" },
  failure: { mark: "no", word: "red" },
  neutral: { mark: "plain", word: "neutral" },
  skipped: { mark: "plain", word: "skipped" },
};

function checksBox(h: HostLook["h"], checks: readonly CheckReport[]): Html {
  const rows = checks.map((check) => {
    const { mark, word } = CONCLUSIONS[check.conclusion];
    return h`<tr><td>${check.name}</td><td class="n"><span class="pill ${mark}">${word}</span></td></tr>${
      check.summary === "" ? "" : h`<tr><td colspan="2" class="cont rule">${check.summary}</td></tr>`
    }`;
  });
  return h`<section><h2>Checks</h2>${
    rows.length === 0 ? h`<p class="who">Nothing was reported on this commit.</p>` : h`<table>${rows}</table>`
  }</section>`;
}

function commitsBox(h: HostLook["h"], { change, pull, cloneUrl }: Review): Html {
  const rows = (change?.commits ?? []).map(
    (commit) =>
      h`<tr><td>${commit.subject}<br><span class="who">${commit.author}</span></td><td class="n mono">${shortOid(commit.oid)}</td></tr>`,
  );
  return h`<section><h2>Commits</h2>${rows.length === 0 ? "" : h`<table>${rows}</table>`}${cloneUrl === null ? "" : h`<ul class="lines gap"><li><code>git fetch ${cloneUrl} ${pull.branch}</code></li></ul>`}</section>`;
}

/** What a press led to, when it did not lead to a merge or a close. */
export function refusalBanner(
  look: HostLook,
  base: string,
  why: Refused,
  /** Of a conflict the files, of an author's own merge the people who may. */
  names: readonly string[],
): Html {
  const { h } = look;
  return h`<section class="banner no" role="alert"><p>${symbol(h, "no")} <b>Nothing was changed.</b> ${REFUSALS[why](base, names)}</p>${
    why !== "conflict" ? "" : h`<p>${names.map((file, i) => h`${i === 0 ? "" : ", "}<code>${file}</code>`)}</p>`
  }</section>`;
}

/** A run in review takes no more words: whoever asks again gets a new one. */
const askAgain = (base: string): string => `Close it and ask again: the next run starts from ${base} as it is then.`;

/** To an author, before the press and after it. */
const ownWords = (instead: readonly string[]): string =>
  `You asked for this change or added to it, so somebody else has to merge it. ${
    instead.length === 0 ? "Everybody here did, so nobody here can. It can be closed." : `${listed(instead)} can.`
  }`;

type Refused = Exclude<Decided["kind"], "merged" | "closed"> | FormRefusal | "signed_out" | "own" | "reads";

const REFUSALS: Record<Refused, (base: string, names: readonly string[]) => string> = {
  own: (_base, instead) => ownWords(instead),
  not_found: () => "The pull request is not there.",
  already: () => "Someone got there first; the page shows what they decided.",
  head_moved: () => "The branch moved while you were reading. Look at the change again, then press.",
  base_gone: (base) => `${base} does not exist any more.`,
  base_moved: (base) => `${base} kept moving. Press again.`,
  conflict: (base) => `The change conflicts with ${base} in these files. ${askAgain(base)}`,
  unmergeable: () => "git cannot merge these two histories.",
  elsewhere: () => "The press did not come from this page.",
  outdated: () => "The page was from another session. It is fresh now: press again.",
  reads: () => "You may read this and not decide it.",
  signed_out: () => "Nobody is signed in. Open the start link and choose who you are.",
};

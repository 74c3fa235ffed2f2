import type { PullRequest } from "#ports/repo-host.ts";
import type { FileDiff } from "./diff.ts";
import type { HostLook, Html } from "./look.ts";

type H = HostLook["h"];

export const shortOid = (oid: string): string => (/^[0-9a-f]{40,}$/.test(oid) ? oid.slice(0, 7) : oid);

/** A shape of the frame's own symbols; the word beside it says the same. */
export const symbol = (h: H, name: "ok" | "no" | "wait" | "info"): Html =>
  h`<svg class="sign" width="12" height="12" aria-hidden="true"><use href="#${name}"/></svg>`;

/** "draft", "open", "merged" or "closed": a word, a shape, a colour. */
export function statePill({ h }: HostLook, pull: Pick<PullRequest, "state" | "draft">): Html {
  const word = pull.state === "open" && pull.draft ? "draft" : pull.state;
  const [mark, shape] = (
    { draft: ["plain", "info"], open: ["info", "info"], merged: ["ok", "ok"], closed: ["no", "no"] } as const
  )[word];
  return h`<span class="pill ${mark}">${symbol(h, shape)}${word}</span>`;
}

export function crumbs({ h }: HostLook, home: string, repo: string, last: string | null): Html {
  return h`<div class="crumb"><a href="${home === "" ? "/" : home}">Repositories</a> / ${
    last === null ? repo : h`<a href="${home}/${repo}">${repo}</a> / ${last}`
  }</div>`;
}

export const files = (h: H, n: number): Html => h`${n} ${n === 1 ? "file" : "files"}`;

export function counts(h: H, changed: readonly FileDiff[]): Html {
  const added = changed.reduce((sum, file) => sum + (file.additions ?? 0), 0);
  const deleted = changed.reduce((sum, file) => sum + (file.deletions ?? 0), 0);
  return h`<span class="num"><span class="add">+${added}</span> <span class="del">−${deleted}</span></span>`;
}

/** "Bo", "Bo or Cy", "Bo, Cy or Dee". */
export const listed = (names: readonly string[]): string =>
  names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} or ${names.at(-1)}`;

/** "24 Nov, 14:32:20", UTC, with the whole date on hover. */
export function when(h: H, at: string): Html {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return h`${at}`;
  const show = (o: Intl.DateTimeFormatOptions): string =>
    new Intl.DateTimeFormat("en-GB", { ...o, timeZone: "UTC" }).format(date);
  const day = show({ day: "numeric", month: "short" });
  const iso = date.toISOString();
  const whole = `${show({ weekday: "long", day: "numeric", month: "long", year: "numeric" })}, ${iso.slice(11, 19)} UTC`;
  return h`<time datetime="${iso}" title="${whole}">${day}, ${iso.slice(11, 19)}</time>`;
}

import { createHash } from "node:crypto";
import type { Html } from "./markup.ts";
import { h, trusted } from "./markup.ts";
import type { Mark } from "./run-view.ts";
import { STYLE } from "./style.ts";
import { clockTime, day, fullTime, iso } from "./text.ts";

const SYMBOLS = trusted(
  `<svg width="0" height="0" class="sr" aria-hidden="true"><symbol id="ok" viewBox="0 0 12 12"><path d="M2 6.5 5 9.5 10 3" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></symbol><symbol id="no" viewBox="0 0 12 12"><path d="M3 3l6 6M9 3l-6 6" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></symbol><symbol id="wait" viewBox="0 0 12 12"><path d="M4 3v6M8 3v6" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/></symbol><symbol id="info" viewBox="0 0 12 12"><circle cx="6" cy="6" r="2.5" fill="currentColor"/></symbol></svg>`,
);

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/**
 * Sent with every page. Nothing inline runs, nothing is loaded from elsewhere, nobody may frame a page. `same-origin`
 * and not `no-referrer`: with that, browsers send "Origin: null" on the forms whose origin we check.
 */
export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    "script-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
};

/** A whole document. `body` is the inside of `<main>`. `script`: the address of a module of ours. */
export function renderPage(o: { title: string; body: Html; script?: string }): string {
  return h`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${o.title}</title><style>${trusted(STYLE)}</style>${
    o.script === undefined ? "" : h`<script type="module" src="${o.script}"></script>`
  }</head><body>${SYMBOLS}<main>${o.body}</main></body></html>
`.toString();
}

/** A page that says one thing and what to do about it. */
export function renderNote(o: {
  title: string;
  words: readonly string[];
  action?: { text: string; href: string };
}): string {
  return renderPage({
    title: `${o.title} · Countersign`,
    body: h`<section class="note"><h1>${o.title}</h1>${o.words.map((line) => h`<p>${line}</p>`)}${
      o.action === undefined ? "" : h`<p><a class="btn" href="${o.action.href}">${o.action.text}</a></p>`
    }</section>`,
  });
}

/** The shape of a mark. Decorative: the words beside it say the same. */
export const icon = (mark: Mark): Html => h`<svg aria-hidden="true"><use href="#${mark}"/></svg>`;

/** A state as a word with its shape. */
export const pill = (mark: Mark | "plain", word: string, shape?: Mark): Html =>
  h`<span class="pill ${mark}">${shape === undefined ? "" : icon(shape)}${word}</span>`;

/** A time of day, with the day on hover, and in the text too when it is not the day of `since`. */
export function time(at: string, since?: string): Html {
  const other = since !== undefined && iso(at).slice(0, 10) !== iso(since).slice(0, 10);
  return h`<time datetime="${iso(at)}" title="${fullTime(at)}">${other ? `${day(at)} ` : ""}${clockTime(at)}</time>`;
}

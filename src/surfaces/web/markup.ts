import { html, raw } from "hono/html";
import { readable } from "./text.ts";

/** Markup that is safe to send: made by `h`, or vouched for by `trusted`. */
export type Html = ReturnType<typeof raw>;

/** A template whose every value is escaped, except markup made by `h`. Lists are joined, `null` and `false` are nothing. */
export function h(strings: TemplateStringsArray, ...values: readonly unknown[]): Html {
  const made = html(strings, ...values.map(shown));
  if (made instanceof Promise) throw new TypeError("a page is made of what is known, not of promises");
  return made;
}

/** Text of ours that is markup already: a style sheet, a symbol. Never anything a person or an agent wrote. */
export const trusted = (markup: string): Html => raw(markup);

/** Whatever text comes in is made readable on the way, so that no page can forget it. */
function shown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value === "string") return readable(value);
  return value;
}

/** Only http(s) and paths of ours may be followed; `null` for anything else, such as "javascript:". */
export function safeHref(href: string): string | null {
  if (/^\/(?![/\\])/.test(href) || href.startsWith("#")) return href;
  try {
    const { protocol } = new URL(href);
    return protocol === "https:" || protocol === "http:" ? href : null;
  } catch {
    return null;
  }
}

/** A link where the target may be followed, else its text. */
export function link(text: unknown, href: string | null, className = ""): Html {
  const target = href === null ? null : safeHref(href);
  if (target === null) return className === "" ? h`${text}` : h`<span class="${className}">${text}</span>`;
  return h`<a href="${target}" rel="noreferrer"${className === "" ? "" : h` class="${className}"`}>${text}</a>`;
}

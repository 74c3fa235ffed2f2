import { cut, visible } from "#surfaces/slack/cards/text.ts";

/**
 * Words for Linear's markdown. What people or agents wrote goes through `said`, `code` or `quoted`, so that it makes no link,
 * image, mention or heading by itself.
 */

/** What begins or ends markup somewhere: https://spec.commonmark.org/0.31.2/#backslash-escapes. */
const escaped = (text: string): string => text.replace(/[\\`*_{}[\]<>()#+!|~@&]/g, "\\$&");

/** A foreign text within a sentence: one line. An address in it makes no link: the colon after its scheme is written out. */
export const said = (text: string, most = 200): string =>
  escaped(cut(visible(text).replace(/\s+/g, " ").trim(), most)).replace(/\b(https?|ftp|mailto)(?=:)/gi, "$1\u200b");

/** A foreign text as code. A backtick cannot end it. */
export function code(text: string, most = 200): string {
  const line = cut(visible(text).replaceAll("\n", " ").trim(), most).replaceAll("`", "ˋ");
  return line === "" ? "(empty)" : `\`${line}\``;
}

const QUOTED_LINES = 40;

/** A foreign text as a quotation, each line marked. */
export function quoted(text: string, most: number): string {
  const lines = cut(visible(text).trim(), most).split("\n");
  const more = lines.length - QUOTED_LINES;
  return [
    ...lines.slice(0, QUOTED_LINES).map((line) => `> ${said(line, most)}  `),
    ...(more > 0 ? [`> … and ${more} more lines on the run page.`] : []),
  ].join("\n");
}

/** A link of ours; what is no http address is shown as text. */
export const link = (url: string, label: string): string =>
  URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
    ? `[${said(label)}](<${new URL(url).href.replaceAll(">", "%3E").replaceAll("<", "%3C")}>)`
    : said(label);

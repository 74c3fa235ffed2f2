/**
 * Words for Slack's mrkdwn. Everything that people or agents wrote goes through `said`, `code` or `quoted`; nothing
 * else may put a foreign text on a card. Text objects are `verbatim`, so Slack makes no link or mention by itself,
 * and an escaped "<" cannot make one.
 */

/** Characters that hide or reorder what one reads: controls, zero-width, bidirectional marks (CVE-2021-42574), tags. */
const HIDDEN = /\p{Cc}|\p{Cf}|\p{Cs}|\p{Co}|\p{Zl}|\p{Zp}/gu;

/** What cannot be seen is written out: "\\u202e". Line ends stay. */
export const visible = (text: string): string =>
  text
    .replaceAll("\r\n", "\n")
    .replaceAll("\t", " ")
    .replace(HIDDEN, (char) =>
      char === "\n" ? char : `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
    );

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

/** At most `most` characters, cut between characters; the cut is shown. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = text.charCodeAt(most - 2) >= 0xd800 && text.charCodeAt(most - 2) <= 0xdbff ? most - 2 : most - 1;
  return `${text.slice(0, end).trimEnd()}…`;
}

/** Whole lines of finished markup, as many as fit: a line cut in half could change what it says. */
export function wholeLines(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = text.lastIndexOf("\n", most - 40);
  const note = "… the run page has the rest.";
  return end > 0 ? `${text.slice(0, end)}\n${note}` : note;
}

/**
 * A foreign text for a plain-text field. Slack documents no markup there, and no escape either: a bracket that could
 * begin a token becomes another.
 */
export const bare = (text: string, most: number): string =>
  cut(visible(text).replace(/\s+/g, " ").trim(), most).replaceAll("<", "‹").replaceAll(">", "›");

/** Where Slack would begin or end markup: not within a word. */
const MARKS = /(?<![\p{L}\p{N}])[*_~]|[*_~](?![\p{L}\p{N}])/gu;
/** A colon that begins an emoji's name; numbers between colons are positions in a file. */
const EMOJI = /:(?=(?:[\w+-]*[a-z+-][\w+-]*|100|1234):)/gi;

/** A foreign text within a sentence: one line, no markup, no emoji of its own. */
export function said(text: string, most = 200): string {
  const line = cut(visible(text).replace(/\s+/g, " ").trim(), most);
  return escaped(line.replaceAll("`", "ˋ"))
    .replace(MARKS, (mark) => `${mark}\u200b`)
    .replace(EMOJI, ":\u200b");
}

/** `said`, with a full stop when it has no end of its own. */
export function sentence(text: string, most = 200): string {
  const words = said(text, most);
  return /[.!?…:]\u200b?$/.test(words) ? words : `${words}.`;
}

/** A foreign text as code: paths, hosts, commands. A backtick cannot end it. */
export function code(text: string, most = 200): string {
  const line = cut(visible(text).replace(/\n/g, " ").trim(), most).replaceAll("`", "ˋ");
  return line === "" ? "(empty)" : `\`${escaped(line)}\``;
}

/** A foreign text of several lines as code. */
export function codeBlock(text: string, most: number): string {
  return `\`\`\`\n${escaped(cut(visible(text).trim(), most).replaceAll("`", "ˋ"))}\n\`\`\``;
}

const QUOTED_LINES = 16;

/** A foreign text as a quotation, each line marked. A fence would not be read as one in there, so it is left out. */
export function quoted(text: string, most: number): string {
  const lines = cut(visible(text).trim(), most)
    .split("\n")
    .filter((line) => !/^\s*```\w*\s*$/.test(line));
  const more = lines.length - QUOTED_LINES;
  return [
    ...lines.slice(0, QUOTED_LINES).map((line) => `>${said(line, most)}`),
    ...(more > 0 ? [`>… and ${count(more, "line")} more on the run page.`] : []),
  ].join("\n");
}

/** A link of ours. Only http and https; anything else is shown as text. */
export function link(url: string, label: string): string {
  const address = safeUrl(url);
  return address === null
    ? said(label)
    : `<${escaped(address).replaceAll("|", "%7C")}|${said(label).replaceAll("|", "/")}>`;
}

/** The address when it is one that a button may open, else `null`. */
export function safeUrl(url: string): string | null {
  return URL.canParse(url) && /^https?:$/.test(new URL(url).protocol) && url.length <= 3_000 ? url : null;
}

/** A moment in each reader's own time zone. https://docs.slack.dev/messaging/formatting-message-text#date-formatting */
export function moment(at: Date, style: "time" | "day" = "time"): string {
  const format = style === "time" ? "{time}" : "{date_short_pretty} {time}";
  return `<!date^${Math.floor(at.getTime() / 1000)}^${format}|${inUtc(at)}>`;
}

/** For plain text: "14:02 UTC". */
export const inUtc = (at: Date): string => `${at.toISOString().slice(11, 16)} UTC`;

/** "under 1 s", "7 s", "4 min", "2 h 5 min". */
export function duration(ms: number): string {
  if (ms < 1_000) return "under 1 s";
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const rest = minutes % 60;
  return rest === 0 ? `${Math.floor(minutes / 60)} h` : `${Math.floor(minutes / 60)} h ${rest} min`;
}

/** "$0.12". Below a cent it says so rather than nothing. */
export const money = (usd: number): string => (usd > 0 && usd < 0.005 ? "under $0.01" : `$${usd.toFixed(2)}`);

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** "1 file", "2 files". */
export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

/** "a", "a and b", "a, b and c". */
export function listed(items: readonly string[], last = "and"): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} ${last} ${items.at(-1)}`;
}

/** The first `most`, then how many more there are: nothing is left out silently. */
export function some(items: readonly string[], most: number): readonly string[] {
  return items.length <= most ? items : [...items.slice(0, most), `and ${items.length - most} more`];
}

/** "group:leads" as people say it. */
export const groupName = (from: string): string => from.replace(/^group:/, "");

/** "sha256:9f86d081…" as people compare it: its first eight digits. */
export const short = (digest: string): string => digest.replace(/^sha256:/, "").slice(0, 8);

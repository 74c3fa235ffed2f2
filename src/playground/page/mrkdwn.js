// @ts-check
/** Slack's mrkdwn, and the little Markdown that agents write, as nodes. */

import { h } from "./dom.js";
import { icon, REACTIONS } from "./icons.js";

/** @import { State } from "./state.js" */
/** @import { Rich } from "./types.js" */

/** @param {string} text */
const plain = (text) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** Anything but these schemes is shown as text. @param {string} url */
const isSafe = (url) => /^(https?:|mailto:)/i.test(url);

/** @param {string} url @param {string} label @returns {Node} */
export function link(url, label) {
  if (!isSafe(url)) return document.createTextNode(label);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label);
}

/** @param {State} state @param {string} id */
export function userMention(state, id) {
  const user = state.users.get(id);
  return h("span", { class: `at${id === state.me ? " at-me" : ""}` }, `@${user ? user.name : id}`);
}

/** @param {State} state @param {string} id */
function groupMention(state, id) {
  const group = state.groups.get(id);
  const mine = group?.users.includes(state.me) ?? false;
  const names = group?.users.map((user) => state.users.get(user)?.real_name ?? user).join(", ") ?? "";
  return h("span", { class: `at${mine ? " at-me" : ""}`, title: names }, `@${group ? group.handle : id}`);
}

/** @param {number} seconds @param {string} format Slack's, such as "{date_short_pretty} {time}" */
function date(seconds, format) {
  const when = new Date(seconds * 1_000);
  const time = when.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  const day = when.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  const shown = format
    .replace(/\{time_secs\}/g, when.toLocaleTimeString("en-GB"))
    .replace(/\{time\}/g, time)
    .replace(/\{date_num\}/g, when.toISOString().slice(0, 10))
    .replace(/\{date[a-z_]*pretty\}/g, when.toDateString() === new Date().toDateString() ? "today" : day)
    .replace(/\{[a-z_]+\}/g, day);
  return h("time", { datetime: when.toISOString(), title: when.toString() }, shown);
}

/** What stands between `<` and `>`. @param {State} state @param {string} inner @returns {Node} */
function token(state, inner) {
  const [target = "", label] = inner.split("|", 2);
  if (target.startsWith("@")) return userMention(state, target.slice(1));
  if (target.startsWith("#"))
    return h("span", { class: "at" }, `#${state.channels.get(target.slice(1))?.name ?? label ?? target}`);
  if (target.startsWith("!subteam^")) return groupMention(state, target.slice(9));
  if (target.startsWith("!date^")) {
    const [, seconds = "", format = ""] = target.split("^");
    return Number(seconds) > 0 ? date(Number(seconds), format) : document.createTextNode(label ?? "");
  }
  if (target.startsWith("!")) return h("span", { class: "at" }, `@${target.slice(1)}`);
  return link(plain(target), plain(label ?? target));
}

/** @param {string} text @returns {Node[]} */
function shortcodes(text) {
  return text.split(/(:[a-z0-9_+-]+:)/).map((part) => {
    const known = REACTIONS[part.slice(1, -1)];
    return known && part.startsWith(":")
      ? h("span", { class: "mark" }, icon(known.icon, known.word))
      : document.createTextNode(plain(part));
  });
}

/** A mark before a space, or before a space of no width, is no mark: that is how an app takes one back. */
const INLINE =
  /(`[^`\n]+`)|<([^<>]+)>|(?<![\w*])\*(?=[^\s\u200b])([^*\n]*[^*\s])\*(?![\w*])|(?<![\w_])_(?=[^\s\u200b])([^_\n]*[^_\s])_(?![\w_])|(?<![\w~])~(?=[^\s\u200b])([^~\n]*[^~\s])~(?![\w~])/g;

/** @param {State} state @param {string} text @returns {Node[]} */
function inline(state, text) {
  /** @type {Node[]} */
  const nodes = [];
  let last = 0;
  for (const match of text.matchAll(INLINE)) {
    nodes.push(...shortcodes(text.slice(last, match.index)));
    last = match.index + match[0].length;
    const [, code, angle, bold, italic, strike] = match;
    if (code) nodes.push(h("code", {}, plain(code.slice(1, -1))));
    else if (angle) nodes.push(token(state, angle));
    else if (bold) nodes.push(h("b", {}, ...inline(state, bold)));
    else if (italic) nodes.push(h("i", {}, ...inline(state, italic)));
    else if (strike) nodes.push(h("s", {}, ...inline(state, strike)));
  }
  nodes.push(...shortcodes(text.slice(last)));
  return nodes;
}

/** Lines of one kind together: quotes, list items, text. @param {State} state @param {string} text @returns {Node[]} */
function lines(state, text) {
  /** @type {{ kind: string, lines: string[] }[]} */
  const groups = [];
  for (const line of text.split("\n")) {
    const kind = line.startsWith("&gt;") || line.startsWith(">") ? "quote" : /^\s*[•◦-] /.test(line) ? "list" : "text";
    const group = groups.at(-1);
    if (group?.kind === kind) group.lines.push(line);
    else groups.push({ kind, lines: [line] });
  }
  return groups.flatMap((group) => {
    if (group.kind === "quote") {
      const body = group.lines.map((line) => line.replace(/^(&gt;|>) ?/, "")).join("\n");
      return [h("blockquote", {}, ...lines(state, body))];
    }
    if (group.kind === "list") {
      return [h("ul", {}, ...group.lines.map((line) => h("li", {}, ...inline(state, line.replace(/^\s*[•◦-] /, "")))))];
    }
    return group.lines.flatMap((line, i) => [...(i > 0 ? [h("br")] : []), ...inline(state, line)]);
  });
}

/** @param {State} state @param {string} text @returns {Node[]} */
export function mrkdwn(state, text) {
  return text.split(/```\n?([\s\S]*?)\n?```/).flatMap((part, i) => {
    if (i % 2 === 1) return [h("pre", { tabindex: 0 }, plain(part))];
    const trimmed = part.replace(/^\n+|\n+$/g, "");
    return trimmed === "" ? [] : lines(state, trimmed);
  });
}

/** A text object or a bare text. @param {State} state @param {any} text @returns {Node[]} */
export function textNodes(state, text) {
  if (!text) return [];
  if (typeof text === "string") return shortcodes(text);
  return text.type === "mrkdwn" ? mrkdwn(state, text.text) : shortcodes(text.text);
}

/** @param {State} state @param {Rich} piece @returns {Node} */
function richPiece(state, piece) {
  const style = typeof piece.style === "object" ? piece.style : {};
  /** @type {Node} */
  let node;
  if (piece.type === "user") node = userMention(state, piece.user_id ?? "");
  else if (piece.type === "usergroup") node = groupMention(state, piece.usergroup_id ?? "");
  else if (piece.type === "channel")
    node = h("span", { class: "at" }, `#${state.channels.get(piece.channel_id ?? "")?.name ?? ""}`);
  else if (piece.type === "broadcast") node = h("span", { class: "at" }, `@${piece.range}`);
  else if (piece.type === "link") node = link(piece.url ?? "", piece.text ?? piece.url ?? "");
  else if (piece.type === "emoji")
    node = shortcodes(`:${piece.name}:`)[1] ?? document.createTextNode(`:${piece.name}:`);
  else if (piece.type === "date")
    node = document.createTextNode(piece.fallback ?? new Date((piece.timestamp ?? 0) * 1_000).toLocaleString("en-GB"));
  else node = document.createTextNode(piece.text ?? "");
  if (style.code) node = h("code", {}, node);
  if (style.bold) node = h("b", {}, node);
  if (style.italic) node = h("i", {}, node);
  if (style.strike) node = h("s", {}, node);
  return node;
}

/** @param {State} state @param {Rich[]} elements @returns {HTMLElement[]} */
export function richText(state, elements) {
  return elements.map((part) => {
    const inner = (part.elements ?? []).map((piece) =>
      piece.type === "rich_text_section"
        ? h("li", {}, ...(piece.elements ?? []).map((each) => richPiece(state, each)))
        : richPiece(state, piece),
    );
    if (part.type === "rich_text_list") return h(part.style === "ordered" ? "ol" : "ul", {}, ...inner);
    if (part.type === "rich_text_quote") return h("blockquote", {}, ...inner);
    if (part.type === "rich_text_preformatted") return h("pre", { tabindex: 0 }, ...inner);
    return h("p", { class: "rich" }, ...inner);
  });
}

/** Markdown's inline marks, by way of mrkdwn's. @param {State} state @param {string} text */
function markdownInline(state, text) {
  const asMrkdwn = text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/\[([^\]]+)\]\((https?:[^)\s]+)\)/g, "<$2|$1>")
    .replace(/\*\*([^*]+)\*\*/g, "*$1*")
    .replace(/~~([^~]+)~~/g, "~$1~");
  return inline(state, asMrkdwn);
}

/** One paragraph, heading, list or quote. @param {State} state @param {string} piece @returns {HTMLElement} */
function markdownPiece(state, piece) {
  const heading = /^#{1,4} (.*)/.exec(piece);
  if (heading) return h("h4", {}, ...markdownInline(state, heading[1] ?? ""));
  const rows = piece.split("\n");
  if (rows.every((row) => /^\s*([-*]|\d+\.) /.test(row))) {
    const items = rows.map((row) => h("li", {}, ...markdownInline(state, row.replace(/^\s*([-*]|\d+\.) /, ""))));
    return h(/^\s*\d/.test(piece) ? "ol" : "ul", {}, ...items);
  }
  if (rows.every((row) => row.startsWith(">"))) {
    return h("blockquote", {}, ...markdownInline(state, rows.map((row) => row.replace(/^> ?/, "")).join(" ")));
  }
  return h("p", {}, ...rows.flatMap((row, i) => [...(i > 0 ? [h("br")] : []), ...markdownInline(state, row)]));
}

/** The `markdown` block: headings, lists, code, paragraphs. @param {State} state @param {string} text @returns {HTMLElement[]} */
export function markdown(state, text) {
  return text.split(/```[a-z]*\n?([\s\S]*?)\n?```/).flatMap((part, i) => {
    if (i % 2 === 1) return [/** @type {HTMLElement} */ (h("pre", { tabindex: 0 }, part))];
    return part
      .split(/\n{2,}|\n(?=#{1,4} )|(?<=^#{1,4} .*)\n/m)
      .map((piece) => piece.trim())
      .filter((piece) => piece !== "")
      .map((piece) => markdownPiece(state, piece));
  });
}

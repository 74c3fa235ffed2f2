import type { HostLook, Html } from "./look.ts";

// A body is cut here: what is longer is no description.
const MAX_LENGTH = 64 * 1024;
const MAX_DEPTH = 6;

/**
 * A small, safe subset of Markdown: headings, paragraphs, lists, quotes, tables, rules, code, emphasis and links.
 * HTML in it is shown as text (a line that is one comment is for programs and not shown), images as links, and only http(s) links may be followed.
 */
export function markdown({ h }: HostLook, text: string): Html {
  const cut = text.length > MAX_LENGTH;
  const lines = text.slice(0, MAX_LENGTH).replaceAll("\r\n", "\n").replaceAll("\t", "    ").split("\n");
  return h`<div class="md">${blocks(h, lines, 0)}${cut ? h`<p class="who">The rest is too long to show.</p>` : ""}</div>`;
}

type H = HostLook["h"];

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6}) +(.*)$/;
const RULE = /^ {0,3}(?:(?:- *){3,}|(?:\* *){3,}|(?:_ *){3,})$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)]) +(.*)$/;
const COMMENT = /^ {0,3}<!--(?:(?!-->).)*--> *$/;
const QUOTE = /^ {0,3}> ?/;
const TABLE_RULE = /^ {0,3}\|?(?: *:?-{1,}:? *\|)+ *(?::?-+:? *)?$/;

function blocks(h: H, lines: readonly string[], depth: number): Html[] {
  const out: Html[] = [];
  let i = 0;
  const take = (more: (line: string) => boolean): string[] => {
    const start = i;
    while (i < lines.length && more(lines[i] ?? "")) i += 1;
    return lines.slice(start, i);
  };
  while (i < lines.length) {
    const line = lines[i] ?? "";
    const fence = FENCE.exec(line)?.[1];
    const heading = HEADING.exec(line);
    if (line.trim() === "" || COMMENT.test(line)) {
      i += 1;
    } else if (fence !== undefined) {
      i += 1;
      const code = take(
        (inner) => !(inner.trim().startsWith(fence) && inner.trim().replaceAll(fence[0] ?? "", "") === ""),
      );
      i += 1;
      out.push(h`<pre tabindex="0"><code>${code.join("\n")}</code></pre>`);
    } else if (heading !== null) {
      i += 1;
      out.push(headed(h, heading[1]?.length ?? 1, inline(h, (heading[2] ?? "").trim(), 0)));
    } else if (RULE.test(line)) {
      i += 1;
      out.push(h`<hr>`);
    } else if (QUOTE.test(line) && depth < MAX_DEPTH) {
      const quoted = take((inner) => QUOTE.test(inner)).map((inner) => inner.replace(QUOTE, ""));
      out.push(h`<blockquote>${blocks(h, quoted, depth + 1)}</blockquote>`);
    } else if (ITEM.test(line) && depth < MAX_DEPTH) {
      out.push(
        list(
          h,
          take((inner) => inner.trim() !== "" && (ITEM.test(inner) || /^ {2,}/.test(inner))),
          depth,
        ),
      );
    } else if (line.includes("|") && TABLE_RULE.test(lines[i + 1] ?? "")) {
      out.push(
        table(
          h,
          take((inner) => inner.includes("|")),
        ),
      );
    } else {
      i += 1;
      const rest = take((inner) => inner.trim() !== "" && !starts(inner));
      out.push(h`<p>${inline(h, [line, ...rest].map((inner) => inner.trim()).join("\n"), 0)}</p>`);
    }
  }
  return out;
}

/** Whether a line begins something other than a paragraph. */
const starts = (line: string): boolean =>
  FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

/** The page has its own h1 and h2. */
function headed(h: H, level: number, inside: Html): Html {
  if (level <= 2) return h`<h3>${inside}</h3>`;
  return level === 3 ? h`<h4>${inside}</h4>` : h`<h5>${inside}</h5>`;
}

function list(h: H, lines: readonly string[], depth: number): Html {
  const indent = (ITEM.exec(lines[0] ?? "")?.[1] ?? "").length;
  const ordered = /^ *\d/.test(lines[0] ?? "");
  const items: { first: string; rest: string[] }[] = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    const last = items.at(-1);
    if (item !== null && (item[1]?.length ?? 0) <= indent + 1) items.push({ first: item[3] ?? "", rest: [] });
    else if (last !== undefined) last.rest.push(line.replace(new RegExp(`^ {1,${indent + 4}}`), ""));
  }
  const inside = items.map(({ first, rest }) => {
    const box = /^\[([ xX])\] /.exec(first);
    const words =
      box === null ? inline(h, first, 0) : h`${box[1] === " " ? "open: " : "done: "}${inline(h, first.slice(4), 0)}`;
    return h`<li>${words}${rest.length === 0 ? "" : blocks(h, rest, depth + 1)}</li>`;
  });
  return ordered ? h`<ol>${inside}</ol>` : h`<ul>${inside}</ul>`;
}

function table(h: H, lines: readonly string[]): Html {
  const cells = (line: string): Html[] =>
    line
      .trim()
      .replace(/^\||\|$/g, "")
      .split("|")
      .map((cell) => inline(h, cell.trim(), 0));
  const [head = "", , ...rows] = lines;
  return h`<table><thead><tr>${cells(head).map((cell) => h`<th>${cell}</th>`)}</tr></thead><tbody>${rows.map(
    (row) => h`<tr>${cells(row).map((cell) => h`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table>`;
}

/** Text with code, emphasis and links; everything else is text. */
function inline(h: H, text: string, depth: number): Html {
  if (depth >= MAX_DEPTH) return h`${text}`;
  const out: (Html | string)[] = [];
  let plain = "";
  let i = 0;
  const put = (html: Html, next: number): void => {
    out.push(plain, html);
    plain = "";
    i = next;
  };
  while (i < text.length) {
    const found = code(h, text, i) ?? link(h, text, i, depth) ?? emphasis(h, text, i, depth) ?? address(h, text, i);
    if (found !== null) {
      put(found.html, found.next);
    } else if (text[i] === "\\" && /[!-/:-@[-`{-~]/.test(text[i + 1] ?? "")) {
      plain += text[i + 1];
      i += 2;
    } else {
      plain += text[i];
      i += 1;
    }
  }
  return h`${out}${plain}`;
}

type Found = { html: Html; next: number } | null;

function code(h: H, text: string, i: number): Found {
  if (text[i] !== "`") return null;
  let end = i;
  while (text[end] === "`") end += 1;
  const ticks = text.slice(i, end);
  const close = text.indexOf(ticks, end);
  if (close < 0) return { html: h`${ticks}`, next: end };
  return { html: h`<code>${text.slice(end, close).trim()}</code>`, next: close + ticks.length };
}

// Longer than this is no link a person wrote.
const MAX_LINK = 2_000;

function link(h: H, text: string, i: number, depth: number): Found {
  const image = text[i] === "!" && text[i + 1] === "[";
  if (!image && text[i] !== "[") return null;
  const found = /^!?\[([^\][]*)\]\(<?([^\s()<>]*)>?(?: "[^"]*")?\)/.exec(text.slice(i, i + MAX_LINK));
  if (found === null) return null;
  const [whole, words = "", target = ""] = found;
  const label = image ? h`${words || "image"}` : inline(h, words, depth + 1);
  return { html: followable(h, label, target) ?? h`${label} (${target})`, next: i + whole.length };
}

function followable(h: H, label: Html, target: string): Html | null {
  if (!/^https?:\/\//i.test(target) || !URL.canParse(target)) return null;
  return h`<a href="${target}" rel="noopener noreferrer nofollow">${label}</a>`;
}

function emphasis(h: H, text: string, i: number, depth: number): Found {
  const sign = text[i];
  if (sign !== "*" && sign !== "_") return null;
  const inWord = sign === "_" && /\w/.test(text[i - 1] ?? "");
  const mark = text[i + 1] === sign ? sign + sign : sign;
  const from = i + mark.length;
  const close = text.indexOf(mark, from + 1);
  const inner = text.slice(from, close);
  if (inWord || close < 0 || inner.includes("\n\n") || /^\s|\s$/.test(inner)) {
    return { html: h`${mark}`, next: from };
  }
  const inside = inline(h, inner, depth + 1);
  return { html: mark.length === 2 ? h`<strong>${inside}</strong>` : h`<em>${inside}</em>`, next: close + mark.length };
}

function address(h: H, text: string, i: number): Found {
  if (text[i] !== "h" || /\w/.test(text[i - 1] ?? "")) return null;
  const found = /^https?:\/\/[^\s<>"'`]+/.exec(text.slice(i, i + MAX_LINK))?.[0]?.replace(/[.,;:!?)\]]+$/, "");
  if (found === undefined) return null;
  const html = followable(h, h`${found}`, found);
  return html === null ? null : { html, next: i + found.length };
}

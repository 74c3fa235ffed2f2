/** A piece of text that stood in quotes. Its `mark` takes its place while the sentence around it is read. */
export interface Quoted {
  readonly text: string;
  readonly by: "code" | "quotes";
  /** As it was written, quotes included. */
  readonly raw: string;
}

export interface Tidied {
  /** The sentence with each quoted piece replaced by its mark. */
  readonly plain: string;
  readonly quoted: readonly Quoted[];
}

const OPEN = "\u0001";
const CLOSE = "\u0002";

/** Matches one mark inside a pattern. */
export const MARK = `${OPEN}\\d+${CLOSE}`;

const QUOTES = /```(?:\w*\n)?([\s\S]*?)```|`([^`]+)`|"((?:[^"\\]|\\.)*)"|(?<![\w)])'((?:[^'\\]|\\.)+)'(?!\w)/g;

/** Takes quoted pieces out of a sentence, so that words inside them are never read as commands. */
export function takeQuotes(text: string): Tidied {
  const quoted: Quoted[] = [];
  const plain = text.replace(QUOTES, (raw: string, fence?: string, code?: string, double?: string, single?: string) => {
    const isCode = fence !== undefined || code !== undefined;
    const inside = fence?.replace(/\n$/, "") ?? code ?? unescaped(double ?? single ?? "");
    quoted.push({ text: inside, by: isCode ? "code" : "quotes", raw });
    return `${OPEN}${quoted.length - 1}${CLOSE}`;
  });
  return { plain, quoted };
}

/** The quoted piece a mark stands for; `undefined` for any other text. */
export function quotedAt(tidied: Tidied, text: string): Quoted | undefined {
  const index = new RegExp(`^${OPEN}(\\d+)${CLOSE}$`).exec(text)?.[1];
  return index === undefined ? undefined : tidied.quoted[Number(index)];
}

/** The text as it was written, marks resolved; `raw` keeps the quotes. */
export function restored(tidied: Tidied, text: string, how: "raw" | "inside"): string {
  return text.replace(new RegExp(`${OPEN}(\\d+)${CLOSE}`, "g"), (_, index: string) => {
    const piece = tidied.quoted[Number(index)];
    return (how === "raw" ? piece?.raw : piece?.text) ?? "";
  });
}

const unescaped = (text: string) =>
  text
    .replace(/\\(["'\\])/g, "$1")
    .replace(/\\n/g, "\n")
    .replace(/\\t/g, "\t");

/** Verbs after which a link means its address; anywhere else its label was meant, since Slack links "README.md" too. */
const WANTS_ADDRESS =
  /\b(?:fetch|get|download|curl|open|visit|check|call|load|browse|ping|reach|request|hit)\s+(?:the\s+)?(?:url\s+|page\s+|site\s+)?$/i;

/**
 * What a person meant to type: Slack's mentions, links and entities undone, typographic quotes made plain. Mentions go
 * first, entities last: the text people write can only hold "&lt;", never "<".
 */
export function untangle(text: string): string {
  return text
    .replace(/<@[UW]\w+(?:\|[^>]*)?>/g, " ")
    .replace(/<![^>]*>/g, " ")
    .replace(/<#\w+\|([^>]*)>/g, "#$1")
    .replace(/<(?:mailto:)?([^<>|\s]+)\|([^<>]+)>/g, (_, address: string, label: string, at: number, whole: string) => {
      // Slack made the link out of what was typed: then the typed words are the better source.
      const typed = address.replace(/^https?:\/\//, "").replace(/\/$/, "") === label;
      return !typed && WANTS_ADDRESS.test(whole.slice(0, at)) ? address : label;
    })
    .replace(/<(https?:[^<>\s]+)>/g, "$1")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")
    .replace(/&amp;/g, "&")
    .replace(/[\u201c\u201d\u201e\u00ab\u00bb\u2033]/g, '"')
    .replace(/[\u2018\u2019\u201a\u2032]/g, "'")
    .replace(/[\u00a0\u2007\u202f]/g, " ");
}

import { MARK, quotedAt, restored, type Tidied, takeQuotes, untangle } from "./tidy.ts";
import type { Wish } from "./wishes.ts";

export interface PlainRequest {
  readonly wishes: readonly Wish[];
  /** Parts that look like asks and were not understood. */
  readonly unknown: readonly string[];
}

const VERB =
  "replace|swap|substitute|change|update|set|rename|switch|correct|fix|append|add|prepend|insert|put|write|create|make|generate|" +
  "delete|remove|drop|erase|run|execute|fetch|download|get|visit|open|curl|ask|show|read|print|list|find|search|install|move|touch|npm|git";
const POLITE =
  /^(?:(?:hey|hi|hello|please|pls|kindly|also|and|finally|first(?:ly)?|second(?:ly)?|next|now|just|lastly|then|after that|ok(?:ay)?|@?agent|@?countersign|i(?:'d| would) like you to|i want you to|(?:can|could|would|will) you|let's|go ahead and|you should|try to)\b[,:!]?\s+)+/i;
const FILLER = /^(?:thanks?(?: you)?|thank you.*|cheers|please|ty|\d+|[-*•]+|hi|hello|hey)?[.!?]*$/i;

/**
 * The person's own words in a prompt: what stands in its `<request>` element, or all of a prompt without elements. A
 * `<note>` is ours, so a prompt of notes alone holds no word of a person.
 */
export function wordsOf(prompt: string): string {
  const request = /<request[^>]*>([\s\S]*?)<\/request>/i.exec(prompt)?.[1];
  if (request !== undefined) return request.trim();
  return /<note[^>]*>/i.test(prompt) ? "" : prompt.trim();
}

/**
 * Understands a person's plain words: quotes of any kind, Slack's formatting, several asks joined by "then", commas,
 * semicolons or lines.
 */
export function understand(prompt: string): PlainRequest {
  const tidied = takeQuotes(untangle(wordsOf(prompt)));
  const wishes: Wish[] = [];
  const unknown: string[] = [];
  let file: string | null = null;
  for (const clause of clauses(tidied.plain)) {
    const wish = read(tidied, clause, file);
    const place = new RegExp(`^(?:in|inside|within|open|edit)\\s+${FILE}$`, "i").exec(clause)?.[1];
    const named = wish ? null : pathOf(tidied, place);
    if (named !== null) file = named;
    else if (wish) {
      wishes.push(wish);
      if ("file" in wish && wish.file) file = wish.file;
    } else if (!FILLER.test(clause)) unknown.push(restored(tidied, clause, "raw"));
  }
  return { wishes, unknown };
}

function clauses(plain: string): string[] {
  const joint = new RegExp(
    `\\s*(?:;|\\n)\\s*|,?\\s+(?:and\\s+)?(?:then|after that|afterwards)[,:]?\\s+|[.!?]\\s+|,\\s*(?:and\\s+)?(?:also\\s+)?(?=(?:${VERB})\\s)|\\s+and\\s+(?:also\\s+)?(?=(?:${VERB})\\s)`,
    "i",
  );
  return plain
    .split(joint)
    .map((part) =>
      part
        .trim()
        .replace(/^(?:[-*•]|\d+[.)])\s+/, "")
        .replace(POLITE, "")
        .replace(/[.!?,]+$/, "")
        .trim(),
    )
    .filter((part) => part !== "");
}

const PATH = `(?:${MARK}|[^\\s,;:!?]+)`;
const FILE = `(?:the\\s+)?(?:new\\s+)?(?:file\\s+)?(?:named\\s+|called\\s+)?(${PATH})(?:\\s+file)?`;
const IN = `(?:\\s+(?:in|inside|within|of|on)\\s+${FILE})?`;
const EVERYWHERE =
  "(?:\\s+(?:everywhere|(?:in|across)\\s+(?:all(?:\\s+the)?\\s+files|the\\s+(?:whole\\s+)?(?:repo(?:sitory)?|project|code ?base))))?";
const THING =
  "(?:(?:the|a|an|all|every|each)\\s+)*(?:(?:occurrences?|instances?)\\s+of\\s+)?(?:the\\s+)?(?:(?:word|text|string|phrase|typo|spelling|misspelling|line|value|name)s?\\s*:?\\s+)?(?:of\\s+|from\\s+)?";
const NOUN =
  "(?:(?:a|an|the|this|one)\\s+)?(?:new\\s+)?(?:(line|heading|section|title|comment|paragraph|sentence|note|text|bullet|item|entry|word)\\s*)?";
const SAYING =
  "(?:saying|that\\s+(?:says|reads|contains)|which\\s+says|reading|containing|with(?:\\s+the)?(?:\\s+(?:text|contents?|line|words?))?|called|titled|named|:)\\s*:?\\s*";
const TO = "(?:\\s*(?:->|=>|\u2192)\\s*|\\s+(?:to|into|by|with|for|as)\\s+)";
const PLACE = "(?:to|into|in|at|on)\\s+(?:the\\s+)?(?:very\\s+)?(?:(end|bottom|top|beginning|start|front)\\s+of\\s+)?";
const PROGRAMS =
  "npm|npx|node|git|ls|cat|echo|curl|wget|python3?|pytest|cargo|yarn|pnpm|sh|bash|rm|mkdir|touch|sed|grep|pip|cp|mv|(?:go|make)(?=\\s+(?:build|test|run|vet|install|clean|all|check|lint)\\b)";

/** Believed only after "run": as first words of a sentence they are English. */
const MORE_PROGRAMS =
  "tsc|eslint|jest|vitest|mocha|prettier|biome|tox|ruff|black|mypy|mvn|gradle|dotnet|php|composer|bundle|rake|bun|deno|env|sleep|" +
  "printf|true|false|date|whoami|pwd|head|tail|wc|find|id|uname|ps|df|du|which|test|make|go|perl|ruby|java|rustc|gcc|tree|sort|diff";

type Reader = (found: readonly (string | undefined)[], words: Words) => Wish | null;

interface Words {
  /** The inside of a quoted piece or the words themselves. */
  say(text: string | undefined): string;
  isQuoted(text: string | undefined): boolean;
  raw(text: string | undefined): string;
  /** A file name, or `null` when the words name none. */
  path(text: string | undefined): string | null;
  /** The file spoken of before. */
  readonly file: string | null;
}

const RULES: readonly (readonly [pattern: string, reader: Reader])[] = [
  [
    `rename\\s+(?:the\\s+)?(?:file\\s+)?(${PATH})\\s+(?:to|into|as)\\s+(${PATH})|move\\s+(?:the\\s+)?(?:file\\s+)?(${PATH})\\s+(?:to|into)\\s+(${PATH})`,
    move,
  ],
  [`(?:change|update|edit|fix)\\s+${FILE}\\s*[:,]?\\s+(?:from|replace|change)\\s+(.+?)${TO}(.+)`, changeFile],
  [
    `(?:change|update|edit|switch|correct|fix)\\s+(?:[\\w-]+\\s+){0,5}from\\s+(${MARK})${TO}(${MARK})${IN}${EVERYWHERE}`,
    replace,
  ],
  [
    `(?:replace|swap|substitute|change|update|set|rename|switch|turn|convert|modify|edit|correct|fix)\\s+${THING}(.+?)${TO}(?:(?:the|a)\\s+(?:word|text|string|line)\\s+)?(${MARK}|.+?)${IN}${EVERYWHERE}`,
    replace,
  ],
  [`(${MARK}|\\S+)\\s+should\\s+(?:be|read|say)\\s+(${MARK}|\\S+)${IN}`, shouldBe],
  [`append\\s+${NOUN}(${SAYING})?(.+?)\\s+${PLACE}${FILE}`, appendWords],
  [`(?:append|add|prepend|insert|put|write|include)\\s+${NOUN}(${SAYING})?(.+?)\\s+${PLACE}${FILE}`, append],
  [`(?:append|add|prepend|insert|put|write|include)\\s+${NOUN}${PLACE}${FILE}\\s*,?\\s*${SAYING}(.+)`, appendTo],
  [
    `(?:create|make|add|write|start|generate|touch)\\s+(?:me\\s+)?(?:a\\s+|an\\s+|the\\s+)?(?:new\\s+)?(?:empty\\s+)?(?:text\\s+)?(?:file\\s*)?(?:named\\s+|called\\s+)?(${PATH})(?:\\s*,?\\s*(?:and\\s+)?${SAYING}(.+))?`,
    create,
  ],
  [
    `(?:delete|remove|drop|erase|strip)\\s+(?:the\\s+|any\\s+|all\\s+)*(line|word|text|string|phrase)?s?\\s*(?:containing\\s+|saying\\s+|that\\s+says\\s+|with\\s+)?(${MARK})\\s+(?:from|in)\\s+${FILE}`,
    removeText,
  ],
  [
    `(?:delete|remove|drop|erase|rm|get\\s+rid\\s+of)\\s+(?:the\\s+)?(?:file\\s+)?(?:named\\s+|called\\s+)?(${PATH})(?:\\s+file)?`,
    deleteFile,
  ],
  [
    `install\\s+(?:the\\s+)?(?:npm\\s+)?(?:package\\s+|dependency\\s+|library\\s+)?(${PATH})`,
    ([name], w) => ({ kind: "run", command: `npm install ${w.say(name)}` }),
  ],
  [
    `(?:fetch|get|download|curl|open|visit|check|call|read|load|browse|ping|reach|request|hit)\\s+(?:the\\s+)?(?:url\\s+|page\\s+|site\\s+|website\\s+|contents?\\s+of\\s+)*(\\S+)(?:\\s+(?:and|to|for)\\s+.*)?`,
    fetchUrl,
  ],
  [
    `(?:run|execute|exec|invoke)\\s+(?:the\\s+)?(?:(?:following\\s+)?(?:shell\\s+)?command\\s*:?\\s+|script\\s+)?(.+)`,
    run,
  ],
  [`((?:${PROGRAMS})(?:\\s+.+)?)`, ([command], w) => ({ kind: "run", command: w.raw(command) })],
  [`(${MARK})`, ([piece], w) => (w.raw(piece).startsWith("`") ? { kind: "run", command: w.say(piece) } : null)],
  [
    `(?:show|print|display|read|view|open|what(?:'s|\\s+is)\\s+in(?:side)?)\\s+(?:me\\s+)?(?:the\\s+)?(?:contents?\\s+of\\s+)?${FILE}\\??`,
    show,
  ],
  [
    `(?:list|show(?:\\s+me)?|what)\\s+(?:are\\s+)?(?:all\\s+)?(?:the\\s+)?files.*`,
    () => ({ kind: "run", command: "git ls-files" }),
  ],
  [
    `(?:find|search(?:\\s+for)?|grep(?:\\s+for)?|look\\s+for|where\\s+is)\\s+(${MARK}).*`,
    ([text], w) => ({ kind: "search", text: w.say(text) }),
  ],
  [
    `ask\\s+(?:me\\s+|us\\s+)?(?:a\\s+question\\s*:?\\s*)?(.+)`,
    ([question], w) => ({ kind: "ask", question: w.say(question) }),
  ],
];

function read(tidied: Tidied, clause: string, before: string | null): Wish | null {
  const words = (file: string | null): Words => ({
    say: (text = "") => quotedAt(tidied, text.trim())?.text ?? restored(tidied, text, "raw").trim(),
    isQuoted: (text = "") => quotedAt(tidied, text.trim()) !== undefined,
    raw: (text = "") => restored(tidied, text, "raw").trim(),
    path: (text) => (/^(?:it|that|there|this|the same)$/i.test(text ?? "") ? file : pathOf(tidied, text)),
    file,
  });
  const inFile = new RegExp(`^(?:in|inside|within)\\s+${FILE}\\s*[,:]?\\s+(.+)$|^(${PATH}):\\s+(.+)$`, "is").exec(
    clause,
  );
  const named = inFile ? words(null).path(inFile[1] ?? inFile[3]) : null;
  const rest = named === null ? clause : (inFile?.[2] ?? inFile?.[4] ?? "").replace(POLITE, "");
  for (const [pattern, reader] of RULES) {
    const found = new RegExp(`^(?:${pattern})$`, "is").exec(rest);
    const wish = found && reader(found.slice(1), words(named ?? before));
    if (wish) return wish;
  }
  return null;
}

function pathOf(tidied: Tidied, text: string | undefined): string | null {
  if (text === undefined) return null;
  const name = quotedAt(tidied, text)?.text ?? text.replace(/[.,!?)]+$/, "");
  return isPath(name) ? name : null;
}

const FILE_NAMES = /^(?:readme|license|licence|changelog|contributing|makefile|dockerfile|notice|authors|codeowners)$/i;

function isPath(name: string): boolean {
  if (/[\s"'`*<>|]/.test(name) || /^https?:/i.test(name)) return false;
  return (
    FILE_NAMES.test(name) ||
    /^\.?[\w@+-][\w@.+/-]*\.[A-Za-z][\w-]*$/.test(name) ||
    /^\.[\w.-]+$/.test(name) ||
    /^[\w@.+-]+(?:\/[\w@.+-]+)+$/.test(name)
  );
}

function move(found: readonly (string | undefined)[], w: Words): Wish | null {
  const from = w.path(found[0] ?? found[2]);
  const to = w.path(found[1] ?? found[3]);
  return from !== null && to !== null ? { kind: "move", from, to } : null;
}

function changeFile([file, find, put]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null
    ? null
    : { kind: "replace", find: w.say(find), put: w.say(put), file: path, exact: w.isQuoted(find) };
}

function replace([find, put, file]: readonly (string | undefined)[], w: Words): Wish | null {
  const named = w.path(file);
  // "in" and a word that is no file may belong to the new text (made in Japan): only quotes make that sure.
  if ((file !== undefined && named === null && !w.isQuoted(put)) || w.say(find) === "") return null;
  return { kind: "replace", find: w.say(find), put: w.say(put), file: named ?? w.file, exact: w.isQuoted(find) };
}

function shouldBe([find, put, file]: readonly (string | undefined)[], w: Words): Wish | null {
  if (!w.isQuoted(find) && !w.isQuoted(put)) return null;
  return { kind: "replace", find: w.say(find), put: w.say(put), file: w.path(file) ?? w.file, exact: true };
}

/** "append" can mean nothing else, so its words need no quotes. */
function appendWords([noun, , what, edge, file]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null ? null : { kind: "append", line: asLine(noun, w.say(what)), file: path, where: edgeOf(edge) };
}

function append([noun, saying, what, edge, file]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  const clear = w.isQuoted(what) || saying !== undefined;
  if (path === null || !clear) return null;
  return { kind: "append", line: asLine(noun, w.say(what)), file: path, where: edgeOf(edge) };
}

function appendTo([noun, edge, file, what]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null ? null : { kind: "append", line: asLine(noun, w.say(what)), file: path, where: edgeOf(edge) };
}

const edgeOf = (edge: string | undefined) => (/^(?:top|beginning|start|front)$/i.test(edge ?? "") ? "top" : "end");

function asLine(noun: string | undefined, text: string): string {
  if (/^(?:heading|section|title)$/i.test(noun ?? "") && !text.startsWith("#")) return `\n## ${text}`;
  if (/^(?:bullet|item)$/i.test(noun ?? "") && !/^[-*]/.test(text)) return `- ${text}`;
  return text;
}

function create([file, content]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null ? null : { kind: "create", file: path, content: content === undefined ? "" : w.say(content) };
}

function removeText([noun, text, file]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null
    ? null
    : { kind: "removeText", text: w.say(text), file: path, wholeLine: /^line$/i.test(noun ?? "") };
}

function deleteFile([file]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null ? null : { kind: "delete", file: path };
}

function fetchUrl(found: readonly (string | undefined)[], w: Words): Wish | null {
  const said = w.say(found[0]).replace(/[.,!?)]+$/, "");
  if (/^https?:\/\/[^\s/]+/i.test(said)) return { kind: "fetch", url: said };
  const bare =
    /^(?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|test|example|edu|gov|app|ai|co|info|me|internal|invalid|local)(?::\d+)?(?:\/\S*)?$/i;
  return bare.test(said) ? { kind: "fetch", url: `https://${said}` } : null;
}

function run([command]: readonly (string | undefined)[], w: Words): Wish | null {
  if (w.isQuoted(command)) return { kind: "run", command: w.say(command) };
  const said = w.raw(command);
  if (/^(?:the\s+|all\s+|our\s+|my\s+)*(?:unit\s+)?tests?(?:\s+suite)?$/i.test(said))
    return { kind: "run", command: "npm test" };
  return new RegExp(`^(?:${PROGRAMS}|${MORE_PROGRAMS})(?:\\s|$)|^\\.{0,2}/\\S`).test(said)
    ? { kind: "run", command: said }
    : null;
}

function show([file]: readonly (string | undefined)[], w: Words): Wish | null {
  const path = w.path(file);
  return path === null ? null : { kind: "show", file: path };
}

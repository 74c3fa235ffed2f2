import { matchesText } from "./glob.ts";

/** Words that start another command: what they start is looked at too. */
const WRAPPERS = new Set(["sudo", "env", "command", "exec", "nohup", "time", "nice", "xargs", "builtin", "doas"]);
const SHELLS = new Set(["sh", "bash", "dash", "zsh"]);
const KEYWORDS = new Set(["if", "then", "else", "elif", "do", "while", "until", "!", "{"]);
const OPERATOR = /[|&;]/;
const MAX_DEPTH = 8;

interface Cut {
  /** Simple commands as lists of unquoted words. */
  readonly commands: string[][];
  /** False when a quote or substitution does not end. */
  readonly whole: boolean;
}

/** The text of `$(…)` or a back-quoted part that starts at `from`, and where it ends; `null` when it does not end. */
function substitution(text: string, from: number): { inner: string; end: number } | null {
  if (text[from] === "`") {
    const end = text.indexOf("`", from + 1);
    return end < 0 ? null : { inner: text.slice(from + 1, end), end };
  }
  let depth = 0;
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "(") depth++;
    else if (text[i] === ")" && --depth === 0) return { inner: text.slice(from + 2, i), end: i };
  }
  return null;
}

/** Cuts a shell line into simple commands, as far as a rule that is asked about needs it. Not a shell. */
function cut(text: string, depth: number): Cut {
  const commands: string[][] = [];
  let words: string[] = [];
  let word: string | null = null;
  let quote = "";
  let whole = depth < MAX_DEPTH;
  const inside = (inner: string) => {
    if (depth >= MAX_DEPTH) return;
    const parts = cut(inner, depth + 1);
    commands.push(...parts.commands);
    whole &&= parts.whole;
  };
  const endWord = () => {
    if (word !== null) words.push(word);
    word = null;
  };
  const endCommand = () => {
    endWord();
    if (words.length > 0) commands.push(words);
    words = [];
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i] as string;
    if (quote === "'") {
      if (c === "'") quote = "";
      else word = (word ?? "") + c;
    } else if (c === "`" || (c === "$" && text[i + 1] === "(")) {
      const found = substitution(text, i);
      if (found === null) return { commands: [...commands, words], whole: false };
      inside(found.inner);
      word = (word ?? "") + text.slice(i, found.end + 1);
      i = found.end;
    } else if (c === "\\") {
      const next = text[++i];
      if (next !== undefined && next !== "\n") word = (word ?? "") + next;
    } else if (quote === '"') {
      if (c === '"') quote = "";
      else word = (word ?? "") + c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= "";
    } else if (c === " " || c === "\t") endWord();
    else if (c === "\n" || c === ";" || c === "|" || c === "(" || c === ")") endCommand();
    else if (c === "&") {
      // 2>&1 and &>file are redirections.
      if (text[i - 1] !== ">" && text[i + 1] !== ">") endCommand();
    } else word = (word ?? "") + c;
  }
  endCommand();
  return { commands, whole: whole && quote === "" };
}

/** One simple command as the spellings a rule may match: as it is, without wrappers, and without the program's folder. */
function spellings(words: readonly string[], depth: number): string[] {
  const out = new Set<string>();
  let rest = words;
  while (rest.length > 0) {
    out.add(rest.join(" "));
    const [first = "", ...after] = rest;
    const program = first.slice(first.lastIndexOf("/") + 1);
    out.add([program, ...after].join(" "));
    if (SHELLS.has(program) && depth < MAX_DEPTH) {
      const flag = after.findIndex((word) => /^-[a-z]*c$/.test(word));
      const script = flag < 0 ? undefined : after[flag + 1];
      if (script !== undefined) for (const part of simple(script, depth + 1).parts) out.add(part);
    }
    const skips = WRAPPERS.has(program) || KEYWORDS.has(program) || /^[A-Za-z_]\w*=/.test(first);
    if (!skips) break;
    rest = after;
    while (WRAPPERS.has(program) && rest[0]?.startsWith("-")) rest = rest.slice(1);
  }
  return [...out].filter((text) => text !== "");
}

function simple(command: string, depth: number): { parts: string[]; whole: boolean } {
  const { commands, whole } = cut(command, depth);
  return { parts: [...new Set(commands.flatMap((words) => spellings(words, depth)))], whole };
}

/** A command taken apart once, for any number of rules. */
export interface CommandParts {
  readonly line: string;
  readonly parts: readonly string[];
  readonly whole: boolean;
}

export function commandParts(command: string): CommandParts {
  return { line: command.trim().replace(/\s+/g, " "), ...simple(command, 0) };
}

/**
 * Whether a rule speaks of the command. A pattern without a shell operator is held against each simple command of the
 * line, one with an operator ("curl * | sh") against the whole line. What cannot be taken apart matches a pattern that
 * matches anywhere in it: such a line is asked or denied too often rather than too rarely.
 */
export function matchesCommand(globs: readonly string[], except: readonly string[], command: CommandParts): boolean {
  const spared = (text: string) => except.some((glob) => matchesText(glob, text));
  return globs.some((glob) => {
    if (OPERATOR.test(glob)) return matchesText(glob, command.line) && !spared(command.line);
    if (command.parts.some((part) => matchesText(glob, part) && !spared(part))) return true;
    return !command.whole && matchesText(`*${glob}*`, command.line);
  });
}

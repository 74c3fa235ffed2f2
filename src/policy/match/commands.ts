import { type Command, forEachChild, type ParsedScript, parse, type SyntaxNode, type Word } from "unbash";
import { matchesText } from "./glob.ts";
import { INSTALLERS, programOf } from "./installers.ts";

/** Programs that start another one, which is looked at too, whatever options stand between. */
const STARTERS = new Set([
  "builtin",
  "busybox",
  "chroot",
  "command",
  "doas",
  "env",
  "exec",
  "flock",
  "ionice",
  "nice",
  "nohup",
  "parallel",
  "setsid",
  "stdbuf",
  "sudo",
  "time",
  "timeout",
  "watch",
  "xargs",
]);
/** Words of its own that stand before the program which it starts: a duration, a lock, a folder. */
const BEFORE: Readonly<Record<string, number>> = { chroot: 1, flock: 1, timeout: 1 };
/** Options that every starter takes without a word behind them. */
const ALONE = new Set(["-0", "--null"]);
const SHELLS = new Set(["ash", "bash", "dash", "ksh", "sh", "zsh"]);
/** Of `find`: what follows is a command. */
const FIND_RUNS = new Set(["-exec", "-execdir", "-ok", "-okdir"]);
const OPERATOR = /[|&;]/;
const MAX_DEPTH = 16;
/**
 * Longer lines are not taken apart: what nobody can read, a person has to see. A file that is written whole in one line is
 * most often shorter, and the hardest line of this length that was found takes 0.3 s.
 */
const MAX_LENGTH = 32_768;
/** Programs that start each other in one simple command. */
const MAX_STARTS = 256;

/** A command line taken apart once, for any number of rules. */
export interface CommandParts {
  /** White space folded. */
  readonly line: string;
  /** Every simple command in it, in each spelling that a rule may mean. */
  readonly parts: readonly string[];
  /**
   * False when it is not shell, is too deep or too long, or names a program, or what an installer is to do, only when it
   * runs: `$X`, `eval "$Y"`, `npm $Z`.
   */
  readonly readable: boolean;
  /** False when it is not shell, or too deep or too long to be read as such: nobody can say what it would do. */
  readonly shell: boolean;
}

interface Found {
  readonly parts: Set<string>;
  /** Of every program that is started it is known which one it is. */
  known: boolean;
  shell: boolean;
}

function wordsOf(command: Command): Word[] {
  const words = command.suffix.filter((part): part is Word => part.type === "Word");
  return command.name === undefined ? [] : [command.name, ...words];
}

/** Whether a word is what stands there, without anything that is only known when it runs. */
function isStatic(word: Word): boolean {
  const known = new Set(["Literal", "SingleQuoted", "AnsiCQuoted"]);
  return (word.parts ?? []).every(
    (part) =>
      known.has(part.type) || (part.type === "DoubleQuoted" && part.parts.every(({ type }) => type === "Literal")),
  );
}

/** Which of the words behind a starter may be its program: after the first that is surely it come that one's own. */
function programsAmong(starter: string, after: readonly Word[]): number[] {
  const some: number[] = [];
  let left = 1 + (Object.hasOwn(BEFORE, starter) ? (BEFORE[starter] ?? 0) : 0);
  let valued = false;
  for (const [index, { value }] of after.entries()) {
    if (left === 0) break;
    const option = value.startsWith("-");
    if (!option && !/^\w+=/.test(value)) {
      some.push(index);
      // The word after an option may be its value, or the program.
      if (!valued) left -= 1;
    }
    valued = option && !value.includes("=") && !ALONE.has(value);
  }
  return some;
}

/** Whether the program that begins here is known, and of an installer what it is to do. */
function isNamed(words: readonly Word[]): boolean {
  const { program, rest } = programOf(words.map(({ value }) => value.slice(value.lastIndexOf("/") + 1)));
  const behind = words.slice(words.length - rest.length);
  const named = words.slice(0, words.length - rest.length).every(isStatic);
  if (!named || !Object.hasOwn(INSTALLERS, program)) return named;
  const verb = behind.find(({ value }) => !value.startsWith("-"));
  return verb === undefined || isStatic(verb);
}

/** The spellings of one simple command: as it is, without the program's folder, and what it starts in its turn. */
function spell(words: readonly Word[], depth: number, found: Found): void {
  const text = words.map(({ value }) => value);
  const starts = new Set([0]);
  /** Places of which it has to be known what stands there. */
  const programs = new Set([0]);
  // A set hands out what is added while it is walked, each place once.
  for (const start of starts) {
    if (starts.size > MAX_STARTS) {
      found.shell = false;
      return;
    }
    const [first, ...after] = words.slice(start);
    if (first === undefined) continue;
    if (programs.has(start) && !isNamed(words.slice(start))) found.known = false;
    const program = first.value.slice(first.value.lastIndexOf("/") + 1);
    found.parts.add(text.slice(start).join(" "));
    found.parts.add([program, ...text.slice(start + 1)].join(" "));
    if (SHELLS.has(program)) {
      const flag = after.findIndex(({ value }) => /^-[a-z]*c$/.test(value));
      if (flag >= 0) read(after.slice(flag + 1, flag + 2), depth, found);
    } else if (program === "eval") read(after, depth, found);
    // Which words are the starter's own options is its business: each later word may be the program.
    else {
      const isStarter = STARTERS.has(program);
      if (isStarter && programs.has(start)) {
        for (const index of programsAmong(program, after)) programs.add(start + 1 + index);
      }
      for (const [index, { value }] of after.entries()) {
        if (isStarter) starts.add(start + 1 + index);
        if (program !== "find" || !FIND_RUNS.has(value)) continue;
        starts.add(start + 2 + index);
        programs.add(start + 2 + index);
      }
    }
  }
}

/** A script that is handed over as words. */
function read(words: readonly Word[], depth: number, found: Found): void {
  if (words.length === 0 || !words.every(isStatic)) found.known = false;
  take(parse(words.map(({ value }) => value).join(" ")), depth + 1, found);
}

/** Walks a script and every script inside it; its parts are resolved only when they are visited. */
function take(script: ParsedScript, depth: number, found: Found): void {
  if (depth > MAX_DEPTH) {
    found.shell = false;
    return;
  }
  if ((script.errors ?? []).length > 0) found.shell = false;
  const visit = (node: SyntaxNode): void => {
    if (node.type === "Command") spell(wordsOf(node), depth, found);
    if (node.type === "Script") take(node as ParsedScript, depth + 1, found);
    else forEachChild(node, visit);
  };
  forEachChild(script, visit);
}

/** The one that was cut last: a decision and its explanation ask about the same line many times. */
let last: { readonly command: string; readonly parts: CommandParts } | null = null;

export function commandParts(command: string): CommandParts {
  if (last?.command !== command) last = { command, parts: cut(command) };
  return last.parts;
}

function cut(command: string): CommandParts {
  const line = command.trim().replace(/\s+/g, " ");
  if (command.length > MAX_LENGTH) return { line, parts: [], readable: false, shell: false };
  const found: Found = { parts: new Set(), known: true, shell: true };
  take(parse(command), 0, found);
  const { known, shell } = found;
  return { line, parts: [...found.parts].filter((part) => part !== ""), readable: known && shell, shell };
}

/**
 * Whether a rule speaks of the command. A pattern without a shell operator is held against each simple command of the
 * line, one with an operator ("curl * | sh") against the whole line. What cannot be read matches a pattern that matches
 * anywhere in it: such a line is asked about or denied too often rather than too rarely.
 */
export function matchesCommand(globs: readonly string[], except: readonly string[], command: CommandParts): boolean {
  const spared = (text: string) => except.some((glob) => matchesText(glob, text));
  return globs.some((glob) => {
    if (OPERATOR.test(glob)) return matchesText(glob, command.line) && !spared(command.line);
    if (command.parts.some((part) => matchesText(glob, part) && !spared(part))) return true;
    return !command.readable && matchesText(`*${glob}*`, command.line);
  });
}

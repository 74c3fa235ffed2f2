import type { PolicyObject } from "#policy/decision.ts";
import { commandParts } from "#policy/match/commands.ts";
import { INDEX_OPTIONS, INSTALLERS, type Installer, programOf } from "#policy/match/installers.ts";
import type { Tool } from "#policy/tools.ts";

type Action = PolicyObject & { readonly subject: "action" };

const SHELL = { subject: "tool", tool: "shell" satisfies Tool } as const;

/** Words after the program that are no options, with those that an option takes for itself left out; `null`: any may. */
function operands(words: readonly string[], valued: ReadonlySet<string> | null): string[] {
  const out: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] ?? "";
    if (word === "--") return [...out, ...words.slice(i + 1)];
    if (!word.startsWith("-")) out.push(word);
    else if (valued === null ? !word.includes("=") : valued.has(word)) i += 1;
  }
  return out;
}

/** A file of a package, whoever put it there: "./x.tgz" is no folder of the repository. */
const isArchive = (spec: string): boolean =>
  /\.(?:tgz|tar|tar\.\w+|zip|whl|gem|crate|deb|rpm|jar)(?:[#?[].*)?$/i.test(spec);

/** A folder or a file that is there already: no package of somebody else's. */
const isLocal = (spec: string): boolean =>
  /^(?:\.{1,2}(?:\/|$|\[)|\/|~\/|file:|link:|workspace:)/.test(spec) && !isArchive(spec);

/** What no repository holds: something of another host, or a package's file. */
const isForeign = (spec: string): boolean =>
  /^(?:[a-z][a-z\d.-]*\+)?(?:https?|ssh|git|ftp):/i.test(spec) ||
  /^[a-z]+\+[a-z]+:/i.test(spec) ||
  /^git@/.test(spec) ||
  isArchive(spec);

/** Whether an option names something foreign: "-e git+https://…", "--requirement=https://…". Not where packages come from. */
const namesForeign = (words: readonly string[]): boolean =>
  words.some((word, index) => {
    const [, option, value] = /^(--?[\w-]+)=(.*)$/s.exec(word) ?? [];
    const before = option ?? words[index - 1] ?? "";
    return before.startsWith("-") && !INDEX_OPTIONS.has(before) && isForeign(value ?? word);
  });

/** The words behind a phrase, if the command begins with it; "*" is any one word. */
function behind(said: readonly string[], phrase: string, shortens: boolean): readonly string[] | null {
  const words = phrase === "" ? [] : phrase.split(" ");
  const same = (word: string, is = "") =>
    word === is || (word === "*" && is !== "") || (shortens && is.length > 1 && word.startsWith(is));
  return words.every((word, index) => same(word, said[index])) ? said.slice(words.length) : null;
}

/**
 * Whether it is told to fetch nothing. Without that `npx x`, `npm exec x` and `bunx x` run what is installed and fetch what
 * is not; only a person at a terminal is asked first, and an agent is none. Whether the repository declares x cannot be seen
 * here, and a wall that lets any package be read (the preset npm-read) does not hold it: so it counts as new.
 */
function fetchesNothing(words: readonly string[], operand: string | undefined): boolean {
  if (words.some((word) => /^(?:-y|--yes(?:=true)?)$/.test(word))) return false;
  const own = operand === undefined ? words : words.slice(0, words.indexOf(operand));
  return own.some((word) => word === "--no-install" || word === "--no" || word === "--no-yes");
}

/** Programs that start each other in one simple command: who writes more of them is asked about. */
const MAX_STARTS = 32;

/** Whether the words put a package in that nothing in the repository declares. `fed`: more of them come from elsewhere. */
function installs(words: readonly string[], fed: boolean): boolean {
  const starts = new Set([0]);
  // A set hands out what is added while it is walked, each place once.
  for (const start of starts) {
    if (starts.size > MAX_STARTS) return true;
    const { program, rest } = programOf(words.slice(start));
    const installer = Object.hasOwn(INSTALLERS, program) ? INSTALLERS[program] : undefined;
    if (installer === undefined) continue;
    // An option that we do not know may take the next word or not: "--new x install y" installs y.
    for (const said of [operands(rest, new Set(installer.valued)), operands(rest, null)]) {
      if (reads(installer, program, rest, said, fed)) return true;
      const inner = [...(installer.starts ?? []), ...(installer.fetches ?? [])];
      if (!inner.some((phrase) => behind(said, phrase, false) !== null)) continue;
      // Which of the words is the program is its business, as it is of `sudo` and `env`.
      for (const [index, word] of words.entries()) {
        if (index > start && Object.hasOwn(INSTALLERS, programOf([word, "-"]).program)) starts.add(index);
        if (index > start && words[index + 1] === "-m") starts.add(index);
      }
    }
  }
  return false;
}

function reads(
  installer: Installer,
  program: string,
  rest: readonly string[],
  said: readonly string[],
  fed: boolean,
): boolean {
  const { verbs, runs = [], updates = [], fetches = [], adds = [], shortens = false } = installer;
  const after = (phrase: string) => behind(said, phrase, shortens);
  const some = (phrases: readonly string[], is: (packages: readonly string[]) => boolean) =>
    phrases.some((phrase) => is(after(phrase) ?? []) || (fed && after(phrase) !== null));
  if (adds.some((option) => rest.some((word) => word === option || word.startsWith(`${option}=`)))) return true;
  if (some(runs, (packages) => packages.length > 0)) return true;
  if (some(updates, (packages) => packages.some((spec) => /.@/.test(spec)))) return true;
  if (some(fetches, (packages) => packages.length > 0 && !fetchesNothing(rest, packages[0]))) return true;
  if (program === "deno" && said.some((spec) => /^(?:npm|jsr|https?):/.test(spec))) return true;
  // What a module of ours needs, "go install ./cmd/x", is declared; "go run x@v1" is not.
  if (program === "go" && said[0] === "run") return /@/.test(said[1] ?? "");
  const renews = program === "go" && said[0] === "get" && rest.includes("-u");
  return verbs.some((phrase) => {
    const packages = after(phrase);
    if (packages === null) return false;
    if (namesForeign(rest)) return true;
    return renews || fed || packages.some((spec) => !isLocal(spec));
  });
}

const FORGE: readonly (readonly [RegExp, string])[] = [
  [/^(?:gh pr|glab mr) merge\b/, "pr.merge"],
  [/^(?:gh pr|glab mr) (?:create|new)\b/, "pr.open"],
  [
    /^(?:gh pr (?:edit|comment|review|close|reopen|ready|lock)|glab mr (?:update|note|approve|close|reopen))\b/,
    "pr.update",
  ],
  [/^(?:gh issue comment|glab issue note)\b/, "issue.comment"],
];

/** The actions that a command line is, beside being a command: a new package, or a word to the forge. */
function actionsOf(command: string): readonly Action[] {
  const found = new Map<string, Action>();
  const { parts } = commandParts(command);
  // Their packages come from elsewhere: "cat list | xargs npm install".
  const feeders = parts.filter((part) => /^(?:xargs|parallel) /.test(part));
  for (const part of parts) {
    const words = part.split(" ");
    const fed = feeders.some((feeder) => feeder.endsWith(` ${part}`));
    if (installs(words, fed)) found.set("package.install", { subject: "action", action: "package.install" });
    const { program, rest } = programOf(words);
    const line = [program, ...operands(rest, new Set(["-R", "--repo"]))].join(" ");
    const action = FORGE.find(([form]) => form.test(line))?.[1];
    if (action === "pr.open") {
      const draft = rest.some((word) => word === "--draft" || word === "-d");
      found.set(`${action} ${draft}`, { subject: "action", action, draft });
    } else if (action !== undefined) found.set(action, { subject: "action", action });
  }
  return [...found.values()];
}

/**
 * All that a command is to policy: itself, the actions it stands for, and a use of the shell. The same wherever one is asked
 * about.
 */
export function commandObjects(command: string): readonly PolicyObject[] {
  return [{ subject: "command", command }, ...actionsOf(command), SHELL];
}

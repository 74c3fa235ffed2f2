import { edgeEdit, keyLine, lineWith } from "./places.ts";
import { fileText, type Outcome, type Step } from "./step.ts";
import { said, type Wish } from "./wishes.ts";

/** How one wish ended. "stop": what follows would build on something that is not there. "missed": it may go on. */
export interface Note {
  readonly end: "done" | "missed" | "stop";
  readonly text: string;
  readonly changed: boolean;
}

type Part<T> = Generator<Step, T, Outcome>;

/** Files edited for one wish that names none; more is a job for a person with a better tool. */
const MOST_FILES = 20;

const done = (text: string, changed = true): Note => ({ end: "done", text, changed });
const missed = (text: string): Note => ({ end: "missed", text, changed: false });
const stop = (text: string): Note => ({ end: "stop", text, changed: false });

export function* fulfil(wish: Wish): Part<Note> {
  switch (wish.kind) {
    case "replace":
      return yield* wish.file === null
        ? replaceWherever(wish.find, wish.put)
        : replaceIn(wish.file, wish.find, wish.put, wish.exact);
    case "removeText":
      return yield* removeText(wish.file, wish.text, wish.wholeLine);
    case "append":
      return yield* append(wish.file, wish.line, wish.where);
    case "create":
      return yield* create(wish.file, wish.content);
    case "delete":
      return yield* deleteFile(wish.file);
    case "move":
      return command(
        yield* shell(`git mv -- ${quoted(wish.from)} ${quoted(wish.to)}`),
        `${wish.from} is now ${wish.to}.`,
        `rename ${wish.from}`,
        true,
      );
    case "run":
      return ran(wish.command, yield* shell(wish.command));
    case "fetch":
      return yield* fetchUrl(wish.url);
    case "show":
      return yield* show(wish.file);
    case "search":
      return yield* search(wish.text);
    case "ask":
      return yield* ask(wish.question);
  }
}

interface Found {
  readonly path: string;
  readonly text: string;
  readonly cut: boolean;
}

/** The file, or another whose name differs only in case or ending; or the note to stop with. */
function* find(path: string): Part<Found | Note> {
  const first = yield { action: { kind: "read", path } };
  if (first.kind === "done") return { path, ...fileText(first.text) };
  if (first.kind !== "failed") return ended(first, `read ${path}`);
  const listed = yield* shell("git ls-files");
  const names = listed.kind === "done" ? listed.text.split("\n").map((line) => line.trim()) : [];
  const bare = (name: string) => (name.split("/").at(-1) ?? name).toLowerCase();
  const wanted = bare(path);
  const alike = names.filter((name) => bare(name) === wanted || bare(name).replace(/\.[^.]*$/, "") === wanted);
  const [only] = alike;
  if (only === undefined || alike.length > 1 || only === path) {
    return stop(alike.length > 1 ? `${path} could be ${alike.join(" or ")}.` : `There is no file ${path}.`);
  }
  const second = yield { action: { kind: "read", path: only } };
  return second.kind === "done" ? { path: only, ...fileText(second.text) } : ended(second, `read ${only}`);
}

function* replaceIn(path: string, find_: string, put: string, exact: boolean): Part<Note> {
  const file = yield* find(path);
  if ("end" in file) return file;
  const key = exact ? null : keyLine(file.text, find_, put);
  if (key) return yield* edit(file.path, key.find, key.put, false, `${file.path}: ${find_} is now ${said(put)}.`);
  const places = file.text.split(find_).length - 1;
  if (places === 0 && file.text.includes(put)) return done(`${file.path} says ${said(put)} already.`, false);
  if (places === 0) return stop(`${said(find_)} is not in ${file.path}${otherCase(file.text, find_)}.`);
  const words = `${file.path}: ${said(find_)} is now ${said(put)}${places > 1 ? ` in ${places} places` : ""}.`;
  return yield* edit(file.path, find_, put, places > 1, words);
}

function otherCase(text: string, find_: string): string {
  const at = text.toLowerCase().indexOf(find_.toLowerCase());
  return at < 0 ? "" : `, but ${said(text.slice(at, at + find_.length))} is`;
}

function* replaceWherever(find_: string, put: string): Part<Note> {
  const found = yield* shell(`git grep -lF -- ${quoted(find_)}`);
  if (found.kind !== "done" && found.kind !== "failed") return ended(found, "search the files");
  const files =
    found.kind === "done"
      ? found.text
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => /^[^\s:<>]+$/.test(line))
      : [];
  if (files.length === 0) return stop(`${said(find_)} is in no file of this repository.`);
  if (files.length > MOST_FILES) return stop(`${said(find_)} is in ${files.length} files. Name the one you mean.`);
  const notes: Note[] = [];
  for (const file of files) {
    const note = yield* replaceIn(file, find_, put, true);
    notes.push(note);
    if (note.end !== "done") break;
  }
  return {
    end: notes.at(-1)?.end ?? "stop",
    text: notes.map((note) => note.text).join(" "),
    changed: notes.some((note) => note.changed),
  };
}

function* removeText(path: string, text: string, wholeLine: boolean): Part<Note> {
  const file = yield* find(path);
  if ("end" in file) return file;
  const line = lineWith(file.text, text, wholeLine);
  if (line !== null)
    return yield* edit(file.path, line.find, line.put, false, `${file.path}: the line ${said(line.line)} is gone.`);
  const places = file.text.split(text).length - 1;
  if (places === 0) return stop(`${said(text)} is not in ${file.path}.`);
  return yield* edit(file.path, text, "", places > 1, `${file.path}: ${said(text)} is gone.`);
}

function* append(path: string, line: string, where: "top" | "end"): Part<Note> {
  const first = yield { action: { kind: "read", path } };
  let file: Found | null = first.kind === "done" ? { path, ...fileText(first.text) } : null;
  if (first.kind !== "done" && first.kind !== "failed") return ended(first, `read ${path}`);
  if (file === null && !path.includes(".")) {
    const other = yield* find(path);
    if (!("end" in other)) file = other;
  }
  if (file === null) return yield* write(path, `${line.trimStart()}\n`, `${path} is new and says ${said(line)}.`);
  const added = `${file.path}: ${said(line)} is the ${where === "top" ? "first" : "last"} line now.`;
  if (file.text.trim() === "") return yield* write(file.path, `${line.trimStart()}\n`, added);
  if (where === "end" && file.text.trimEnd().endsWith(`\n${line.trim()}`))
    return done(`${file.path} ends with ${said(line)} already.`, false);
  const change = file.cut && where === "end" ? null : edgeEdit(file.text, line, where);
  if (change) return yield* edit(file.path, change.find, change.put, false, added);
  return command(
    yield* shell(`printf '%s\\n' ${quoted(line)} >> ${quoted(file.path)}`),
    added,
    `add to ${file.path}`,
    true,
  );
}

function* create(path: string, content: string): Part<Note> {
  const whole = content === "" || content.endsWith("\n") ? content : `${content}\n`;
  const there = yield { action: { kind: "read", path } };
  if (there.kind === "done") {
    const same = fileText(there.text).text.trim() === whole.trim();
    return same
      ? done(`${path} is there already, with that content.`, false)
      : stop(`${path} exists already, so I left it as it is.`);
  }
  if (there.kind !== "failed") return ended(there, `look for ${path}`);
  return yield* write(path, whole, `${path} is new.`);
}

function* deleteFile(path: string): Part<Note> {
  const file = yield* find(path);
  if ("end" in file) return file;
  return command(yield* shell(`rm -- ${quoted(file.path)}`), `${file.path} is deleted.`, `delete ${file.path}`, true);
}

function* fetchUrl(url: string): Part<Note> {
  const got = yield { action: { kind: "fetch", url } };
  const host = URL.canParse(url) ? new URL(url).host : url;
  if (got.kind === "blocked") return missed(`${host} is blocked: ${got.text}`);
  if (got.kind === "failed") return missed(`${url} could not be fetched: ${got.text}.`);
  if (got.kind !== "done") return ended(got, `fetch ${url}`);
  const first = got.text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 120);
  return done(`${url} answered${first === "" ? "." : `: ${said(first)}.`}`, false);
}

function* show(path: string): Part<Note> {
  const file = yield* find(path);
  if ("end" in file) return file;
  const lines = file.text.trimEnd().split("\n");
  const more = lines.length > 40 ? `\n… and ${lines.length - 40} lines more` : "";
  return done(`${file.path} says:\n\`\`\`\n${lines.slice(0, 40).join("\n")}${more}\n\`\`\``, false);
}

function* search(text: string): Part<Note> {
  const found = yield* shell(`git grep -nF -- ${quoted(text)}`);
  if (found.kind === "failed") return done(`${said(text)} is in no file.`, false);
  if (found.kind !== "done") return ended(found, "search the files");
  const lines = found.text.trim().split("\n");
  return done(`${said(text)} is here:\n\`\`\`\n${lines.slice(0, 20).join("\n")}\n\`\`\``, false);
}

function* ask(question: string): Part<Note> {
  const asked = yield { action: { kind: "ask", question } };
  if (asked.kind === "done") return done(`You answered: ${asked.text.replace(/^answer:\s*/, "").trim()}.`, false);
  if (asked.kind !== "failed" && asked.kind !== "unsupported") return ended(asked, "ask");
  const answer = yield { text: `A question for you: ${question.replace(/[?.]*$/, "?")}`, awaits: "person" };
  return done(answer.kind === "answer" ? `You answered: ${answer.text.trim()}.` : "There was no answer.", false);
}

const shell = function* (command_: string): Part<Outcome> {
  return yield { action: { kind: "shell", command: command_ } };
};

function* edit(path: string, find_: string, put: string, all: boolean, words: string): Part<Note> {
  const result = yield { action: { kind: "edit", path, find: find_, put, all } };
  if (result.kind !== "interrupted") return command(result, words, `edit ${path}`, true);
  // Nobody knows whether it took effect: look before saying so.
  const again = yield { action: { kind: "read", path } };
  const text = again.kind === "done" ? fileText(again.text).text : "";
  if (put !== "" && text.includes(put)) return done(words);
  if (!text.includes(find_)) return stop(`The edit of ${path} was interrupted, and the file is not as I left it.`);
  return command(yield { action: { kind: "edit", path, find: find_, put, all } }, words, `edit ${path}`, true);
}

function* write(path: string, content: string, words: string): Part<Note> {
  return command(yield { action: { kind: "write", path, content } }, words, `write ${path}`, true);
}

function command(result: Outcome, words: string, what: string, changed: boolean): Note {
  if (result.kind === "done") return done(words, changed);
  return result.kind === "failed"
    ? stop(`I could not ${what}: ${firstLine(result.text) || `exit ${result.exitCode ?? "unknown"}`}.`)
    : ended(result, what);
}

/** A longer output is on the run page. */
const LINES_SHOWN = 16;

function ran(line: string, result: Outcome): Note {
  const lines = "text" in result && result.text.trim() !== "" ? result.text.trim().split("\n") : [];
  const tail =
    lines.length === 0
      ? "."
      : lines.length === 1 || lines.length > LINES_SHOWN
        ? `: ${said(firstLine(lines[0] ?? ""))}${lines.length === 1 ? "" : ` and ${lines.length - 1} more lines`}.`
        : `:\n\`\`\`\n${lines.join("\n")}\n\`\`\``;
  if (result.kind === "done")
    return done(`I ran \`${line}\`${result.exitCode === null ? "" : `, exit ${result.exitCode}`}${tail}`);
  if (result.kind === "failed")
    return missed(`\`${line}\` failed${result.exitCode === null ? "" : ` with exit ${result.exitCode}`}${tail}`);
  return ended(result, `run \`${line}\``);
}

function ended(result: Outcome, what: string): Note {
  switch (result.kind) {
    case "refused":
      return missed(`I may not ${what}: it was refused, so I left it.`);
    case "cancelled":
      return stop(`I was stopped before I could ${what}.`);
    case "interrupted":
      return missed(
        `I was interrupted while I wanted to ${what}. Whether it took effect is unknown, so I did not repeat it.`,
      );
    case "unsupported":
      return missed(`This agent gives me no tool to ${what}.`);
    default:
      return stop(`I could not ${what}.`);
  }
}

const firstLine = (text: string) => text.trim().split("\n")[0]?.replace(/\.$/, "") ?? "";

/** As one word of a shell command. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { apply, newWorld, type Op, type Seed, snapshot, type World } from "./world.ts";

/** What happened, for `/_control/log`: people's acts, events and answers, Web API calls, in order. */
interface LogEntry {
  readonly seq: number;
  /** ISO 8601. */
  readonly at: string;
  readonly kind:
    | "person"
    | "event"
    | "event.answer"
    | "interaction"
    | "interaction.answer"
    | "command"
    | "command.answer"
    | "socket"
    | "api"
    | "hook";
  readonly [detail: string]: unknown;
}

export interface Journal {
  readonly world: World;
  /** Writes the line, then applies it, then tells the listeners. Throws when the line cannot be written. */
  commit(op: Op): void;
  /** Calls back after every commit. Returns how to stop. */
  onCommit(listener: (op: Op) => void): () => void;
  /** Slack's message time: seconds and six digits, never twice, also across restarts. */
  nextTs(): string;
  log(kind: LogEntry["kind"], detail: Readonly<Record<string, unknown>>): void;
  entries(after: number): readonly LogEntry[];
  close(): void;
}

const LOG_KEPT = 5_000;
/** A journal longer than this is written anew at the next start, without its history. */
const COMPACT_LINES = 20_000;

/** A file that somebody has to mend or take away; the message says which. */
export class JournalDamaged extends Error {
  override readonly name = "JournalDamaged";
}

/** Whole lines only: a kill may leave half of the last one. Throws `JournalDamaged` when another line cannot be read. */
function readLines<T>(file: string): T[] {
  if (!existsSync(file)) return [];
  const text = readFileSync(file, "utf8");
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  return whole.split("\n").flatMap((line, i) => {
    if (line === "") return [];
    try {
      return [JSON.parse(line) as T];
    } catch (cause) {
      const what = `Line ${i + 1} of ${file} is damaged. Delete the file to begin with an empty playground.`;
      throw new JournalDamaged(what, { cause });
    }
  });
}

/** Writes all lines to a new file that then takes the old one's place. */
function rewrite(file: string, lines: Iterable<unknown>): void {
  writeFileSync(`${file}.new`, [...lines].map((line) => `${JSON.stringify(line)}\n`).join(""), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Opens the journal of a folder, made when missing, and replays it. One process at a time. */
export function openJournal(dataDir: string, seed: Seed, now: () => number): Journal {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const opsFile = join(dataDir, "journal.jsonl");
  const logFile = join(dataDir, "log.jsonl");

  const world = newWorld(seed);
  const ops = readLines<Op>(opsFile);
  for (const op of ops) apply(world, op);
  // Also cuts off a torn last line, which would swallow the next one.
  rewrite(opsFile, ops.length > COMPACT_LINES ? snapshot(world) : ops);

  let log = readLines<LogEntry>(logFile).slice(-LOG_KEPT);
  rewrite(logFile, log);
  let seq = log.at(-1)?.seq ?? 0;

  let opsFd = openSync(opsFile, "a", 0o600);
  let logFd = openSync(logFile, "a", 0o600);
  const listeners = new Set<(op: Op) => void>();

  return {
    world,
    commit(op) {
      if (op.op === "reset") {
        closeSync(opsFd);
        closeSync(logFd);
        writeFileSync(opsFile, "");
        writeFileSync(logFile, "");
        opsFd = openSync(opsFile, "a", 0o600);
        logFd = openSync(logFile, "a", 0o600);
        log = [];
      } else {
        writeSync(opsFd, `${JSON.stringify(op)}\n`);
      }
      apply(world, op);
      for (const listener of listeners) listener(op);
    },
    onCommit(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    nextTs() {
      const ms = now();
      const [lastSec = "0", lastMicro = "0"] = world.lastTs.split(".");
      const wanted = Math.floor(ms) * 1_000;
      const least = Number(lastSec) * 1_000_000 + Number(lastMicro) + 1;
      const micros = Math.max(wanted, least);
      world.lastTs = `${Math.floor(micros / 1_000_000)}.${String(micros % 1_000_000).padStart(6, "0")}`;
      return world.lastTs;
    },
    log(kind, detail) {
      seq += 1;
      const entry: LogEntry = { seq, at: new Date(now()).toISOString(), kind, ...detail };
      log.push(entry);
      if (log.length > LOG_KEPT) log = log.slice(-LOG_KEPT);
      writeSync(logFd, `${JSON.stringify(entry)}\n`);
    },
    entries: (after) => log.filter((entry) => entry.seq > after),
    close() {
      closeSync(opsFd);
      closeSync(logFd);
    },
  };
}

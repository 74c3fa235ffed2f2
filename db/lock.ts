import { linkSync, mkdirSync, readFileSync, rmdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";

/** Another live process has the database open. The message says what to do. */
export class DatabaseInUse extends Error {
  override readonly name = "DatabaseInUse";
}

interface Holder {
  readonly host: string;
  readonly pid: number;
  /** When it started, as the kernel counts; a reused pid has another. `null` where the kernel does not say. */
  readonly started: string | null;
}

/** A reaper that died half-way leaves its mark for this long. */
const REAPER_MS = 10_000;

/** The lock is touched this often. On another host (a shared volume) that is all there is to tell the living by. */
const TOUCH_MS = 5_000;
const SILENT_MS = 6 * TOUCH_MS;

/**
 * Takes `path` as the one owner of a folder: PGlite does not, and two openers corrupt it (pglite issue 892). A lock
 * whose process is dead is reaped. Returns the release.
 */
export function takeLock(path: string, what: string): () => void {
  const me: Holder = { host: hostname(), pid: process.pid, started: startOf(process.pid) };
  if (!create(path, me)) {
    const holder = read(path);
    if (holder && isAlive(path, holder)) throw inUse(what, holder.pid);
    reap(path, what, me);
  }
  const touch = setInterval(() => utimesSync(path, new Date(), new Date()), TOUCH_MS);
  touch.unref();
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    clearInterval(touch);
    rmSync(path, { force: true });
  };
}

/** Replaces a dead process's lock. The folder beside it lets only one of two reapers through. */
function reap(path: string, what: string, me: Holder): void {
  const mark = `${path}.reap`;
  try {
    mkdirSync(mark);
  } catch {
    if (Date.now() - statSync(mark).mtimeMs < REAPER_MS) throw inUse(what, null);
    rmdirSync(mark);
    mkdirSync(mark);
  }
  try {
    const holder = read(path);
    if (holder && isAlive(path, holder)) throw inUse(what, holder.pid);
    rmSync(path, { force: true });
    if (!create(path, me)) throw inUse(what, read(path)?.pid ?? null);
  } finally {
    rmdirSync(mark);
  }
}

function inUse(what: string, pid: number | null): DatabaseInUse {
  const who = pid === null ? "Another process" : `Process ${pid}`;
  return new DatabaseInUse(
    `${who} has the database ${what} open, and an embedded database serves one process. ` +
      "Stop that process, or set DATABASE_URL to a Postgres server to run several.",
  );
}

/** `false`: there is one. Linked into place, so that nobody reads a lock that is half written. */
function create(path: string, holder: Holder): boolean {
  const draft = `${path}.${holder.pid}`;
  writeFileSync(draft, JSON.stringify(holder), { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft);
  }
}

/** `null`: no lock, or not one of ours. */
function read(path: string): Holder | null {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Holder;
  } catch {
    return null;
  }
}

function isAlive(path: string, holder: Holder): boolean {
  if (holder.host !== hostname()) return Date.now() - statSync(path).mtimeMs < SILENT_MS;
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EPERM")) return false;
  }
  const started = startOf(holder.pid);
  return started === null || holder.started === null || started === holder.started;
}

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold spaces and brackets. A zombie counts as dead. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" ? "zombie" : (fields[19] ?? null);
  } catch {
    return null;
  }
}

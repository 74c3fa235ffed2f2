import { EventEmitter, once } from "node:events";
import { type FileHandle, open, readdir, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { AuditLine } from "#ports/gateway.ts";
import { syncFolder } from "./durable-file.ts";
import { linesOf, openSegment, type Segment } from "./segment.ts";

/**
 * The append-only audit journal: one JSON line per decision. A line's cursor is the number of bytes before its end since
 * the first line there ever was, whatever has been removed since.
 */
export interface Journal {
  /** Resolves when the line is on disk. Rejects when it is not: the caller must then deny. */
  append(line: AuditLine): Promise<void>;
  /** Durable lines after byte `from`, then live ones, until `signal` or `close`. */
  read(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }>;
  /** The cursor of the last line that is on disk. */
  end(): number;
  /** Every line that is kept and was there when it was opened. */
  past(): AsyncGenerator<AuditLine>;
  /** Lines before byte `to` are safe elsewhere. Resolves when the files that hold nothing else are gone. */
  acknowledge(to: number): Promise<void>;
  close(): Promise<void>;
}

export interface JournalOptions {
  /** A file this large, in bytes, is followed by a new one. */
  readonly rollBytes: number;
  /** What was removed before: see `retire`. */
  readonly retired: number;
  /** Keeps what is needed of a file before it is removed; `to` is the cursor of its end. Durable when it resolves. */
  readonly retire: (lines: AsyncIterable<AuditLine>, to: number) => Promise<void>;
}

/** One of the journal's files. `at` changes when it is renamed. */
interface Piece {
  readonly base: number;
  at: string;
  size: number;
}

const ACTIVE = "audit.jsonl";
const ROLLED = /^audit-([0-9]{16})\.jsonl$/;
const rolledName = (base: number): string => `audit-${String(base).padStart(16, "0")}.jsonl`;

/**
 * Opens the journal in `folder`. Lines that arrive while one is being synced share the next sync, so that a burst costs
 * two. Lines are written to one file; when that is large it gets a name of its own and another one begins.
 */
export async function openJournal(folder: string, o: JournalOptions): Promise<Journal> {
  const pieces: Piece[] = await rolledIn(folder, o.retired);
  const last = pieces.at(-1);
  let file: Segment = await openSegment(path.join(folder, ACTIVE));
  let writing: Piece = {
    base: last === undefined ? o.retired : last.base + last.size,
    at: path.join(folder, ACTIVE),
    size: file.size(),
  };
  pieces.push(writing);
  const end = () => writing.base + writing.size;
  const opened = end();
  const grown = new EventEmitter().setMaxListeners(0);
  let queue: { text: string; done: (error?: unknown) => void }[] = [];
  let flushing: Promise<void> | null = null;
  let acknowledged = 0;
  let retiring: Promise<void> = Promise.resolve();
  /** While names change, and how often they have: a reader must not open one file by another's name. */
  let rolling: Promise<void> | null = null;
  let rolls = 0;
  let closed = false;

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      try {
        await file.append(Buffer.from(batch.map((item) => item.text).join("")));
        writing.size = file.size();
        for (const item of batch) item.done();
        grown.emit("grown");
      } catch (error) {
        for (const item of batch) item.done(error);
      }
      if (writing.size < o.rollBytes) continue;
      rolls += 1;
      rolling = roll();
      await rolling;
      rolling = null;
    }
    flushing = null;
  }

  /** Before the new file's first line is promised to anybody, the folder is on disk: both names, or neither. */
  async function roll(): Promise<void> {
    try {
      const kept = path.join(folder, rolledName(writing.base));
      if (writing.at !== kept) await rename(writing.at, kept);
      writing.at = kept;
      const next = await openSegment(path.join(folder, ACTIVE));
      await syncFolder(folder).catch((error: unknown) => next.close().then(() => Promise.reject(error)));
      await file.close();
      file = next;
      writing = { base: end(), at: path.join(folder, ACTIVE), size: 0 };
      pieces.push(writing);
      grown.emit("grown");
    } catch (error) {
      // The old file goes on under its new name, and the next batch tries again.
      process.emitWarning(`gateway: the audit journal cannot begin a new file: ${String(error)}`);
    }
  }

  async function* read(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }> {
    for (let at = from; !signal.aborted && !closed; ) {
      const piece = pieces.find((each) => at < each.base + each.size);
      if (piece === undefined) {
        await once(grown, "grown", { signal }).catch((error: unknown) => {
          if (!signal.aborted) throw error;
        });
        continue;
      }
      // What is no longer kept was taken long ago.
      at = Math.max(at, piece.base);
      const handle = await openToRead(piece);
      if (handle === null) continue;
      try {
        for await (const { next, text } of linesOf(handle, at - piece.base, () => piece.size)) {
          at = piece.base + next;
          yield { next: at, line: JSON.parse(text) as AuditLine };
          if (signal.aborted) return;
        }
      } finally {
        await handle.close();
      }
    }
  }

  /** `null`: its name is about to change, or it is no longer kept; another look is due. */
  async function openToRead(piece: Piece): Promise<FileHandle | null> {
    await rolling;
    const before = rolls;
    const changed = () => rolls !== before || !pieces.includes(piece);
    let handle: FileHandle;
    try {
      handle = await open(piece.at, "r");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT" && changed()) return null;
      throw error;
    }
    if (!changed()) return handle;
    await handle.close();
    return null;
  }

  async function* past(): AsyncGenerator<AuditLine> {
    if (opened === pieces[0]?.base) return;
    for await (const { next, line } of read(0, new AbortController().signal)) {
      yield line;
      if (next >= opened) return;
    }
  }

  async function retireOld(): Promise<void> {
    for (let [oldest] = pieces; oldest !== undefined && oldest !== writing; [oldest] = pieces) {
      const to = oldest.base + oldest.size;
      if (to > acknowledged || closed) return;
      await o.retire(linesIn(oldest), to);
      pieces.shift();
      await rm(oldest.at, { force: true });
    }
  }

  return {
    past,
    append: (line) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error("the audit journal is closed"));
        queue.push({ text: `${JSON.stringify(line)}\n`, done: (error) => (error ? reject(error) : resolve()) });
        flushing ??= flush();
      }),
    read,
    end,
    acknowledge(to) {
      acknowledged = Math.max(acknowledged, Math.min(to, end()));
      const mine = retiring.then(retireOld);
      retiring = mine.catch(() => undefined);
      return mine;
    },
    async close() {
      await flushing;
      closed = true;
      grown.emit("grown");
      await retiring;
      await file.close();
    },
  };
}

async function* linesIn(piece: Piece): AsyncGenerator<AuditLine> {
  const file = await open(piece.at, "r");
  try {
    for await (const { text } of linesOf(file, 0, () => piece.size)) yield JSON.parse(text) as AuditLine;
  } finally {
    await file.close();
  }
}

/** The files that are closed, oldest first. One that was retired and not yet removed when we died is removed now. */
async function rolledIn(folder: string, retired: number): Promise<Piece[]> {
  const pieces: Piece[] = [];
  for (const name of (await readdir(folder)).sort()) {
    const base = Number(ROLLED.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(base)) continue;
    const at = path.join(folder, name);
    const { size } = await stat(at);
    if (base + size <= retired) {
      await rm(at, { force: true });
      continue;
    }
    const before = pieces.at(-1);
    const expected = before === undefined ? retired : before.base + before.size;
    if (base !== expected)
      throw new Error(`the audit journal in ${folder} has a hole: ${name} should begin at byte ${expected}`);
    pieces.push({ base, at, size });
  }
  return pieces;
}

import { EventEmitter, once } from "node:events";
import { type FileHandle, open } from "node:fs/promises";
import type { AuditLine } from "#ports/gateway.ts";

/** The append-only audit file: one JSON line per decision. A line's cursor is the byte offset behind it. */
export interface Journal {
  /** Resolves when the line is on disk. Rejects when it is not: the caller must then deny. */
  append(line: AuditLine): Promise<void>;
  /** Durable lines after byte `from`, then live ones, until `signal` or `close`. */
  read(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }>;
  /** Every line that was there when it was opened. */
  past(): AsyncGenerator<AuditLine>;
  close(): Promise<void>;
}

const CHUNK = 256 * 1024;

/**
 * Opens the journal at `path`, cutting a torn last line: it was never acknowledged. Lines that arrive while one is
 * being synced share the next sync, so that a burst costs two.
 */
export async function openJournal(path: string): Promise<Journal> {
  const file = await open(path, "a+", 0o600);
  let durable = await cutTornLine(file);
  const opened = durable;
  const grown = new EventEmitter().setMaxListeners(0);
  let queue: { text: string; done: (error?: unknown) => void }[] = [];
  let flushing: Promise<void> | null = null;
  let closed = false;

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      const bytes = Buffer.from(batch.map((item) => item.text).join(""));
      try {
        await writeAll(file, bytes);
        await file.datasync();
        durable += bytes.length;
        for (const item of batch) item.done();
        grown.emit("grown");
      } catch (error) {
        await rewind(file, durable);
        for (const item of batch) item.done(error);
      }
    }
    flushing = null;
  }

  async function* read(from: number, signal: AbortSignal): AsyncGenerator<{ next: number; line: AuditLine }> {
    let at = from;
    let held: Buffer = Buffer.alloc(0);
    while (!signal.aborted && !closed) {
      while (at + held.length < durable) {
        const start = at + held.length;
        const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(CHUNK, durable - start)), 0, null, start);
        if (bytesRead === 0) throw new Error(`the audit journal ends before byte ${durable}`);
        held = Buffer.concat([held, buffer.subarray(0, bytesRead)]);
        for (let end = held.indexOf(0x0a); end >= 0; end = held.indexOf(0x0a)) {
          const line = JSON.parse(held.subarray(0, end).toString("utf8")) as AuditLine;
          held = held.subarray(end + 1);
          at += end + 1;
          yield { next: at, line };
          if (signal.aborted) return;
        }
      }
      if (closed || at + held.length < durable) continue;
      await once(grown, "grown", { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async function* past(): AsyncGenerator<AuditLine> {
    if (opened === 0) return;
    for await (const { next, line } of read(0, new AbortController().signal)) {
      yield line;
      if (next >= opened) return;
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
    async close() {
      await flushing;
      closed = true;
      grown.emit("grown");
      await file.close();
    },
  };
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  let at = 0;
  while (at < bytes.length) at += (await file.write(bytes, at, bytes.length - at, null)).bytesWritten;
}

/** A half-written batch must not run into the next one. When even this fails the next append fails again. */
async function rewind(file: FileHandle, to: number): Promise<void> {
  try {
    await file.truncate(to);
  } catch {
    // Not a regular file, or a dead disk: every append keeps failing, and every request is denied.
  }
}

async function cutTornLine(file: FileHandle): Promise<number> {
  const { size } = await file.stat();
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    const newline = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
    if (newline >= 0) {
      end = start + newline + 1;
      break;
    }
    end = start;
  }
  if (end < size) await file.truncate(end);
  return end;
}

import { type FileHandle, open } from "node:fs/promises";

/** One append-only file of whole lines. */
export interface Segment {
  /** Bytes that are on disk; what is shorter than this may be read. */
  size(): number;
  /** Resolves when the bytes are on disk. Rejects when they are not, and then none of them is there. */
  append(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const CHUNK = 256 * 1024;

/** Opens the file at `path`, made when absent, and cuts a torn last line: it was never acknowledged. */
export async function openSegment(path: string): Promise<Segment> {
  const file = await open(path, "a+", 0o600);
  let durable = await cutTornLine(file);
  return {
    size: () => durable,
    async append(bytes) {
      try {
        for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at, null)).bytesWritten;
        await file.datasync();
        durable += bytes.length;
      } catch (error) {
        await rewind(file, durable);
        throw error;
      }
    },
    close: () => file.close(),
  };
}

/**
 * The lines from byte `from` to where `end` says the file ends by then; `next` is the byte behind the line. Through a
 * handle of the caller's, which stays good whatever becomes of the file's name.
 */
export async function* linesOf(
  file: FileHandle,
  from: number,
  end: () => number,
): AsyncGenerator<{ next: number; text: string }> {
  let at = from;
  let held: Buffer = Buffer.alloc(0);
  while (at + held.length < end()) {
    const start = at + held.length;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(CHUNK, end() - start)), 0, null, start);
    if (bytesRead === 0) throw new Error(`the audit journal ends before byte ${end()} of its file`);
    held = Buffer.concat([held, buffer.subarray(0, bytesRead)]);
    for (let stop = held.indexOf(0x0a); stop >= 0; stop = held.indexOf(0x0a)) {
      const text = held.subarray(0, stop).toString("utf8");
      held = held.subarray(stop + 1);
      at += stop + 1;
      yield { next: at, text };
    }
  }
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

import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";

/** An append-only file that can be read at any offset while it grows. */
export interface Journal {
  size(): number;
  append(data: Uint8Array): void;
  /** Bytes from `from`, at most `max`; empty at the end. */
  slice(from: number, max: number): Buffer;
  /** Resolves at the next append, at `end`, or when `signal` aborts. */
  grown(signal: AbortSignal): Promise<void>;
  /** Wakes who waits: nothing more that matters will come. Later appends are still kept. */
  end(): void;
  close(): void;
}

/** Opens `path` for appending; what it holds already stays. */
export function openJournal(path: string): Journal {
  const fd = openSync(path, "a+", 0o600);
  let size = fstatSync(fd).size;
  let next = Promise.withResolvers<void>();
  const wake = () => {
    next.resolve();
    next = Promise.withResolvers<void>();
  };
  return {
    size: () => size,
    append(data) {
      for (let done = 0; done < data.length; ) done += writeSync(fd, data, done);
      size += data.length;
      wake();
    },
    slice(from, max) {
      const piece = Buffer.alloc(Math.max(0, Math.min(max, size - from)));
      let done = 0;
      while (done < piece.length) {
        const got = readSync(fd, piece, done, piece.length - done, from + done);
        if (got === 0) break;
        done += got;
      }
      return piece.subarray(0, done);
    },
    grown: (signal) =>
      new Promise((resolve) => {
        const finish = () => {
          signal.removeEventListener("abort", finish);
          resolve();
        };
        if (signal.aborted) return finish();
        signal.addEventListener("abort", finish, { once: true });
        void next.promise.then(finish);
      }),
    end: wake,
    close: () => closeSync(fd),
  };
}

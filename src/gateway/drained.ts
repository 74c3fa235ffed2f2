import type { Writable } from "node:stream";

/** Resolves when `stream` takes more, or when it is closed. Leaves no listener behind, however often it is awaited. */
export function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed) return resolve();
    const done = () => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.once("drain", done).once("close", done);
  });
}

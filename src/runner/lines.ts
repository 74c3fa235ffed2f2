import type { Readable } from "node:stream";

/**
 * Calls `line` for every line of UTF-8 without its end. A line over `maxBytes` destroys the stream with an error, so
 * that the other side cannot make us hold more than that.
 */
export function onLines(stream: Readable, maxBytes: number, line: (text: string) => void): void {
  let held: Buffer[] = [];
  let size = 0;
  stream.on("data", (chunk: Buffer) => {
    let rest = chunk;
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      held.push(rest.subarray(0, end));
      const text = Buffer.concat(held).toString("utf8");
      held = [];
      size = 0;
      rest = rest.subarray(end + 1);
      line(text);
      if (stream.destroyed) return;
    }
    held.push(rest);
    size += rest.length;
    if (size > maxBytes) stream.destroy(new Error(`a line is longer than ${maxBytes} bytes`));
  });
}

import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { drained } from "#gateway/drained.ts";

const full = (): PassThrough => {
  const stream = new PassThrough({ highWaterMark: 1 });
  stream.write("more than it likes");
  return stream;
};
const listeners = (stream: PassThrough) => stream.listenerCount("drain") + stream.listenerCount("close");

test("waiting for room again and again leaves no listener behind", async () => {
  const stream = full();
  const before = listeners(stream);
  for (let times = 0; times < 20; times += 1) {
    const room = drained(stream);
    stream.read();
    await room;
    stream.write("more than it likes");
  }
  expect(listeners(stream)).toBe(before);
});

test("nobody waits for room in a stream that is closed, then or before", async () => {
  const stream = full();
  const room = drained(stream);
  stream.destroy();
  await room;
  await drained(stream);
  expect(stream.listenerCount("drain")).toBe(0);
});

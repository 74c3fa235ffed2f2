import { expect, test } from "vitest";
import { batches } from "#runs/batch.ts";

test("a source that breaks while a group is worked on is heard of afterwards, and not as an error of nobody", async () => {
  let breakIt = (_: Error): void => undefined;
  const broken = new Promise<IteratorResult<number>>((_, reject) => {
    breakIt = reject;
  });
  const steps = [Promise.resolve({ done: false as const, value: 1 }), broken];
  const source: AsyncIterable<number> = {
    [Symbol.asyncIterator]: () => ({ next: () => steps.shift() ?? Promise.reject(new Error("nothing is left")) }),
  };
  const groups: (readonly number[])[] = [];
  const reading = (async () => {
    for await (const group of batches(source, 60_000, 1, () => true)) {
      groups.push(group);
      breakIt(new Error("the sandbox is gone"));
      // Node looks for rejections that nobody handles after each turn of its loop.
      await new Promise((resolve) => setImmediate(resolve));
    }
  })();
  await expect(reading).rejects.toThrow("the sandbox is gone");
  expect(groups).toEqual([[1]]);
});

/**
 * Groups what comes from `source`: a group is handed over with an item that is `urgent`, when `max` items have come, or
 * `ms` after its first one. Ends with the source; what the source throws is thrown after the items before it were
 * handed over.
 */
export async function* batches<T>(
  source: AsyncIterable<T>,
  ms: number,
  max: number,
  urgent: (item: T) => boolean,
): AsyncGenerator<readonly T[]> {
  const iterator = source[Symbol.asyncIterator]();
  const ask = () => {
    const asked = iterator.next();
    // It may fail while the consumer works on a group, or has left: heard when it is awaited, and until then nobody's.
    asked.catch(() => undefined);
    return asked;
  };
  let next = ask();
  let group: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  let due: Promise<"due"> | null = null;
  try {
    for (;;) {
      const step = await (due === null ? next : Promise.race([next, due]));
      if (step === "due") {
        yield group;
        group = [];
        due = null;
        continue;
      }
      if (step.done) {
        if (group.length > 0) yield group;
        return;
      }
      group.push(step.value);
      next = ask();
      if (group.length >= max || urgent(step.value)) {
        clearTimeout(timer);
        yield group;
        group = [];
        due = null;
      } else if (due === null) {
        due = new Promise((resolve) => {
          timer = setTimeout(() => resolve("due"), ms);
        });
      }
    }
  } catch (error) {
    if (group.length > 0) yield group;
    throw error;
  } finally {
    clearTimeout(timer);
    // Not awaited: a generator that is waiting returns only when its own signal ends the wait.
    void iterator.return?.()?.catch(() => undefined);
  }
}

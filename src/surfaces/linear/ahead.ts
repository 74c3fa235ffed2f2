/** What must not wait for anything, and what waits for it. */
export interface Ahead {
  /** Does what goes first. */
  first<T>(act: () => Promise<T>): Promise<T>;
  /** Resolves when nothing that goes first is under way any more, at the latest after a while. */
  after(): Promise<void>;
}

/**
 * Lets a burst be acknowledged before the work that any of it leads to begins: they share one thread, and often one
 * connection to the database. `mostMs`: how long the work waits for that.
 */
export function ahead(mostMs: number): Ahead {
  let going = 0;
  let clear = Promise.withResolvers<void>();
  return {
    async first(act) {
      going += 1;
      try {
        return await act();
      } finally {
        going -= 1;
        if (going === 0) {
          clear.resolve();
          clear = Promise.withResolvers();
        }
      }
    },
    async after() {
      if (going === 0) return;
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, mostMs);
      await Promise.race([clear.promise, late.promise]);
      clearTimeout(timer);
    },
  };
}

/** Lets at most `most` of a kind in at once; "busy", without a wait, for who comes too late. */
export function turnstile(most: number): <T>(kind: string, act: () => Promise<T>) => Promise<T | "busy"> {
  const inside = new Map<string, number>();
  return async (kind, act) => {
    const before = inside.get(kind) ?? 0;
    if (before >= most) return "busy";
    inside.set(kind, before + 1);
    try {
      return await act();
    } finally {
      const left = (inside.get(kind) ?? 1) - 1;
      if (left > 0) inside.set(kind, left);
      else inside.delete(kind);
    }
  };
}

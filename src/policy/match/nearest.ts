/** Edits (insert, delete, replace, swap of neighbours) between two words. */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((last[j] as number) + 1, (row[j - 1] as number) + 1, (last[j - 1] as number) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, (before[j - 2] as number) + 1);
      }
      row.push(best);
    }
    before = last;
    last = row;
  }
  return last[b.length] as number;
}

/** The known word an author most likely meant, or null when none is near. */
export function nearest(word: string, known: readonly string[]): string | null {
  if (word.length > 64) return null;
  const limit = Math.max(1, Math.floor(word.length / 3));
  const ranked = known
    .map((candidate) => ({ candidate, distance: edits(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return ranked[0]?.candidate ?? null;
}

/** ` - did you mean "egress"?`, or the choices when they are few, or nothing. */
export function hint(word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  if (near !== null) return ` - did you mean "${near}"?`;
  return known.length > 0 && known.length <= 15 ? ` - known: ${known.join(", ")}` : "";
}

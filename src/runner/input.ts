/** What an append at byte `at` means for a journal that already holds `size` bytes. */
export type Append =
  | { readonly kind: "fresh"; readonly bytes: Uint8Array }
  | { readonly kind: "conflict"; readonly why: string };

/**
 * The rule that makes a repeated write after a crash harmless: bytes the journal already holds from `at` on must be
 * the same and are dropped; only what lies past its end is fresh. `held(from, to)` reads the journal.
 */
export function freshBytes(
  size: number,
  at: number,
  data: Uint8Array,
  held: (from: number, to: number) => Uint8Array,
): Append {
  if (at > size) return { kind: "conflict", why: `a gap: the journal ends at byte ${size}, the write begins at ${at}` };
  const overlap = Math.min(size - at, data.length);
  if (!Buffer.from(held(at, at + overlap)).equals(data.subarray(0, overlap))) {
    return { kind: "conflict", why: `other bytes are journalled from byte ${at} on` };
  }
  return { kind: "fresh", bytes: data.subarray(overlap) };
}

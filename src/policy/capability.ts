import type { Point } from "./points.ts";

/** One thing that a policy lets somebody do, or holds them to, as a sentence. */
export interface Capability {
  /** Stable: the same capability of two policies has the same key, whatever its amount. */
  readonly key: string;
  readonly text: string;
  /** "org.yaml:12:3"; `null` for what no single line says. */
  readonly at: string | null;
  /** Where it is enforced; absent where it only says who somebody is. */
  readonly points?: readonly Point[];
}

/** "30m": the largest unit that says it whole. */
export function duration(ms: number): string {
  const units = [
    [86_400_000, "d"],
    [3_600_000, "h"],
    [60_000, "m"],
  ] as const;
  const [size, unit] = units.find(([one]) => ms % one === 0) ?? [1_000, "s"];
  return `${ms / size}${unit}`;
}

/** Several of something as one text. One that holds the separator itself is quoted: two lists never read the same. */
export const listed = (some: readonly (string | number)[]): string =>
  some.map((one) => (String(one).includes(",") ? JSON.stringify(one) : one)).join(", ");

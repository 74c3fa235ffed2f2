const DURATION = /^(\d{1,6})(s|m|h|d)$/;
const DURATION_MS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** "45m" → milliseconds; `null` when it is not a duration. */
export function durationMs(text: string): number | null {
  const parts = DURATION.exec(text);
  return parts === null ? null : Number(parts[1]) * (DURATION_MS[parts[2] as string] as number);
}

const SIZE = /^(\d{1,6})(B|KB|MB|GB|KiB|MiB|GiB)$/;
const SIZE_BYTES: Record<string, number> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** "20MB" → 20,000,000 bytes; "20MiB" is the binary one; `null` when it is not a size. */
export function sizeBytes(text: string): number | null {
  const parts = SIZE.exec(text);
  return parts === null ? null : Number(parts[1]) * (SIZE_BYTES[parts[2] as string] as number);
}

const COUNT = /^(\d{1,6}(?:\.\d{1,3})?)(k|M)$/;

/** "5M", "1.5M", "500k" or a whole number; `null` when it is not a count. */
export function count(value: string | number): number | null {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : null;
  const parts = COUNT.exec(value);
  return parts === null ? null : Math.round(Number(parts[1]) * (parts[2] === "M" ? 1e6 : 1e3));
}

export interface SizeBound {
  readonly what: "files" | "lines" | "bytes";
  /** The rule speaks of what is larger. */
  readonly above: number;
}

/** "> 20 files", "> 500 lines", "> 2MB"; `null` when it is not such a bound. */
export function sizeBound(text: string): SizeBound | null {
  const parts = /^> ?(?:(\d{1,7}) (files|lines)|(\S+))$/.exec(text);
  if (parts === null) return null;
  if (parts[2] !== undefined) return { what: parts[2] as "files" | "lines", above: Number(parts[1]) };
  const bytes = sizeBytes(parts[3] as string);
  // What is measured is the patch, and no more of it than this is ever held.
  return bytes === null || bytes > 10_000_000 ? null : { what: "bytes", above: bytes };
}

/** Whether "2027-02-30" and the like are days of the calendar. */
export function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

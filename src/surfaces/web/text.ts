// Terminal sequences: CSI, OSC and other strings up to BEL or ST, and two-character escapes (ECMA-48).
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u0090\u0098\u009c-\u009f]*(?:\u0007|\u001b\\|\u009c|$)|\u001b[ -/]*[0-~]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;
// Characters that hide or reorder what follows: bidirectional controls, zero-width spaces, tags (trojansource.codes).
const INVISIBLE = /[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;

/**
 * Text as a person can trust their eyes on it: terminal colours are gone, a line that was overwritten shows its last
 * version, and what would be invisible or would reorder the line is named instead.
 */
export function readable(text: string): string {
  return text
    .toWellFormed()
    .replace(ESCAPES, "")
    .split("\n")
    .map(lastVersion)
    .join("\n")
    .replace(CONTROLS, (character) => {
      const code = character.charCodeAt(0);
      return code < 0x20 ? String.fromCharCode(0x2400 + code) : named(code);
    })
    .replace(INVISIBLE, (character) => named(character.codePointAt(0) ?? 0));
}

/** A progress line that was drawn again and again, as it stood at the end. */
function lastVersion(line: string): string {
  if (!line.includes("\r")) return line;
  const drawn = line.replace(/\r+$/, "");
  return drawn.slice(drawn.lastIndexOf("\r") + 1);
}

const named = (code: number): string => `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;

/** Long output with its middle left out, in lines and in long lines; what was left out is said in its place. */
export function clip(text: string, o = { head: 40, tail: 160, width: 2000 }): string {
  const lines = text.replace(/\n+$/, "").split("\n");
  const kept =
    lines.length <= o.head + o.tail
      ? lines
      : [
          ...lines.slice(0, o.head),
          `… ${grouped(lines.length - o.head - o.tail)} lines left out …`,
          ...lines.slice(-o.tail),
        ];
  return kept
    .map((line) =>
      line.length <= o.width
        ? line
        : `${line.slice(0, o.width)} … ${grouped(line.length - o.width)} characters left out`,
    )
    .join("\n");
}

/** 41204 as "41,204". */
export const grouped = (n: number): string => String(Math.round(n)).replace(/\B(?=(?:\d{3})+$)/g, ",");

/** "1 call", "14 calls". */
export const counted = (n: number, one: string): string => `${grouped(n)} ${one}${n === 1 ? "" : "s"}`;

/** Two decimals; what would round to nothing says so. */
export const money = (usd: number): string => (usd > 0 && usd < 0.005 ? "under $0.01" : `$${usd.toFixed(2)}`);

/** As a person says it: "0.9 s", "41 s", "6 min 3 s", "1 h 4 min", "2 days 3 h". */
export function spelled(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  if (s < 60) return `${s} s`;
  const [m, h, d] = [Math.floor(s / 60), Math.floor(s / 3600), Math.floor(s / 86_400)];
  if (m < 60) return s % 60 === 0 ? `${m} min` : `${m} min ${s % 60} s`;
  if (h < 24) return m % 60 === 0 ? `${h} h` : `${h} h ${m % 60} min`;
  return h % 24 === 0 ? counted(d, "day") : `${counted(d, "day")} ${h % 24} h`;
}

/** In a small space: "0:41", "2:04", "1:04:00". */
export function brief(ms: number): string {
  const s = Math.round(ms / 1000);
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

/** "14:00:07", UTC. */
export const clockTime = (at: string): string => iso(at).slice(11, 19);

/** "24 Nov", UTC. */
export function day(at: string): string {
  const date = new Date(at);
  return new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }).format(date);
}

/** "Tuesday 24 November 2026, 14:00:07 UTC": what a pointer that rests on a time is shown. */
export function fullTime(at: string): string {
  const o = { weekday: "long", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" } as const;
  return `${new Intl.DateTimeFormat("en-GB", o).format(new Date(at))}, ${clockTime(at)} UTC`;
}

export const iso = (at: string): string => new Date(at).toISOString();

import { expect, test } from "vitest";
import { brief, clip, day, fullTime, grouped, money, readable, spelled } from "#surfaces/web/text.ts";

test("terminal colours and sequences leave no trace", () => {
  expect(
    readable("\u001b[1;31mred\u001b[0m \u001b]8;;https://evil.example\u0007link\u001b]8;;\u001b\\ \u009b2Jx\u001b(B"),
  ).toBe("red link x");
  expect(readable("a\u001b]0;title never ended")).toBe("a");
});

test("a line that was drawn again and again is shown as it ended", () => {
  expect(readable("10 %\r50 %\r100 %\ndone\r\nnext\r")).toBe("100 %\ndone\nnext");
});

test("control characters are seen, tabs and line ends are kept", () => {
  expect(readable("a\u0000b\u0008c\u007fd\te\nf")).toBe("a␀b␈c[U+007F]d\te\nf");
});

test("characters that hide or reorder text are named", () => {
  expect(readable("if (\u202e admin \u2066)\u200b\ufeff\u{e0041}")).toBe(
    "if ([U+202E] admin [U+2066])[U+200B][U+FEFF][U+E0041]",
  );
  expect(readable("half \ud800 pair")).toBe("half \ufffd pair");
});

test("letters of every script stay as they are", () => {
  const text = "Añá Łódź 東京 עברית العربية 👩‍👩‍👧 ﬁ";
  expect(readable(text)).toBe(text);
});

test.each(["\u001b[", "\u009d", "\u001b]", "\r", "\u001b", "\u202e", "0;", "\u009b0"])(
  "a megabyte of %j is read in one pass",
  (piece) => {
    expect(readable(piece.repeat(1_000_000 / piece.length)).length).toBeGreaterThanOrEqual(0);
  },
);

test("long output keeps its beginning and its end, and says what it left out", () => {
  const clipped = clip(Array.from({ length: 1000 }, (_, i) => `line ${i}`).join("\n"));
  expect(clipped.split("\n")).toHaveLength(201);
  expect(clipped).toContain("line 39\n… 800 lines left out …\nline 840\n");
  expect(clip("x".repeat(5000))).toBe(`${"x".repeat(2000)} … 3,000 characters left out`);
});

test.each([
  [0, "0.0 s", "0:00"],
  [940, "0.9 s", "0:01"],
  [41_000, "41 s", "0:41"],
  [363_000, "6 min 3 s", "6:03"],
  [600_000, "10 min", "10:00"],
  [3_840_000, "1 h 4 min", "1:04:00"],
  [183_600_000, "2 days 3 h", "51:00:00"],
])("%d ms is said as people say it", (ms, long, short) => {
  expect([spelled(ms), brief(ms)]).toEqual([long, short]);
});

test("money has two decimals, and never rounds to nothing unsaid", () => {
  expect([0, 0.004, 0.18, 12.5].map(money)).toEqual(["$0.00", "under $0.01", "$0.18", "$12.50"]);
});

test("numbers are grouped and times carry their day", () => {
  expect([7, 41_204, 1_234_567].map(grouped)).toEqual(["7", "41,204", "1,234,567"]);
  expect(day("2026-11-24T14:00:07Z")).toBe("24 Nov");
  expect(fullTime("2026-11-24T14:00:07Z")).toMatch(/^Tuesday,? 24 November 2026, 14:00:07 UTC$/);
});

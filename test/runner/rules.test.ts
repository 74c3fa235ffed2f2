import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { freshBytes } from "#runner/input.ts";
import { onLines } from "#runner/lines.ts";
import { CALLS, parseDownward, parseUpward } from "#runner/protocol.ts";
import { ShapeError } from "#runner/shape.ts";
import { familyOf, parseStat, type Row } from "#runner/tree.ts";

describe("the rule of input", () => {
  const held = Buffer.from("one\ntwo\n");
  const append = (at: number, text: string) =>
    freshBytes(held.length, at, Buffer.from(text), (from, to) => held.subarray(from, to));
  const fresh = (text: string) => ({ kind: "fresh", bytes: Buffer.from(text) });

  test.each([
    ["bytes at the end are all fresh", 8, "three\n", fresh("three\n")],
    ["a repeat has nothing fresh", 4, "two\n", fresh("")],
    ["a repeat that goes on has a fresh rest", 4, "two\nthree\n", fresh("three\n")],
    ["nothing at all is fine anywhere inside", 3, "", fresh("")],
  ])("%s", (_, at, text, expected) => expect(append(at, text)).toEqual(expected));

  test.each([
    ["other bytes conflict", 4, "TWO\n"],
    ["other bytes conflict even when they go on", 4, "TWO\nthree\n"],
    ["a gap conflicts", 9, "x"],
  ])("%s", (_, at, text) => expect(append(at, text).kind).toBe("conflict"));
});

describe("the process table", () => {
  test("a name with spaces and brackets does not shift the fields", () => {
    expect(parseStat("42 (a) b (c) S 7 8 9 0 -1 4194560")).toEqual({ pid: 42, ppid: 7, group: 8, session: 9 });
  });

  test("the dead, and lines that are none, are left out", () => {
    expect(parseStat("42 (sh) Z 7 8 9")).toBeNull();
    expect(parseStat("")).toBeNull();
  });

  const row = (pid: number, ppid: number, group = pid, session = pid): Row => ({ pid, ppid, group, session });
  const rows = [
    row(1, 0),
    row(2, 1),
    row(10, 2),
    row(11, 10, 10, 10),
    row(12, 11, 12, 12),
    row(20, 1),
    row(21, 20),
    row(30, 1),
    row(40, 2),
    row(41, 1),
  ];
  const marks: Record<number, string> = { 10: "a", 11: "a", 12: "a", 20: "a", 40: "b", 41: "b" };
  const family = (orphans: boolean) =>
    familyOf(rows, 10, "a", { self: 2, orphans, markOf: (pid) => marks[pid] ?? null }).map((one) => one.pid);

  test("a family is children's children, and adopted bearers of the mark with theirs", () => {
    expect(family(false)).toEqual([10, 11, 12, 20, 21]);
  });

  test("as the sole tenant, who was adopted without any mark belongs to it too, and nobody of another mark", () => {
    expect(family(true)).toEqual([10, 11, 12, 20, 21, 30]);
  });
});

describe("the protocol", () => {
  test("what a runner says is held to its shape", () => {
    expect(parseUpward('{"kind":"error","id":1,"code":"denied_path","message":"no"}')).toMatchObject({
      code: "denied_path",
    });
    for (const line of [
      "",
      "not json",
      "[]",
      "null",
      '{"kind":"reply"}',
      '{"kind":"reply","id":-1,"body":null}',
      '{"kind":"reply","id":1,"body":null,"more":true}',
      '{"kind":"error","id":1,"code":"policy_unenforceable","message":"not its to say"}',
      '{"kind":"shutdown"}',
    ]) {
      expect(() => parseUpward(line), line).toThrow(ShapeError);
    }
  });

  test("a reply must be the one that its call has", () => {
    const good = { data: "aGVsbG8=", ended: false };
    expect(CALLS.output.reply(good, "output")).toEqual(good);
    for (const bad of [
      { ...good, data: "not base64!" },
      { data: "" },
      { ...good, ended: "no" },
      [good],
      { ...good, __proto__: null, extra: 1 },
    ]) {
      expect(() => CALLS.output.reply(bad, "output")).toThrow(ShapeError);
    }
  });

  test("a call and a cancel are told apart", () => {
    expect(parseDownward('{"cancel":3}')).toEqual({ cancel: 3 });
    expect(parseDownward('{"id":3,"op":"processes","request":{}}')).toEqual({ id: 3, op: "processes", request: {} });
    expect(() => parseDownward('{"id":3,"cancel":3}')).toThrow(ShapeError);
  });
});

describe("lines", () => {
  test("they are put together across pieces, and cut where one piece holds many", () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    onLines(stream, 100, (line) => lines.push(line));
    for (const piece of ["on", "e\ntwo\n\nthr", "ee", "\n", "rest"]) stream.emit("data", Buffer.from(piece));
    expect(lines).toEqual(["one", "two", "", "three"]);
  });

  test("a letter that is split between two pieces stays whole", () => {
    const stream = new PassThrough();
    const lines: string[] = [];
    onLines(stream, 100, (line) => lines.push(line));
    const bytes = Buffer.from("grüße\n");
    stream.emit("data", bytes.subarray(0, 3));
    stream.emit("data", bytes.subarray(3));
    expect(lines).toEqual(["grüße"]);
  });

  test("a line without an end is cut off before it is too much to hold", () => {
    const stream = new PassThrough();
    let failed = "";
    stream.once("error", (error) => {
      failed = error.message;
    });
    onLines(stream, 10, () => undefined);
    stream.emit("data", Buffer.from("0123456789"));
    expect(stream.destroyed).toBe(false);
    stream.emit("data", Buffer.from("x"));
    expect(stream.destroyed).toBe(true);
    return new Promise<void>((resolve) => stream.once("close", resolve)).then(() =>
      expect(failed).toContain("longer than 10"),
    );
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { isPacketStream, readCommands, ZERO_OID } from "#gateway/git/pkt-line.ts";

const OLD = "1".repeat(40);
const NEW = "2".repeat(40);
const packet = (text: string) => `${(Buffer.byteLength(text) + 4).toString(16).padStart(4, "0")}${text}`;
const read = (text: string) => readCommands(Buffer.from(text, "utf8"));

test("commands are read up to the flush packet, with the capabilities left out", () => {
  const text = `${packet(`${OLD} ${NEW} refs/heads/a\0report-status side-band-64k`)}${packet(`${ZERO_OID} ${NEW} refs/heads/b`)}0000PACK…`;
  expect(read(text)).toEqual({
    kind: "commands",
    commands: [
      { old: OLD, new: NEW, ref: "refs/heads/a" },
      { old: ZERO_OID, new: NEW, ref: "refs/heads/b" },
    ],
  });
});

test("an empty push, by which git tries its credential, has no commands", () => {
  expect(read("0000")).toEqual({ kind: "commands", commands: [] });
});

test("a shallow clone's lines are passed over", () => {
  expect(read(`${packet(`shallow ${OLD}`)}${packet(`${OLD} ${NEW} refs/heads/a\0x`)}0000`)).toMatchObject({
    commands: [{ ref: "refs/heads/a" }],
  });
});

test.each([
  ["length 3", "0003"],
  ["length 4", "0004"],
  ["a delimiter", "0001"],
  ["no hex", "00zz"],
  ["a negative length", "-001"],
  ["longer than a packet may be", `fff5${"x".repeat(65_521)}`],
  ["a certificate", `${packet("push-cert\0x")}0000`],
  ["capabilities twice", `${packet(`${OLD} ${NEW} refs/a\0x`)}${packet(`${OLD} ${NEW} refs/b\0x`)}0000`],
  ["a short object id", `${packet(`${OLD.slice(1)} ${NEW} refs/heads/a`)}0000`],
  ["a line feed in a name", `${packet(`${OLD} ${NEW} refs/heads/a\nb`)}0000`],
])("%s is refused", (_name, text) => {
  expect(read(text).kind).toBe("bad");
});

test("a command list without an end is refused once it is too long", () => {
  const many = packet(`${OLD} ${NEW} refs/heads/${"a".repeat(900)}`).repeat(80);
  expect(read(many).kind).toBe("bad");
});

test("every beginning of a push asks for more, and any bytes are read without a throw", () => {
  const whole = Buffer.from(`${packet(`${OLD} ${NEW} refs/heads/a\0x`)}0000`);
  for (let cut = 0; cut < whole.length; cut += 1) expect(readCommands(whole.subarray(0, cut)).kind).toBe("more");
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      expect(["more", "bad", "commands"]).toContain(readCommands(Buffer.from(bytes)).kind);
    }),
  );
});

test("a fetch request is packets to its last byte", () => {
  expect(isPacketStream(Buffer.from(`${packet("command=fetch")}0001${packet(`want ${OLD}\n`)}0000`))).toBe(true);
  expect(isPacketStream(Buffer.from(`${packet("command=fetch")}00`))).toBe(false);
  expect(isPacketStream(Buffer.from("0000junk"))).toBe(false);
});

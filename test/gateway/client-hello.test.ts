import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { readClientHello } from "#gateway/client-hello.ts";
import { clientHello } from "./wire.ts";

let real: Buffer;
let nameless: Buffer;
beforeAll(async () => {
  real = await clientHello("plain.allowed.test");
  nameless = await clientHello(null);
});

const nameIn = (bytes: Uint8Array) => {
  const hello = readClientHello(bytes);
  return hello.kind === "hello" && hello.serverName ? Buffer.from(hello.serverName).toString() : hello.kind;
};

test("a real hello gives its server name", () => {
  expect(readClientHello(real)).toMatchObject({ kind: "hello", tls12: true });
  expect(nameIn(real)).toBe("plain.allowed.test");
});

test("a hello without a server name says so", () => {
  expect(readClientHello(nameless)).toMatchObject({ kind: "hello", serverName: null });
});

test("every beginning of a real hello asks for more", () => {
  for (let cut = 0; cut < real.length; cut += 1) expect(readClientHello(real.subarray(0, cut)).kind).toBe("more");
});

test.each([
  ["HTTP", Buffer.from("GET / HTTP/1.1\r\n")],
  ["SSH", Buffer.from("SSH-2.0-x\r\n")],
  ["an SSLv2 hello", Buffer.from([0x80, 0x2e, 1, 3, 1])],
  ["an alert", Buffer.from([21, 3, 3, 0, 2, 2, 40])],
])("%s is not TLS", (_name, bytes) => {
  expect(readClientHello(bytes).kind).toBe("not_tls");
});

/** The same handshake bytes in records of `size`. */
function inRecords(hello: Buffer, size: number): Buffer {
  const body = hello.subarray(5);
  const records: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) {
    const piece = body.subarray(at, at + size);
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece);
  }
  return Buffer.concat(records);
}

test("a hello in many small records is the same hello", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), (size) => nameIn(inRecords(real, size)) === "plain.allowed.test"),
  );
});

/** The hello with its extension list replaced. */
function withExtensions(extensions: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32),
    Buffer.from([0, 0, 2, 0x13, 0x01, 1, 0, extensions.length >> 8, extensions.length & 255]),
    extensions,
  ]);
  const handshake = Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]);
  return Buffer.concat([Buffer.from([22, 3, 1, handshake.length >> 8, handshake.length & 255]), handshake]);
}

const u16 = (value: number) => Buffer.from([value >> 8, value & 255]);
const extension = (type: number, data: Buffer) => Buffer.concat([u16(type), u16(data.length), data]);
const entry = (name: string) => Buffer.concat([Buffer.from([0]), u16(name.length), Buffer.from(name)]);
const serverName = (...names: string[]) => {
  const list = Buffer.concat(names.map(entry));
  return extension(0, Buffer.concat([u16(list.length), list]));
};

test("one server name is read, two in one list are refused, two lists are refused", () => {
  expect(nameIn(withExtensions(serverName("a.test")))).toBe("a.test");
  expect(nameIn(withExtensions(serverName("a.test", "b.test")))).toBe("bad");
  expect(nameIn(withExtensions(Buffer.concat([serverName("a.test"), serverName("b.test")])))).toBe("bad");
});

test("only versions below 1.2 on offer are seen as such", () => {
  const old = extension(43, Buffer.from([4, 3, 1, 3, 2]));
  expect(readClientHello(withExtensions(Buffer.concat([serverName("a.test"), old])))).toMatchObject({ tls12: false });
});

test("a changed byte never makes the parser throw, and never gives a name that is not in the bytes", () => {
  fc.assert(
    fc.property(fc.nat(real.length - 1), fc.nat(255), fc.nat(real.length), (at, value, cut) => {
      const bytes = Buffer.from(real);
      bytes[at] = value;
      const hello = readClientHello(bytes.subarray(0, cut));
      if (hello.kind === "hello" && hello.serverName) expect(bytes.includes(Buffer.from(hello.serverName))).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

test("any bytes are read without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const forced = Uint8Array.from([22, 3, 1, ...bytes]);
      expect(["more", "not_tls", "bad", "hello"]).toContain(readClientHello(bytes).kind);
      expect(["more", "not_tls", "bad", "hello"]).toContain(readClientHello(forced).kind);
    }),
    { numRuns: 5_000 },
  );
});

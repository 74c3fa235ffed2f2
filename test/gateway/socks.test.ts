import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readGreeting, readPassword, readRequest } from "#gateway/socks.ts";

const bytes = (...parts: (number | string)[]) =>
  Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.from([part]) : Buffer.from(part, "utf8"))));
const named = (name: string, port = 443, command = 1) => {
  const text = Buffer.from(name, "utf8");
  return Buffer.concat([Buffer.from([5, command, 0, 3, text.length]), text, Buffer.from([port >> 8, port & 255])]);
};

const GREETING = bytes(5, 2, 0, 2);
const PASSWORD = bytes(1, 3, "run", 5, "token");
const REQUEST = named("api.test");
const IPV4 = bytes(5, 1, 0, 1, 203, 0, 113, 10, 1, 187);
const IPV6 = bytes(5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 187);

describe("what a SOCKS client says is read", () => {
  test("a greeting names the ways it has", () => {
    expect(readGreeting(GREETING)).toEqual({ kind: "read", size: 4, methods: [0, 2] });
  });
  test("the password is the run token, and the user name is nobody's", () => {
    expect(readPassword(PASSWORD)).toEqual({ kind: "read", size: 11, token: "token" });
    expect(readPassword(bytes(1, 0, 5, "token"))).toEqual({ kind: "read", size: 8, token: "token" });
  });
  test("an empty password is no token", () => {
    expect(readPassword(bytes(1, 3, "run", 0))).toEqual({ kind: "read", size: 6, token: null });
  });
  test("a request names a host and a port", () => {
    const authority = { kind: "name", host: "api.test", port: 443 };
    expect(readRequest(REQUEST)).toEqual({ kind: "read", size: 15, command: 1, authority });
    expect(readRequest(named("API.test."))).toMatchObject({ authority });
  });
  test.each([
    ["IPv4", IPV4, "203.0.113.10"],
    ["IPv6", IPV6, "[2001:db8:0:0:0:0:0:1]"],
  ])("an %s address is an address", (_kind, request, host) => {
    expect(readRequest(request)).toMatchObject({
      kind: "read",
      size: request.length,
      authority: { kind: "ip", host, port: 443 },
    });
  });
  test("an address that is spelt as a name is an address too", () => {
    expect(readRequest(named("127.1"))).toMatchObject({ authority: { kind: "ip", host: "127.1" } });
  });
  test("another command than CONNECT is read as what it is", () => {
    expect(readRequest(bytes(5, 3, 0, 1, 0, 0, 0, 0, 0, 0))).toMatchObject({ kind: "read", command: 3 });
    expect(readRequest(named("api.test", 443, 2))).toMatchObject({ kind: "read", command: 2 });
  });
  test("what follows a message is not part of it", () => {
    expect(readGreeting(Buffer.concat([GREETING, PASSWORD]))).toMatchObject({ size: GREETING.length });
    expect(readPassword(Buffer.concat([PASSWORD, REQUEST]))).toMatchObject({ size: PASSWORD.length });
    expect(readRequest(Buffer.concat([REQUEST, bytes(22, 3, 1)]))).toMatchObject({ size: REQUEST.length });
  });
});

test.each([
  ["a NUL", "denied.test\u0000.wild.test"],
  ["a colon", "api.test:80"],
  ["a space", "api. test"],
  ["a user part", "a@api.test"],
  ["a path", "api.test/x"],
  ["an escape", "api%2etest"],
  ["an empty label", "api..test"],
  ["nothing", ""],
])("a name with %s is no destination", (_what, name) => {
  expect(readRequest(named(name))).toMatchObject({ kind: "read", authority: { kind: "bad" } });
});

test("a name that is not UTF-8, and port 0, are no destination", () => {
  expect(readRequest(bytes(5, 1, 0, 3, 2, 0xff, 0).subarray(0, 5))).toEqual({ kind: "more" });
  const odd = Buffer.concat([Buffer.from([5, 1, 0, 3, 2, 0xff, 0xfe, 1, 187])]);
  expect(readRequest(odd)).toMatchObject({ authority: { kind: "bad" } });
  expect(readRequest(named("api.test", 0))).toMatchObject({ authority: { kind: "bad" } });
});

test("every beginning of a message asks for more", () => {
  const whole = [
    [readGreeting, GREETING],
    [readPassword, PASSWORD],
    [readRequest, REQUEST],
    [readRequest, IPV4],
    [readRequest, IPV6],
  ] as const;
  for (const [read, message] of whole) {
    for (let cut = 0; cut < message.length; cut += 1) expect(read(message.subarray(0, cut)).kind).toBe("more");
  }
});

test.each([
  ["SOCKS 4", readGreeting, bytes(4, 1, 1, 187)],
  ["a greeting without a way", readGreeting, bytes(5, 0)],
  ["another kind of sign-in", readPassword, bytes(2, 1, "a", 1, "b")],
  ["SOCKS 4 behind the greeting", readRequest, bytes(4, 1, 0, 3)],
  ["a reserved byte that is set", readRequest, bytes(5, 1, 1, 3)],
  ["an address of no kind", readRequest, bytes(5, 1, 0, 2)],
])("%s is bad as soon as it shows", (_what, read, message) => {
  expect(read(message).kind).toBe("bad");
});

test("any bytes are read without a throw, never further than they reach, and a name that comes out is clean", () => {
  const start = fc.constantFrom([], [5], [5, 1, 0, 3], [5, 1, 0, 1], [1, 3], [5, 2]);
  fc.assert(
    fc.property(start, fc.uint8Array({ maxLength: 400 }), (head, tail) => {
      const some = Uint8Array.from([...head, ...tail]);
      for (const read of [readGreeting, readPassword, readRequest]) {
        const message = read(some);
        if (message.kind !== "read") continue;
        expect(message.size).toBeLessThanOrEqual(some.length);
        // Whole is whole: what comes behind changes nothing.
        expect(read(some.subarray(0, message.size))).toEqual(message);
      }
      const request = readRequest(some);
      if (request.kind !== "read" || request.authority.kind !== "name") return;
      expect(request.authority.host).toMatch(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
      expect(request.authority.port).toBeGreaterThan(0);
    }),
    { numRuns: 5_000 },
  );
});

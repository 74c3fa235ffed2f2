import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseAuthority, parseHost } from "#gateway/authority.ts";

const parse = (text: string) => parseAuthority(Buffer.from(text, "utf8"));

describe("an authority is a plain host and port", () => {
  test.each([
    ["api.test:443", { kind: "name", host: "api.test", port: 443 }],
    ["API.Test.:8443", { kind: "name", host: "api.test", port: 8443 }],
    ["\u0430pi.test:443", { kind: "name", host: "xn--pi-6kc.test", port: 443 }],
    ["_dmarc.api.test:443", { kind: "name", host: "_dmarc.api.test", port: 443 }],
    ["127.0.0.1:80", { kind: "ip", host: "127.0.0.1", port: 80 }],
    ["127.1:80", { kind: "ip", host: "127.1", port: 80 }],
    ["2130706433:80", { kind: "ip", host: "2130706433", port: 80 }],
    ["0x7f000001:80", { kind: "ip", host: "0x7f000001", port: 80 }],
    ["0177.0.0.0x1:80", { kind: "ip", host: "0177.0.0.0x1", port: 80 }],
    ["\u2460\u2461\u2466.0.0.1:80", { kind: "ip", host: "127.0.0.1", port: 80 }],
    ["[::1]:80", { kind: "ip", host: "[::1]", port: 80 }],
    ["[::ffff:10.0.0.1]:80", { kind: "ip", host: "[::ffff:10.0.0.1]", port: 80 }],
  ])("%s", (text, wanted) => {
    expect(parse(text)).toEqual(wanted);
  });

  test.each([
    "",
    ":443",
    "api.test",
    "api.test:",
    "api.test:0",
    "api.test:65536",
    "api.test:+443",
    "api.test:0443",
    "api.test: 443",
    "api..test:443",
    ".api.test:443",
    "api.test..:443",
    "user@api.test:443",
    "api%2etest:443",
    "api.test/x:443",
    "api.test\\x:443",
    "api.test\u0000.good.test:443",
    "api.test\t:443",
    "[::1%25eth0]:443",
    "[::1:443",
    "::1:443",
    `${"a".repeat(64)}.test:443`,
    `${"a.".repeat(130)}test:443`,
  ])("%j is refused", (text) => {
    expect(parse(text).kind).toBe("bad");
  });

  test("bytes that are not UTF-8 are refused", () => {
    expect(parseAuthority(Buffer.from([0xff, 0xfe, 0x3a, 0x34, 0x34, 0x33])).kind).toBe("bad");
  });
});

test("any bytes are read without a throw, and a name that comes out is clean ASCII with a real port", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const read = parseAuthority(bytes);
      if (read.kind !== "name") return;
      expect(read.host).toMatch(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
      expect(read.port).toBeGreaterThan(0);
      expect(read.port).toBeLessThan(65_536);
    }),
    { numRuns: 5_000 },
  );
});

test("a name that comes out is one that the WHATWG URL parser reads the same, and never as an address", () => {
  const label = fc.stringMatching(/^[A-Za-z0-9-]{1,12}$/);
  const odd = fc.constantFrom("%2e", "@", "\u0000", "\u3002", "\uff0e", "0x7f", "127", "\u00ad", "xn--", " ", "\t", "");
  const host = fc.array(fc.oneof(label, odd), { minLength: 1, maxLength: 5 }).map((parts) => parts.join("."));
  fc.assert(
    fc.property(host, fc.integer({ min: 1, max: 65_535 }), (name, port) => {
      const read = parse(`${name}:${port}`);
      if (read.kind !== "name") return;
      const url = URL.parse(`http://${read.host}:1/`);
      if (url === null) return; // stricter than us about IDNA: such a name does not resolve either
      expect(url.hostname).toBe(read.host);
    }),
    { numRuns: 5_000 },
  );
});

test("reading a name again changes nothing", () => {
  fc.assert(
    fc.property(fc.domain(), (domain) => {
      const once = parseHost(Buffer.from(domain));
      expect(once && parseHost(Buffer.from(once.host))).toEqual(once);
    }),
  );
});

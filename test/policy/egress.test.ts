import fc from "fast-check";
import { expect, test } from "vitest";
import { parseHost } from "#gateway/authority.ts";
import { decide } from "#policy/decide/decide.ts";
import { decideEgress, type EgressRule, normaliseHost } from "#policy/egress.ts";
import { containsRange, privateRangeProblem } from "#policy/match/cidr.ts";
import { containsHost, matchesHost } from "#policy/match/hosts.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

function rulesOf(entries: string): readonly EgressRule[] {
  const org = ORG.replace("{preset: npm-read}", '{host: "**.example.com", ports: [80, 443, 8443]}');
  return loaded(load(teamFile(`egress:\n${entries}`), { org })).teams.shop?.egress ?? [];
}

const rules = rulesOf(`  - {host: api.example.com, methods: [GET, HEAD], paths: ["/v1/**"]}
  - {host: api.example.com, methods: [POST], paths: [/upload], max_body: 1MB, secret: uploader}
  - {host: plain.example.com, ports: [80, 443]}
  - {host: "*.wild.example.com"}
  - {host: "**.deep.example.com", ports: [8443]}
`);

function answer(host: string, port: number, method: string | null, path: string | null): string {
  const verdict = decideEgress(rules, { host, port, method, path });
  const at = verdict.outcome === "allow" ? verdict.rule.rule.at : (verdict.rule?.at ?? "nothing");
  const line = at.replace("teams/shop.yaml:", "").replace(/:\d+$/, "");
  return verdict.outcome === "allow" ? `allow ${line} ${verdict.rule.mode}` : `deny ${verdict.reason} ${line}`;
}

test.each<[string, Parameters<typeof answer>, string]>([
  ["a granted method and path", ["api.example.com", 443, "GET", "/v1/x?y=../z"], "allow 6 intercept"],
  ["a second grant of the same host", ["api.example.com", 443, "POST", "/upload"], "allow 7 intercept"],
  ["the method of one grant with the path of the other", ["api.example.com", 443, "POST", "/v1/x"], "deny method 6"],
  ["a method nobody granted", ["api.example.com", 443, "DELETE", "/v1/x"], "deny method 7"],
  ["HEAD is not implied by GET where it is not named", ["api.example.com", 443, "HEAD", "/upload"], "deny method 7"],
  ["a path above the granted one", ["api.example.com", 443, "GET", "/v1"], "deny path 6"],
  ["URL paths keep their case", ["api.example.com", 443, "GET", "/V1/x"], "deny path 6"],
  ["a port nobody granted", ["api.example.com", 22, null, null], "deny port 7"],
  ["a connection before its first request", ["api.example.com", 443, null, null], "allow 7 intercept"],
  ["a tunnel", ["plain.example.com", 80, "POST", "/anything"], "allow 8 tunnel"],
  ["one label under a star", ["a.wild.example.com", 443, null, null], "allow 9 tunnel"],
  ["two labels under a star", ["a.b.wild.example.com", 443, null, null], "deny no_rule nothing"],
  ["the apex of a star", ["wild.example.com", 443, null, null], "deny no_rule nothing"],
  ["a name that ends like a star's", ["evilwild.example.com", 443, null, null], "deny no_rule nothing"],
  ["many labels under two stars", ["a.b.c.deep.example.com", 8443, null, null], "allow 10 tunnel"],
  ["the apex of two stars", ["deep.example.com", 8443, null, null], "deny no_rule nothing"],
  ["a name that goes on", ["api.example.com.evil.test", 443, null, null], "deny no_rule nothing"],
  ["an address", ["127.0.0.1", 443, null, null], "deny no_rule nothing"],
])("%s", (_sentence, request, expected) => {
  expect(answer(...request)).toBe(expected);
});

test("no rules: no way out", () => {
  expect(decideEgress([], { host: "api.example.com", port: 443, method: "GET", path: "/" })).toEqual({
    outcome: "deny",
    reason: "no_rule",
    rule: null,
  });
});

test("a grant inspects when it names methods, paths, a secret or a size, and says what it swaps where", () => {
  expect(rules.map((rule) => rule.mode)).toEqual(["intercept", "intercept", "tunnel", "tunnel", "tunnel"]);
  expect(rules[1]).toMatchObject({ secret: { name: "uploader", header: "authorization" }, maxBodyBytes: 1_000_000 });
});

const request = fc.record({
  host: fc.constantFrom("api.example.com", "plain.example.com", "a.wild.example.com", "a.b.deep.example.com", "x.test"),
  port: fc.constantFrom(80, 443, 8443),
  method: fc.constantFrom(null, "GET", "POST"),
  path: fc.constantFrom(null, "/v1/x", "/upload"),
});

test("the order of grants never matters, and taking one away never opens a way", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray([...rules]), request, (some, wanted) => {
      const sorted = rules.filter((rule) => some.includes(rule));
      expect(decideEgress(some, wanted)).toEqual(decideEgress(sorted, wanted));
      if (decideEgress(some, wanted).outcome === "allow") expect(decideEgress(rules, wanted).outcome).toBe("allow");
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  ["API.Example.COM", "api.example.com"],
  ["api.example.com.", "api.example.com"],
  ["api.example.com..", null],
  ["api..example.com", null],
  [".example.com", null],
  ["", null],
  [".", null],
  ["api.example.com\u0000.evil.test", null],
  ["api example.com", null],
  ["api%2eexample.com", null],
  ["api.example.com@evil.test", null],
  ["[::1]", null],
  ["-api.example.com", null],
  [`${"a".repeat(64)}.example.com`, null],
  [`${"a.".repeat(127)}a`, `${"a.".repeat(127)}a`.length > 253 ? null : `${"a.".repeat(127)}a`],
  // A Cyrillic letter makes another name.
  ["\u0430pi.example.com", "xn--pi-6kc.example.com"],
  ["B\u00fccher.Example.com.", "xn--bcher-kva.example.com"],
  ["xn--bcher-kva.example.com", "xn--bcher-kva.example.com"],
  // U+212A KELVIN SIGN, letters of full width and the ideographic full stop are ways to write ASCII, to every client.
  ["\u212aafka.example.com", "kafka.example.com"],
  ["\uff41pi\u3002example.com", "api.example.com"],
  // Of full width: what would end a host, or name a user of it.
  ["api\uff0fevil.example.com", null],
  ["api\uff20evil.example.com", null],
  ["api.example.com\uff1a8443", null],
  ["api\u2025example.com", null],
])("the host %j is normalised to %j", (text, expected) => {
  expect(normaliseHost(text)).toBe(expected);
});

test("a host of another alphabet is the one that the gateway takes it for, or none", () => {
  const unit = fc.constantFrom(
    ..."ab.-\u00fc\u0430\u212a\u3002\uff41\uff0e\uff0f\u00df\u0130\u00ad\u200d\u0660\ud83d\ude00",
  );
  fc.assert(
    fc.property(fc.string({ unit, minLength: 1, maxLength: 12 }), (text) => {
      const name = normaliseHost(text);
      if (name === null) return;
      expect(name).toMatch(/^[a-z0-9_.-]+$/);
      expect(parseHost(Buffer.from(text))?.host).toBe(name);
    }),
    { numRuns: 2_000 },
  );
});

test("a rule of a name's xn-- form is about that name in its own letters", () => {
  const policy = loaded(load(teamFile("egress: [{host: xn--bcher-kva.example.com}]\n")));
  const host = "b\u00fccher.example.com";
  const object = { subject: "egress", host, port: 443, method: "GET", path: "/" } as const;
  expect(decide(policy, { team: "shop", objects: [object] }).outcome).toBe("allow");
});

const label = fc.constantFrom("a", "b");
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join("."));
const hostPattern = fc.oneof(
  name,
  name.map((text) => `*.${text}`),
  name.map((text) => `**.${text}`),
);

test("a host that a contained pattern matches is matched by the containing one", () => {
  fc.assert(
    fc.property(hostPattern, hostPattern, name, (outer, inner, host) => {
      if (containsHost(outer, inner) && matchesHost(inner, host)) expect(matchesHost(outer, host)).toBe(true);
    }),
    { numRuns: 5_000 },
  );
});

test.each([
  ["**", "a.test", true],
  ["*.a.test", "b.a.test", true],
  ["*.a.test", "*.b.a.test", false],
  ["**.a.test", "*.b.a.test", true],
  ["**.a.test", "a.test", false],
  ["*.a.test", "**.a.test", false],
  ["a.test", "a.test", true],
])("%s holds all hosts of %s: %s", (outer, inner, holds) => {
  expect(containsHost(outer, inner)).toBe(holds);
});

test.each([
  ["10.0.0.0/8", "10.20.0.0/16", true],
  ["10.20.0.0/16", "10.0.0.0/8", false],
  ["10.0.0.0/8", "11.0.0.0/16", false],
  ["fd00::/8", "fd00:1::/32", true],
  ["10.0.0.0/8", "fd00::/8", false],
  ["10.0.0.0/8", "nonsense", false],
])("%s holds %s: %s", (outer, inner, holds) => {
  expect(containsRange(outer, inner)).toBe(holds);
});

test.each([
  "10.20.0.1/16",
  "10.0.0.0",
  "10.0.0.0/33",
  "010.0.0.0/8",
  "8.8.8.0/24",
  "169.254.0.0/16",
  "0.0.0.0/0",
  "::1/128",
])("%s can not be a private range", (text) => {
  expect(privateRangeProblem(text)).not.toBeNull();
});

test.each(["10.20.0.0/16", "192.168.1.0/24", "100.64.0.0/10", "fd12:3456::/32"])(
  "%s can be a private range",
  (text) => {
    expect(privateRangeProblem(text)).toBeNull();
  },
);

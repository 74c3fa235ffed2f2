import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sandboxLack } from "#policy/decide/sandbox.ts";
import { decideEgress, type EgressRule } from "#policy/egress.ts";
import { decidePath, type PathRule } from "#policy/paths.ts";
import type { SandboxWanted, Scope } from "#policy/scope.ts";
import { narrowed } from "#runs/decision/narrow.ts";

const ref = (text: string) => ({ at: `teams/data.yaml:${text.length}:1`, text, why: null });
const grant = (host: string, o: Partial<EgressRule> = {}): EgressRule => ({
  host,
  ports: [443],
  mode: o.methods || o.paths || o.secret ? "intercept" : "tunnel",
  methods: [],
  paths: [],
  private: [],
  maxBodyBytes: null,
  secret: null,
  rule: ref(`egress ${host}`),
  ...o,
});
const path = (effect: PathRule["effect"], globs: string[], except: string[] = []): PathRule => ({
  effect,
  globs,
  except,
  from: effect === "ask" ? "group:leads" : null,
  rule: ref(`${effect} ${globs}`),
});
const scope = (o: Partial<Scope> = {}): Scope => ({
  team: "data",
  repo: "acme/reports",
  branch: "agent/1",
  paths: [path("allow", ["**"])],
  egress: [],
  models: ["*"],
  registry: true,
  limits: { costUsd: 4, tokens: 1_000, runtimeMs: 1, uploadBytes: 10, concurrentRuns: 1 },
  sandbox: { providers: [], images: [], isolation: "process", cpu: null, memoryBytes: null, diskBytes: null },
  setup: [],
  checks: [],
  policy: { commit: "a", digest: "a" },
  ...o,
});
const egress = (pinned: EgressRule[], current: EgressRule[]) =>
  narrowed(scope({ egress: pinned }), scope({ egress: current })).egress;

describe("a way out that both policies grant", () => {
  test("is the narrower host, the ports and methods of both, and the smaller body", () => {
    const left = egress(
      [grant("**.example.com", { ports: [443, 8443], methods: ["GET", "POST"], maxBodyBytes: 10 })],
      [grant("*.example.com", { ports: [443], methods: ["GET", "HEAD"], maxBodyBytes: 5 })],
    );
    expect(left).toMatchObject([{ host: "*.example.com", ports: [443], methods: ["GET"], maxBodyBytes: 5 }]);
  });
  test("is not there when they have no host, port, method or path in common", () => {
    expect(egress([grant("a.example.com")], [grant("b.example.com")])).toEqual([]);
    expect(egress([grant("*.example.com")], [grant("**.a.example.com")])).toEqual([]);
    expect(egress([grant("x.org")], [grant("x.org", { ports: [80] })])).toEqual([]);
    expect(egress([grant("x.org", { methods: ["POST"] })], [grant("x.org", { methods: ["GET"] })])).toEqual([]);
    expect(egress([grant("x.org", { paths: ["/a/**"] })], [grant("x.org", { paths: ["/b/**"] })])).toEqual([]);
  });
  test("is inspected when either is, and has a secret only when both give the same", () => {
    const [one] = egress([grant("x.org")], [grant("x.org", { methods: ["GET"] })]);
    expect(one).toMatchObject({ mode: "intercept", methods: ["GET"] });
    const token = (name: string) => grant("x.org", { secret: { name, header: "authorization" } });
    expect(egress([token("A")], [token("B")])[0]?.secret).toBeNull();
    expect(egress([token("A")], [token("A")])[0]?.secret?.name).toBe("A");
  });
  test("reaches private addresses only in ranges that both name", () => {
    const wide = grant("x.org", { private: ["10.0.0.0/8"] });
    expect(egress([wide], [grant("x.org", { private: ["10.1.0.0/16"] })])[0]?.private).toEqual(["10.1.0.0/16"]);
    expect(egress([wide], [grant("x.org")])[0]?.private).toEqual([]);
  });
  test("keeps every denial of both, also one that stood beside a grant that is gone", () => {
    const denial = { hosts: ["bad.x.org"], except: [], methods: [], paths: [], rule: ref("deny bad.x.org") };
    const rules = egress([grant("**.x.org")], [grant("**.x.org"), grant("y.org", { denied: [denial] })]);
    expect(decideEgress(rules, { host: "bad.x.org", port: 443, method: null, path: null }).outcome).toBe("deny");
  });
});

test("models, registry and money are what both grant", () => {
  const left = narrowed(
    scope({ models: ["gpt-*", "o1"] }),
    scope({ models: ["gpt-5-*"], registry: false, limits: { ...scope().limits, costUsd: 1, tokens: 2_000 } }),
  );
  expect(left).toMatchObject({ models: ["gpt-5-*"], registry: false, limits: { costUsd: 1, tokens: 1_000 } });
});

describe("a sandbox that both policies want", () => {
  const both = (pinned: Partial<SandboxWanted>, current: Partial<SandboxWanted>) => {
    const of = (needs: Partial<SandboxWanted>) => scope({ sandbox: { ...scope().sandbox, ...needs } });
    return narrowed(of(pinned), of(current)).sandbox;
  };
  test("is behind the stronger wall, whichever names it", () => {
    expect(both({ isolation: "container" }, { isolation: "none" }).isolation).toBe("container");
    expect(both({ isolation: "none" }, { isolation: "process" }).isolation).toBe("process");
    expect(both({ isolation: "process" }, { isolation: "microvm" }).isolation).toBe("microvm");
  });
  test("has the smaller of each size, and the one that one of them names alone", () => {
    expect(both({ cpu: 4, memoryBytes: 1_000 }, { cpu: 2, memoryBytes: 2_000, diskBytes: 5 })).toMatchObject({
      ...{ cpu: 2, memoryBytes: 1_000, diskBytes: 5 },
    });
  });
  test("is where both allow it to be, and nowhere when they have nothing in common", () => {
    expect(both({ providers: ["a", "b"] }, { providers: ["b", "c"] }).providers).toEqual(["b"]);
    expect(both({ images: ["a"] }, {}).images).toEqual(["a"]);
    expect(both({}, { images: ["a"] }).images).toEqual(["a"]);
    expect(both({ providers: ["a"] }, { providers: ["b"] }).providers).toBeNull();
  });

  const needs = fc.record({
    providers: fc.subarray(["local", "daytona"]),
    images: fc.subarray(["codex", "opencode"]),
    isolation: fc.constantFrom("none", "process", "container", "microvm"),
    cpu: fc.constantFrom(null, 1, 2),
    memoryBytes: fc.constantFrom(null, 1),
    diskBytes: fc.constantFrom(null, 1),
  });
  const held = fc.constantFrom("hard" as const, "none" as const);
  const offers = fc.record({
    provider: fc.constantFrom("local", "daytona"),
    image: fc.constantFrom("codex", "opencode"),
    isolation: fc.constantFrom("none", "process", "container", "microvm"),
    limits: fc.record({ cpu: held, memory: held, disk: held }),
  });
  test("is not to be had where either wants what is not there, and only there", () => {
    fc.assert(
      fc.property(needs, needs, offers, (pinned, current, offer) => {
        const lacks = [pinned, current].some((one) => sandboxLack(one, offer) !== null);
        expect(sandboxLack(both(pinned, current), offer) !== null).toBe(lacks);
      }),
      { numRuns: 500 },
    );
  });
});

test("setup is what policy named and names still, in its order, and what the repository names itself", () => {
  const left = narrowed(
    scope({ setup: ["npm ci", "make deps", "make own"], ownSetup: ["make own"] }),
    scope({ setup: ["curl x.org", "make deps"] }),
  );
  expect(left.setup).toEqual(["make deps", "make own"]);
});

test("without a policy that grants the run, there is no network and no model, and its own branch stays", () => {
  const left = narrowed(scope({ egress: [grant("x.org")] }), null);
  expect(left).toMatchObject({ egress: [], models: [], registry: false, paths: scope().paths });
});

const rules = fc.subarray([
  grant("**.example.com"),
  grant("*.example.com", { methods: ["GET"] }),
  grant("a.example.com", { ports: [443, 80], paths: ["/v1/**"] }),
  grant("b.a.example.com", { methods: ["GET", "POST"], paths: ["/v1/users", "/v2/**"] }),
  grant("x.org", { ports: [80] }),
]);
const requests = fc.record({
  host: fc.constantFrom("a.example.com", "b.a.example.com", "c.example.com", "example.com", "x.org"),
  port: fc.constantFrom(443, 80),
  method: fc.constantFrom("GET", "POST", "DELETE"),
  path: fc.constantFrom("/", "/v1/users", "/v2/a/b"),
});

test("nothing passes that either policy refuses, and nothing else is refused", () => {
  fc.assert(
    fc.property(rules, rules, requests, (pinned, current, request) => {
      const of = (some: readonly EgressRule[]) => decideEgress(some, request).outcome;
      const wanted = of(pinned) === "allow" && of(current) === "allow" ? "allow" : "deny";
      expect(of(egress(pinned, current))).toBe(wanted);
    }),
    { numRuns: 500 },
  );
});

// `pathRules` never makes a list without an allow.
const paths = fc
  .subarray([
    path("allow", ["docs/**", "src/a/**"]),
    path("allow", ["src/**"], ["src/secret/**"]),
    path("ask", ["**/package.json"]),
    path("deny", ["**/.github/**"]),
    path("ask", ["README.md"]),
  ])
  .map((some) => [path("allow", ["src/a/**"]), ...some]);

test("a file is held to the stricter of the two policies", () => {
  const strictness = { deny: 2, ask: 1, allow: 0 };
  const files = fc.constantFrom("src/x.ts", "src/a/x.ts", "src/secret/x", "docs/x", "src/package.json", "README.md");
  fc.assert(
    fc.property(paths, paths, files, (pinned, current, file) => {
      const both = narrowed(scope({ paths: pinned }), scope({ paths: current })).paths;
      const of = (some: readonly PathRule[]) => strictness[decidePath(some, file).effect];
      expect(of(both)).toBe(Math.max(of(pinned), of(current)));
    }),
    { numRuns: 500 },
  );
});

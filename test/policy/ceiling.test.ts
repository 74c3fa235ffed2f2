import fc from "fast-check";
import { expect, test } from "vitest";
import { decide } from "#policy/decide/decide.ts";
import { decideEgress, type EgressRequest, type EgressRule } from "#policy/egress.ts";
import { egressRule } from "#policy/load/grants.ts";
import { matchesAnyText, matchesPath, pathGlob } from "#policy/match/glob.ts";
import { teamOf } from "#policy/policy.ts";
import { load, ORG, teamFile } from "#test/policy/sample.ts";

type Entry = Parameters<typeof egressRule>[0];

const parts = {
  host: fc.constantFrom("api.example.com", "*.example.com", "**.example.com", "a.b.example.com"),
  ports: fc.constantFrom<number[]>([443], [80], [443, 8443]),
  methods: fc.constantFrom<("GET" | "POST")[]>(["GET"], ["GET", "POST"]),
  paths: fc.constantFrom<string[]>(["/v1/**"], ["/v1/a"], ["/**"]),
  private: fc.constantFrom<string[]>(["10.20.0.0/16"], ["10.0.0.0/8"]),
};
/** A grant as it is written, in YAML's flow style, which is JSON. */
const entry: fc.Arbitrary<Entry> = fc.record(parts, { requiredKeys: ["host"] });
/** In what one grant may differ from another. */
const change = fc.oneof(
  ...Object.entries(parts).map(([key, part]) => (part as fc.Arbitrary<unknown>).map((value) => ({ [key]: value }))),
);

const requests: EgressRequest[] = ["api.example.com", "b.example.com", "a.b.example.com", "example.com"].flatMap(
  (host) =>
    [443, 80, 8443].flatMap((port) =>
      ["GET", "POST", "DELETE"].flatMap((method) =>
        ["/v1/a", "/v1/b", "/v2"].map((path) => ({ host, port, method, path })),
      ),
    ),
);

function granted(ceiling: Entry, team: Entry): { ceiling: EgressRule; team: readonly EgressRule[] } | null {
  const org = ORG.replace('{host: "**.example.com", ports: [443, 8443]}', JSON.stringify(ceiling));
  const result = load(teamFile(`rules: [{allow: {git.repo: acme/shop}}]\negress: [${JSON.stringify(team)}]\n`), {
    org,
  });
  if (!result.ok) return null;
  return { ceiling: egressRule(ceiling, "org.yaml:7:1"), team: teamOf(result.policy, "shop")?.egress ?? [] };
}

test("no team reaches what the organisation's ceiling does not, however both are written", () => {
  let accepted = 0;
  fc.assert(
    fc.property(entry, change, change, (ceiling, one, two) => {
      const both = granted(ceiling, { ...ceiling, ...one, ...two });
      if (both === null) return;
      accepted += 1;
      for (const request of requests) {
        if (decideEgress(both.team, request).outcome === "deny") continue;
        expect(decideEgress([both.ceiling], request).outcome, JSON.stringify(request)).toBe("allow");
      }
    }),
    { numRuns: 150 },
  );
  expect(accepted).toBeGreaterThan(20);
});

const ABOVE: Record<string, [Partial<Entry>, Partial<Entry>]> = {
  "another host": [{ host: "api.example.com" }, { host: "web.example.com" }],
  "a port more": [{ ports: [443] }, { ports: [443, 80] }],
  "a method more": [{ methods: ["GET"] }, { methods: ["GET", "POST"] }],
  "every method": [{ methods: ["GET"] }, {}],
  "a path more": [{ paths: ["/v1/a"] }, { paths: ["/v1/**"] }],
  "a private range": [{}, { private: ["10.20.0.0/16"] }],
  "a wider private range": [{ private: ["10.20.0.0/16"] }, { private: ["10.0.0.0/8"] }],
};
for (const [sentence, [ceiling, team]] of Object.entries(ABOVE)) {
  test(`a team with ${sentence} than the ceiling has does not load`, () => {
    const host = "api.example.com";
    expect(granted({ host, ...ceiling }, { host, ...team })).toBeNull();
    expect(granted({ host, ...team }, { host, ...team })).not.toBeNull();
  });
}

const runsOf = fc.record({ concurrent_runs: fc.constantFrom(1, 2, 5) });
const month = fc.record(
  { cost_usd: fc.constantFrom(5, 50.5), tokens: fc.constantFrom("1M", 500_000) },
  { requiredKeys: [] },
);
const SHARES = { per_repo: runsOf, per_person: runsOf, per_month: month, per_person_month: month };
const LIMITS = {
  cost_usd: fc.constantFrom(1, 2.5, 10),
  runtime: fc.constantFrom("45m", "1h", "3600s", "1d"),
  tokens: fc.constantFrom("500k", "0.5M", 200_000, "5M"),
  upload: fc.constantFrom("1MB", "1MiB", "20MB"),
  concurrent_runs: fc.constantFrom(1, 3),
  ...SHARES,
};
const named = (...names: string[]) =>
  fc.oneof(fc.constantFrom(...names), fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }));
const ISOLATION = ["process", "container", "microvm"];
const SANDBOX = {
  provider: named("local", "daytona", "other"),
  image: named("node", "python"),
  isolation: fc.constantFrom(...ISOLATION),
  cpu: fc.constantFrom(1, 2, 8),
  memory: fc.constantFrom("1GB", "1GiB", "4GB"),
  disk: fc.constantFrom("500MB", "1GB", "20GiB"),
};
const models = fc.uniqueArray(fc.constantFrom("*", "gpt-*", "gpt-5", "claude-*", "*-5"), {
  minLength: 1,
  maxLength: 2,
});
const repos = fc.uniqueArray(fc.constantFrom("acme/*", "acme/a", "acme/a*", "*/a"), { minLength: 1, maxLength: 2 });
const REQUIRED = ["cost_usd", "runtime", "tokens", "upload", "concurrent_runs"] as const;
const part = fc.record({
  limits: fc.record(LIMITS, { requiredKeys: [...REQUIRED] }),
  sandbox: fc.record(SANDBOX, { requiredKeys: [] }),
  models,
  repos,
});
/** What one place says of it: most as the ceiling does, a little in another way, some of it not at all. */
const departure = fc.record({
  ...{ limits: fc.record(LIMITS), sandbox: fc.record(SANDBOX) },
  changed: fc.subarray([...Object.keys(LIMITS), ...Object.keys(SANDBOX)], { minLength: 1, maxLength: 3 }),
  silent: fc.subarray([...Object.keys(LIMITS), ...Object.keys(SANDBOX)]),
});
type Departure = typeof departure extends fc.Arbitrary<infer Value> ? Value : never;

function said(most: Readonly<Record<string, unknown>>, other: Readonly<Record<string, unknown>>, from: Departure) {
  const changed = Object.entries(other).filter(([key]) => from.changed.includes(key));
  const kept = Object.entries(most).filter(([key]) => !from.silent.includes(key));
  return Object.fromEntries([...kept, ...changed]);
}

/** Whether a number that holds is inside the ceiling's; `null`: nothing limits it. */
const inside = (mine: number | null, most: number | null) => most === null || (mine !== null && mine <= most);
/** The same of names; empty: any. */
const among = (mine: readonly string[], most: readonly string[]) =>
  most.length === 0 || (mine.length > 0 && mine.every((one) => most.includes(one)));

test("limits, shares, models, preset repositories and sandboxes of every team that loads are inside the ceiling", () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      part,
      departure,
      departure,
      part,
      fc.constantFrom("models", "repos", null),
      (most, own, byDefault, wanted, other) => {
        // A team that wants what the ceiling has, but for a few things; and defaults of the same kind.
        const mine = { ...most, ...(other === null ? {} : { [other]: wanted[other] }) };
        const json = JSON.stringify;
        const written = (from: Departure) => ({
          limits: said(most.limits, from.limits, from),
          sandbox: said(most.sandbox, from.sandbox, from),
        });
        const org = `${ORG.slice(0, ORG.indexOf("ceiling:"))}ceiling: ${json({
          repos: ["acme/*"],
          egress: [{ preset: "model-openai" }, { preset: "github", repos: most.repos }],
          limits: most.limits,
          models: most.models,
          sandbox: most.sandbox,
        })}\ndefaults: ${json(written(byDefault))}\n`;
        const presets = [{ preset: "model-openai" }, { preset: "github", repos: mine.repos }];
        const { limits, sandbox } = written(own);
        const result = load(
          teamFile(
            `rules: [{allow: {model: ${json(mine.models)}}}]\negress: ${json(presets)}\nlimits: ${json(limits)}\nsandbox: ${json(sandbox)}\n`,
          ),
          { org },
        );
        if (!result.ok) return;
        accepted += 1;
        const team = teamOf(result.policy, "shop");
        const { ceiling } = result.policy;
        if (team === null || ceiling.holds === undefined) throw new Error("it has a team and a ceiling");
        for (const [name, value] of Object.entries(ceiling.limits)) {
          expect(Reflect.get(team.limits, name), name).toBeLessThanOrEqual(value);
        }
        for (const [of, shares] of Object.entries(ceiling.holds.shares)) {
          for (const [name, value] of Object.entries(shares as Record<string, number | null>)) {
            const held = Reflect.get(Reflect.get(team.shares, of), name) as number | null;
            expect(inside(held, value), `${of} ${name}: ${held} and ${value}`).toBe(true);
          }
        }
        const [needs, wall] = [team.sandbox, ceiling.holds.sandbox];
        expect(ISOLATION.indexOf(needs.isolation)).toBeGreaterThanOrEqual(ISOLATION.indexOf(wall.isolation));
        expect(among(needs.providers, wall.providers), `${needs.providers} and ${wall.providers}`).toBe(true);
        expect(among(needs.images, wall.images), `${needs.images} and ${wall.images}`).toBe(true);
        for (const name of ["cpu", "memoryBytes", "diskBytes"] as const) {
          expect(inside(needs[name], wall[name]), `${name}: ${needs[name]} and ${wall[name]}`).toBe(true);
        }
        for (const model of ["gpt-5", "gpt-4", "claude-5", "other"]) {
          const { outcome } = decide(result.policy, { team: "shop", objects: [{ subject: "model", model }] });
          if (outcome === "allow") expect(matchesAnyText(most.models, model), model).toBe(true);
        }
        for (const repo of ["acme/a", "acme/ab", "acme/b", "other/a"]) {
          const request = { host: "api.github.com", port: 443, method: "GET", path: `/repos/${repo}/pulls` };
          if (decideEgress(team.egress, request).outcome === "deny") continue;
          expect(
            most.repos.some((glob) => matchesPath(pathGlob(glob), repo)),
            repo,
          ).toBe(true);
        }
      },
    ),
    { numRuns: 400 },
  );
  expect(accepted).toBeGreaterThan(60);
});

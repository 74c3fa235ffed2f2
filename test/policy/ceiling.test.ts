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

const LIMITS = {
  cost_usd: fc.constantFrom(1, 2.5, 10),
  runtime: fc.constantFrom("45m", "1h", "3600s", "1d"),
  tokens: fc.constantFrom("500k", "0.5M", 200_000, "5M"),
  upload: fc.constantFrom("1MB", "1MiB", "20MB"),
  concurrent_runs: fc.constantFrom(1, 3),
};
const limits = fc.record(LIMITS);
const models = fc.uniqueArray(fc.constantFrom("*", "gpt-*", "gpt-5", "claude-*", "*-5"), {
  minLength: 1,
  maxLength: 2,
});
const repos = fc.uniqueArray(fc.constantFrom("acme/*", "acme/a", "acme/a*", "*/a"), { minLength: 1, maxLength: 2 });
const part = fc.record({ limits, models, repos, isolation: fc.constantFrom("process", "container", "microvm") });
const ORDER = ["process", "container", "microvm"];

test("limits, models, preset repositories and sandboxes of every team that loads are inside the ceiling", () => {
  let accepted = 0;
  fc.assert(
    fc.property(
      part,
      limits,
      fc.subarray(Object.keys(LIMITS) as (keyof typeof LIMITS)[], { maxLength: 2 }),
      part,
      fc.constantFrom("models", "repos", "isolation", null),
      (most, others, changed, wanted, other) => {
        // A team that wants what the ceiling has, but for a few things.
        const own = { ...most.limits, ...Object.fromEntries(changed.map((name) => [name, others[name]])) };
        const mine = { ...most, ...(other === null ? {} : { [other]: wanted[other] }), limits: own };
        const json = JSON.stringify;
        const org = `${ORG.slice(0, ORG.indexOf("ceiling:"))}ceiling: ${json({
          repos: ["acme/*"],
          egress: [{ preset: "model-openai" }, { preset: "github", repos: most.repos }],
          limits: most.limits,
          models: most.models,
          sandbox: { isolation: most.isolation },
        })}\n`;
        const presets = [{ preset: "model-openai" }, { preset: "github", repos: mine.repos }];
        const result = load(
          teamFile(
            `rules: [{allow: {model: ${json(mine.models)}}}]\negress: ${json(presets)}\nlimits: ${json(mine.limits)}\nsandbox: ${json({ isolation: mine.isolation })}\n`,
          ),
          { org },
        );
        if (!result.ok) return;
        accepted += 1;
        const team = teamOf(result.policy, "shop");
        for (const [name, value] of Object.entries(result.policy.ceiling.limits)) {
          expect(Reflect.get(team?.limits ?? {}, name)).toBeLessThanOrEqual(value);
        }
        expect(ORDER.indexOf(team?.sandbox.isolation ?? "")).toBeGreaterThanOrEqual(ORDER.indexOf(most.isolation));
        for (const model of ["gpt-5", "gpt-4", "claude-5", "other"]) {
          const { outcome } = decide(result.policy, { team: "shop", objects: [{ subject: "model", model }] });
          if (outcome === "allow") expect(matchesAnyText(most.models, model), model).toBe(true);
        }
        for (const repo of ["acme/a", "acme/ab", "acme/b", "other/a"]) {
          const request = { host: "api.github.com", port: 443, method: "GET", path: `/repos/${repo}/pulls` };
          if (decideEgress(team?.egress ?? [], request).outcome === "deny") continue;
          expect(
            most.repos.some((glob) => matchesPath(pathGlob(glob), repo)),
            repo,
          ).toBe(true);
        }
      },
    ),
    { numRuns: 200 },
  );
  expect(accepted).toBeGreaterThan(40);
});

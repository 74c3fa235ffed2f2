import { expect, test } from "vitest";
import { policyCases, tryCase } from "#policy/load/cases.ts";
import { compileScope } from "#policy/load/compile.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { groupOf, limitsOf, membersOf, repositoriesOf } from "#policy/policy.ts";
import { loaded, sampleFiles } from "#test/policy/sample.ts";

const site = {
  presets: ["model-openai", "model-anthropic", "npm-read"],
  pypi: [{ host: "index.packages.test", paths: ["/**"] }],
  goProxy: { host: "proxy.packages.test", base: "" },
  policyRepos: ["acme/policies"],
};
const policy = loaded(loadPolicy(sampleFiles(), { commit: "c0ffee", site }));
const { cases, problems } = policyCases(sampleFiles());

test("the sample tests are read without a complaint", () => {
  expect(problems).toEqual([]);
  expect(cases.length).toBeGreaterThan(20);
});

test.each(cases.map((one) => [one.at, one.name, one] as const))("%s %s", (_at, _name, one) => {
  expect(tryCase(policy, one)).toBeNull();
});

test("a case that the policy does not answer so is told with what it does say", () => {
  const [one] = cases.filter(({ name }) => name === "a component needs a lead");
  if (one === undefined) throw new Error("the sample case is gone");
  expect(tryCase(policy, { ...one, expect: "allow" })?.message).toBe(
    '"a component needs a lead" expects allow, the policy says ask group:leads (1) by teams/marketing.yaml:10:5',
  );
});

test("the only warning about the samples is that a denied command has no wall", () => {
  const result = loadPolicy(sampleFiles(), { commit: "c0ffee", site });
  expect(result.ok && result.warnings.map(({ at, message }) => `${at} ${message}`)).toEqual([
    "teams/data.yaml:19:5 a command rule is advisory: it acts where the agent asks, and nothing else holds this - what must not happen needs a wall too: a host, a path or a secret that is not granted",
  ]);
});

test("each sample team has its repository, its people, and its own limits", () => {
  expect(Object.keys(policy.teams)).toEqual(["data", "marketing", "shop", "yours"]);
  expect(repositoriesOf(policy, "shop").only).toBe("acme/shop");
  expect(membersOf(policy, "data")).toBe("group:data");
  expect(groupOf(policy, "group:leads")).toEqual({ slack_usergroup: "S0LEADS" });
  expect(Object.keys(policy.teams).map((team) => limitsOf(policy, team)?.costUsd)).toEqual([4, 0.5, 5, 10]);
});

test("shop reads packages and runs its tests; data reaches one host and installs nothing", () => {
  const shop = compileScope(policy, { team: "shop", repo: "acme/shop", run: "r1" });
  const data = compileScope(policy, { team: "data", repo: "acme/reports", run: "r2" });
  expect(shop).toMatchObject({
    ok: true,
    scope: {
      branch: "agent/r1",
      registry: true,
      models: ["*"],
      egress: [],
      checks: [{ name: "unit tests", command: "npm test" }],
    },
  });
  expect(data).toMatchObject({
    ok: true,
    scope: {
      registry: false,
      egress: [{ host: "reports.example.com", methods: ["GET"], ports: [443], mode: "intercept" }],
    },
  });
});

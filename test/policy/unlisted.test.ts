import { expect, test } from "vitest";
import { askable, decide } from "#policy/decide/decide.ts";
import type { Policy } from "#policy/policy.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

const CEILING = '{host: "**", methods: [GET, HEAD], mode: intercept, only: ask}';
const UNLISTED = "unlisted_egress:\n  ask: {from: group:leads}\n";

function policyOf(rules: string, always = "", unlisted = UNLISTED): Policy {
  const org = ORG.replace("egress: [", `egress: [${CEILING}, `).replace("ceiling:", `${always}ceiling:`);
  return loaded(load(teamFile(`rules:\n  - allow: {git.repo: acme/shop}\n${rules}${unlisted}`), { org }));
}

const to = (host: string, method: string | null = "GET", path: string | null = null) => ({
  host,
  port: 443,
  method,
  path,
});
const outcome = (policy: Policy, request: ReturnType<typeof to>) =>
  decide(policy, { team: "shop", objects: [{ subject: "egress", ...request }] });

test("a person may add a host that no list has, by reading it", () => {
  const policy = policyOf("");
  expect(outcome(policy, to("docs.example.org"))).toMatchObject({ outcome: "ask", asks: [{ from: "group:leads" }] });
  expect(outcome(policy, to("docs.example.org", "POST"))).toMatchObject({ outcome: "deny", reason: "no_rule" });
  expect(askable(policy, "shop", to("docs.example.org"))).toMatchObject({
    methods: ["GET", "HEAD"],
    mode: "intercept",
  });
});

test("nobody is asked about a host that a rule denies, the team's or the organisation's", () => {
  const ofTeam = policyOf('  - deny: {egress.host: "*.evil.test"}\n');
  expect(outcome(ofTeam, to("a.evil.test"))).toMatchObject({
    outcome: "deny",
    reason: "rule",
    rules: [{ text: "deny egress.host *.evil.test" }],
  });
  const ofOrg = policyOf("", 'always:\n  - deny: {egress.host: "**.evil.test"}\n');
  expect(outcome(ofOrg, to("a.b.evil.test"))).toMatchObject({ outcome: "deny", reason: "rule" });
  expect(askable(ofOrg, "shop", to("a.b.evil.test"))).toBeNull();
});

test("what is denied inside a host that a person may add stays denied after the yes", () => {
  const policy = policyOf("  - deny: {egress.host: docs.example.org, paths: [/private/**]}\n");
  expect(askable(policy, "shop", to("docs.example.org"))?.denied).toMatchObject([{ paths: ["/private/**"] }]);
  expect(outcome(policy, to("docs.example.org", "GET", "/private/a"))).toMatchObject({
    outcome: "deny",
    reason: "rule",
  });
});

test("a team that asks nobody about hosts has nothing that may be asked for", () => {
  expect(askable(policyOf("", "", ""), "shop", to("docs.example.org"))).toBeNull();
});

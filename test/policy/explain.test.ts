import { expect, test } from "vitest";
import type { PolicyObject } from "#policy/decision.ts";
import { explain } from "#policy/explain/explain.ts";
import type { Policy } from "#policy/policy.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

const org = ORG.replace(
  "{preset: npm-read}",
  '{preset: npm-read}, {preset: github, repos: ["acme/*"]}, {host: "**", methods: [GET], only: ask}',
);
const policyOf = (lines: string): Policy => loaded(load(teamFile(lines), { org }));

/** "line: what is said of it" for each rule and grant that was considered. */
function said(policy: Policy, method: string | null, url: string): string[] {
  const { hostname, port, pathname } = new URL(url);
  const object: PolicyObject = {
    subject: "egress",
    host: hostname,
    port: port === "" ? 443 : Number(port),
    method,
    path: method === null ? null : pathname,
  };
  const { decision, objects } = explain(policy, { team: "shop", objects: [object] });
  const lines = objects.flatMap(({ considered }) => considered);
  return [decision.outcome, ...lines.map(({ at, says }) => `${at.split(":")[1]}: ${says}`)];
}

const DENIED = policyOf(`rules:
  - deny: {egress.host: "*.example.com", methods: [POST], paths: [/v1/**]}
  - {deny: {egress.host: "*.example.com", methods: [POST]}, except: api.example.com}
egress:
  - {host: api.example.com}
  - {host: "*.example.com"}
`);

test("a denial of some methods does not speak of another, and one of some paths not of others", () => {
  expect(said(DENIED, "GET", "https://api.example.com/v1/a")).toEqual([
    "allow",
    "6: denies only POST",
    "7: spares this by its except",
    "9: would grant it too",
    "10: decides",
  ]);
  expect(said(DENIED, "POST", "https://api.example.com/v2")[1]).toBe("6: denies only /v1/**");
  expect(said(DENIED, "GET", "https://api.example.com/v2")[1]).toBe("6: denies only POST /v1/**");
  expect(said(DENIED, null, "https://api.example.com/")[1]).toBe(
    "6: denies only POST /v1/**, which is looked at once the request is known",
  );
});

test("a denial that spares the host says so, one that denies it decides, and grants are outweighed", () => {
  expect(said(DENIED, "POST", "https://b.example.com/v1/a")).toEqual([
    "deny",
    "6: decides",
    "7: would deny it too",
    "9: grants another host",
    "10: speaks, and is outweighed",
  ]);
});

const GRANTS = policyOf(`egress:
  - {host: api.example.com, methods: [GET, HEAD], paths: [/v1/**]}
  - {host: api.example.com, ports: [8443], methods: [POST]}
  - {preset: github, repos: [acme/shop]}
unlisted_egress: {ask: {from: group:leads}}
`);

test("a grant says what it is short of: the port, the method or the path", () => {
  expect(said(GRANTS, "POST", "https://api.github.com/repos/acme/shop/issues")).toEqual([
    "deny",
    "6: grants another host",
    "7: grants another host",
    "8: grants GET, HEAD",
    "9: the ceiling holds no such request, or a rule denies it",
  ]);
  expect(said(GRANTS, "GET", "https://api.example.com/v1/a")).toEqual([
    "allow",
    "6: decides",
    "7: grants port 8443",
    "8: grants another host",
    "9: is about hosts outside the list",
  ]);
});

test("a question about what is not on the list decides, beside grants that come near it", () => {
  expect(said(GRANTS, "GET", "https://api.example.com/v2")).toEqual([
    "ask",
    "6: grants the paths /v1/**",
    "7: grants port 8443",
    "8: grants another host",
    "9: decides",
  ]);
  expect(said(GRANTS, "POST", "https://api.example.com/v1/a").slice(0, 2)).toEqual(["ask", "6: grants GET, HEAD"]);
});

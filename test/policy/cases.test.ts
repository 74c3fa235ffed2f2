import { expect, test } from "vitest";
import { policyCases, tryCase } from "#policy/load/cases.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

const RULES = teamFile("rules:\n  - allow: {git.repo: acme/shop}\n");

/** What is wrong with one case, written after its name; "": it holds. */
function answer(words: string, org = ORG): string {
  const policy = loaded(load(RULES, { org }));
  const text = `version: 1\nkind: test\ncases:\n  - {name: a, ${words}}\n`;
  const { cases, problems } = policyCases(new Map([["tests/a.test.yaml", text]]));
  return [...problems, ...cases.flatMap((one) => tryCase(policy, one) ?? [])]
    .map(({ at, message }) => `${at} ${message}`)
    .join("\n");
}

test("a case of a misspelt team holds for nothing, whatever it expects", () => {
  for (const expected of ["deny", "deny, reason: no_team", "allow"]) {
    expect(answer(`as: {team: shpo}, do: {git.push: acme/shop}, expect: ${expected}`)).toBe(
      'tests/a.test.yaml:4:26 unknown team "shpo" - did you mean "shop"?',
    );
  }
});

const LISTED = ORG.replace("shop: {slack_usergroup: S0SHOP}", "shop: {people: [U0ANA]}");

test("a user whom the team's group does not list is no member, and one whom it lists is", () => {
  const as = (user: string, expected: string) =>
    answer(`as: {team: shop, user: ${user}}, do: {git.push: acme/shop}, expect: ${expected}`, LISTED);
  expect(as("U0ANA", "allow")).toBe("");
  expect(as("U0EVE", "{ask: group:leads}")).toBe(
    'tests/a.test.yaml:4:5 "a" expects ask group:leads, the policy says deny (not_a_member) by teams/shop.yaml:3:7',
  );
  expect(as("U0EVE", "deny, reason: not_a_member, rule: teams/shop.yaml:3")).toBe("");
});

test("of a group that only a directory knows a user is taken to be a member", () => {
  expect(answer("as: {team: shop, user: U0EVE}, do: {git.push: acme/shop}, expect: allow")).toBe("");
});

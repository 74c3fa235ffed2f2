import { expect, test } from "vitest";
import { coverageOf } from "#policy/explain/coverage.ts";
import { policyCases } from "#policy/load/cases.ts";
import { load, loaded, teamFile } from "#test/policy/sample.ts";

const policy = loaded(
  load(
    teamFile(`rules:
  - allow: {git.repo: acme/shop}
egress:
  - {preset: npm-read}
  - {preset: model-openai}
  - {host: api.example.com}
trial:
  until: 2027-01-31
  rules:
    - deny: {git.path: src/**}
    - deny: {egress.host: api.example.com}
`),
  ),
);

/** The lines that no case hits. */
function missed(...tried: readonly string[]): string[] {
  const cases = tried.map((one) => `  - {name: a, as: {team: shop}, do: ${one}, expect: allow}\n`).join("");
  const read = policyCases(new Map([["tests/a.test.yaml", `version: 1\nkind: test\ncases:\n${cases}`]]));
  expect(read.problems).toEqual([]);
  return coverageOf(policy, read.cases).missed.map(({ at }) => at.replace(/^teams\/shop\.yaml:(\d+):\d+$/, "$1"));
}

test("rules, presets and rules on trial are all counted, and each can be tried", () => {
  const tries = [
    "{git.push: acme/shop}",
    "{preset: npm-read}",
    "{model: gpt-5}",
    "{git.push: acme/shop, paths: [src/a.ts]}",
  ];
  expect(missed("{command: npm test}")).toEqual(["6", "10", "8", "9", "14", "15"]);
  expect(missed(...tries)).toEqual(["10", "15"]);
});

test("a rule on trial is tried by what it would have decided, and not by what it leaves", () => {
  expect(missed("{git.push: acme/shop, paths: [docs/a.md]}")).toContain("14");
  expect(missed('{http: "GET https://api.example.com/"}')).not.toContain("15");
});

test("a preset is one of the team's or denied", () => {
  expect(missed("{preset: pypi-read}")).toEqual(["6", "10", "8", "9", "14", "15"]);
});

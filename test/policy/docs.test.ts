import { readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { policyCases, tryCase } from "#policy/load/cases.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { loaded } from "#test/policy/sample.ts";

const page = readFileSync(path.join(import.meta.dirname, "..", "..", "docs", "policies.md"), "utf8");

/** The YAML blocks of the page, by the file name in their first line. Those of the tutorial have a test of their own. */
const files = new Map(
  [...page.matchAll(/```yaml\n# ([^\s.]\S*)\n([\s\S]*?)```/g)].map(([, name = "", text = ""]) => [name, text] as const),
);

test("the files on the page load without a warning", () => {
  const result = loadPolicy(files, { commit: "c0ffee" });
  loaded(result);
  expect(result.ok && result.warnings).toEqual([]);
  expect([...files.keys()]).toEqual(["org.yaml", "teams/shop.yaml", "recipes/copy-edit.yaml", "tests/shop.test.yaml"]);
});

test("the tests on the page pass on the policy of the page", () => {
  const policy = loaded(loadPolicy(files, { commit: "c0ffee" }));
  const { cases, problems } = policyCases(files);
  expect(problems).toEqual([]);
  expect(cases).toHaveLength(4);
  expect(cases.map((one) => tryCase(policy, one))).toEqual([null, null, null, null]);
});

test("the errors on the page are errors that the golden texts know", () => {
  const known = readFileSync(path.join(import.meta.dirname, "..", "fixtures", "policy", "mistakes.yaml"), "utf8");
  const block = /## Errors\n[\s\S]*?```text\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
  const lines = block.trim().split("\n");
  expect(lines).toHaveLength(6);
  for (const line of lines) expect(known).toContain(line);
});

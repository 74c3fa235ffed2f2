import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { webUrlOf } from "#adapters/repo-host/github/addresses.ts";
import { summed } from "#adapters/repo-host/github/checks.ts";
import { asRepoHostError } from "#adapters/repo-host/github/failures.ts";
import { fitted } from "#adapters/repo-host/github/pulls.ts";
import { graphqlViolations } from "#test/doubles/github/graphql.ts";

test.each([
  ["https://api.github.com", "https://github.com"],
  ["https://ghe.example.com/api/v3", "https://ghe.example.com"],
  ["https://ghe.example.com:8443/api/v3/", "https://ghe.example.com:8443"],
  ["https://api.acme.ghe.com", "https://acme.ghe.com"],
])("the API at %s is people's and git's %s", (api, web) => expect(webUrlOf(api)).toBe(web));

test("a body that is too long for GitHub keeps its end, where the receipt is, and says what it lost", () => {
  const end = "[receipt](https://x.test/receipt.json)\n<!-- countersign run 1 -->";
  const { title, body } = fitted({ title: "t".repeat(300), body: `${"a".repeat(70_000)}${end}` });
  expect([title.length, body.length]).toEqual([256, 65_536]);
  expect(body.endsWith(end)).toBe(true);
  expect(body).toContain("shortened: GitHub keeps 65,536 characters");
  expect(fitted({ title: "t", body: "b" })).toEqual({ title: "t", body: "b" });
});

test.each([
  [["success", "success"], "success"],
  [["success", "skipped"], "neutral"],
  [["success", "failure"], "failure"],
  [["success", null], "neutral"],
  [[], "neutral"],
] as const)("of %j the sum is %s", (conclusions, sum) => {
  const single = conclusions.map((conclusion, i) => ({ name: `countersign / ${i}`, conclusion }));
  expect(summed(single).conclusion).toBe(sum);
});

const failed = (status: number, data: object, headers: Record<string, string> = {}) =>
  Object.assign(new Error("HttpError"), { status, response: { status, data, headers } });

test.each([
  [
    failed(422, {
      message: "Validation Failed",
      errors: [{ resource: "PullRequest", field: "head", code: "invalid" }],
    }),
    "invalid",
    'to do it: GitHub says "Validation Failed: head invalid" (422)',
  ],
  [
    failed(403, { message: "Resource not accessible by integration" }),
    "denied",
    'to do it: GitHub says "Resource not accessible by integration" (403). Give the GitHub App that permission in its settings, then have the owner accept it',
  ],
  [failed(404, { message: "Not Found" }), "not_found", 'to do it: GitHub says "Not Found" (404)'],
  [failed(500, {}), "unavailable", 'to do it: GitHub says "HttpError" (500)'],
  [
    failed(429, { message: "You have exceeded a secondary rate limit" }, { "retry-after": "90" }),
    "unavailable",
    "to do it: GitHub's rate limit is used up for about 2 min",
  ],
])("a failed call is the port's error, in a sentence", (error, code, message) => {
  expect(asRepoHostError(error, "to do it")).toMatchObject({ name: "RepoHostError", code, message, cause: error });
});

test("what is no failed call is left as it is: it is a bug", () => {
  const bug = new TypeError("undefined is not a function");
  expect(asRepoHostError(bug, "to do it")).toBe(bug);
});

const READY = "markPullRequestReadyForReview";
const ready = (o: { type?: string; name?: string; input?: string; shown?: string } = {}) =>
  `mutation ($id: ${o.type ?? "ID!"}) { ${o.name ?? READY}(input: { ${o.input ?? "pullRequestId: $id"} }) { pullRequest { ${o.shown ?? "isDraft"} } } }`;

test("the double's GraphQL takes the mutation that leaves draft, with a pull request's id", () => {
  expect(graphqlViolations({ query: ready(), variables: { id: "PR_1" } })).toEqual([]);
});

test.each([
  [{ query: ready() }, /"\$id" has invalid value: .* to be provided/],
  [{ query: ready(), variables: { id: null } }, /\$id/],
  [{ query: ready({ type: "Int!" }), variables: { id: 1 } }, /"Int!" used in position expecting type "ID!"/],
  [{ query: ready({ name: "mergePullRequest" }), variables: { id: "PR_1" } }, /Cannot query field "mergePullRequest"/],
  [{ query: ready({ input: "id: $id" }), variables: { id: "PR_1" } }, /pullRequestId/],
  [{ query: ready({ shown: "draft" }), variables: { id: "PR_1" } }, /Cannot query field "draft"/],
  [{ query: "mutation {", variables: {} }, /Syntax Error/],
  [{ query: ready(), variables: { id: "PR_1" }, more: 1 }, /more/],
])("the double's GraphQL refuses what GitHub would, number %#", (body, words) => {
  expect(graphqlViolations(body).join("\n")).toMatch(words);
});

test("nothing of ours merges, and nothing switches a merge on", () => {
  const folder = path.resolve(import.meta.dirname, "../../src");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
  const merging = files.filter((file) =>
    /pulls\.merge\b|\/merges?["'`]|repos\.merge\b|mergePullRequest|enablePullRequestAutoMerge|enqueuePullRequest/.test(
      readFileSync(path.join(folder, file), "utf8"),
    ),
  );
  expect(files.length).toBeGreaterThan(100);
  expect(merging).toEqual([]);
});

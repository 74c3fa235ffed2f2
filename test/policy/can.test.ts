import { expect, test } from "vitest";
import { CAN_EXAMPLES, whatIsTried } from "#policy/explain/can.ts";

test.each([
  ["change docs/faq.md?", { "git.push": "acme/shop", paths: ["docs/faq.md"] }],
  ["edit the files a.md, b.md and c.md in acme/site", { "git.push": "acme/site", paths: ["a.md", "b.md", "c.md"] }],
  ["work on acme/site", { "git.push": "acme/site", paths: [] }],
  ["run `npm test -- --watch`", { command: "npm test -- --watch" }],
  ["reach api.example.com", { http: "GET https://api.example.com/" }],
  ["fetch <https://api.example.com/v1|api.example.com/v1>", { http: "GET https://api.example.com/v1" }],
  ["call POST http://api.example.com:8080/x", { http: "POST http://api.example.com:8080/x" }],
  ["use the model gpt-5", { model: "gpt-5" }],
  ["use secret prod/db", { secret: "prod/db" }],
  ["use the tool browser", { tool: "browser" }],
  ["open a pull request", { action: "pr.open", draft: true }],
  ["merge it myself", { action: "pr.merge" }],
  ["deploy", { action: "deploy.production" }],
])("%j is tried as %j", (text, tried) => {
  expect(whatIsTried(text, "acme/shop")).toEqual(tried);
});

test.each(["have a pony?", "", "change", "reach the stars tonight", "use force", "use the tool brwser"])(
  "%j is nothing that can be tried",
  (text) => {
    expect(whatIsTried(text, "acme/shop")).toBeNull();
  },
);

test("a file without a repository cannot be tried where there are several", () => {
  expect(whatIsTried("change docs/faq.md", null)).toBeNull();
});

test("every example that people are given is understood", () => {
  for (const example of CAN_EXAMPLES) {
    expect(whatIsTried(example.replace("can I ", ""), "acme/shop"), example).not.toBeNull();
  }
});

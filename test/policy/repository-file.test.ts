import { expect, test } from "vitest";
import { readRepositoryFile, withAdditions } from "#policy/load/repository-file.ts";
import type { Scope } from "#policy/scope.ts";

const scope: Scope = {
  team: "shop",
  repo: "acme/shop",
  branch: "agent/1",
  paths: [],
  egress: [],
  models: ["*"],
  registry: true,
  limits: { costUsd: 1, tokens: 1, runtimeMs: 1, uploadBytes: 1, concurrentRuns: 1 },
  sandbox: { providers: [], images: [], isolation: "process", cpu: null, memoryBytes: null, diskBytes: null },
  setup: ["npm ci"],
  checks: [{ name: "unit tests", command: "npm test", timeoutMs: 1_000, required: true, paths: [] }],
  policy: { commit: "c", digest: "d" },
};

test("a repository adds setup and checks, after policy's own", () => {
  const added = readRepositoryFile(
    "version: 1\nsetup: [make deps]\nchecks:\n  - {name: lint, command: make lint, timeout: 2m}\n",
  );
  expect(added).toEqual({
    ok: true,
    setup: ["make deps"],
    checks: [{ name: "lint", command: "make lint", timeoutMs: 120_000, required: true, paths: [] }],
  });
  if (!added.ok) return;
  expect(withAdditions(scope, added).setup).toEqual(["npm ci", "make deps"]);
  expect(withAdditions(scope, added).checks.map((check) => check.name)).toEqual(["unit tests", "lint"]);
});

test("a repository cannot replace a check of policy by one of the same name", () => {
  const added = readRepositoryFile('version: 1\nchecks: [{name: unit tests, command: "true", required: false}]\n');
  if (!added.ok) throw new Error("must load");
  expect(withAdditions(scope, added).checks).toEqual(scope.checks);
});

const BROKEN: Record<string, [string, RegExp, string]> = {
  "an unknown key is named with what was meant": [
    "version: 1\ncheks: []\n",
    /unknown key "cheks".*checks/,
    ".countersign.yaml:2:1",
  ],
  "a check without a command is an error at its place": [
    "version: 1\nchecks:\n  - {name: lint}\n",
    /command/,
    ".countersign.yaml:3:5",
  ],
  "a duration that is none is an error": [
    "version: 1\nchecks:\n  - {name: a, command: b, timeout: soon}\n",
    /duration/,
    ".countersign.yaml:3:36",
  ],
};
for (const [sentence, [text, message, at]] of Object.entries(BROKEN)) {
  test(sentence, () => {
    const read = readRepositoryFile(text);
    if (read.ok) throw new Error("must not load");
    expect(read.problems[0]?.message).toMatch(message);
    expect(read.problems[0]?.at).toBe(at);
  });
}

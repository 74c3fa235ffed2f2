import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { decide } from "#policy/decide/decide.ts";
import { tryTrial } from "#policy/decide/trial.ts";
import type { PolicyObject } from "#policy/decision.ts";
import { policyCases, tryCase } from "#policy/load/cases.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { loaded } from "#test/policy/sample.ts";

/** The example organisation of the format's specification, byte for byte. */
const folder = path.join(import.meta.dirname, "..", "fixtures", "policy", "specification");
const files = new Map(
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .map((name) => [name, readFileSync(path.join(folder, name), "utf8")]),
);
const policy = loaded(loadPolicy(files, { commit: "c0ffee" }));
const ask = (team: string, ...objects: PolicyObject[]) => decide(policy, { team, objects });
const http = (host: string, method: string, at = "/"): PolicyObject => ({
  subject: "egress",
  host,
  port: 443,
  method,
  path: at,
});

/** Of each file as it stands in the specification. */
const WRITTEN: Readonly<Record<string, string>> = {
  "org.yaml": "b5f6b5257cbb712145e812e09e8869a01796acc4fe1c4ca7d023c565f579ac43",
  "teams/data.yaml": "112b5ed3a91d9529b89db52d94ac34438fc704be25897acfc52043886679396a",
  "teams/infra.yaml": "f8522cdc434f25c6c8fa987ae6865aa9a2e0a7acf4e5dcdf270e1c9a538462e3",
  "teams/marketing.yaml": "1cc8535f81fb5fce5ef853a7b990ce5db9be5a8fe68dcc2fceb560ac67161cc6",
  "teams/product.yaml": "39d92927008d2a1a4694660678e7f025f6664453b6b8c86cd19bf41a457f2d07",
  "tests/marketing.test.yaml": "1453c02750348cbf46c40e52b0ae916473616376cfefe5febf692467bbe20ebd",
};

test("the example files are the specification's, to the byte", () => {
  const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
  expect(Object.fromEntries([...files].map(([name, text]) => [name, sha256(text)]))).toEqual(WRITTEN);
});

test("the example files load as they stand", () => {
  expect(Object.keys(policy.teams).sort()).toEqual(["data", "infra", "marketing", "product"]);
});

test("the examples' own tests pass", () => {
  const { cases, problems } = policyCases(files);
  expect(problems).toEqual([]);
  expect(cases).toHaveLength(4);
  expect(cases.flatMap((one) => tryCase(policy, one) ?? [])).toEqual([]);
});

test("a secret that is asked for names who is asked, for how long and how often a yes holds", () => {
  const decision = ask("data", { subject: "secret.name", secret: "snowflake-ro" });
  expect(decision).toMatchObject({
    outcome: "ask",
    asks: [{ from: "group:data", quorum: 1, expiresMs: 900_000, grants: { for: "once", uses: 1, ms: 1_800_000 } }],
  });
});

test("no team can be given a secret that the organisation denies", () => {
  expect(ask("data", { subject: "secret.name", secret: "prod/db" })).toMatchObject({
    outcome: "deny",
    reason: "rule",
    rules: [{ at: expect.stringMatching(/^org\.yaml:/) }],
  });
});

test("a host outside a team's list is asked about where the team says so and the ceiling has it", () => {
  expect(ask("product", http("docs.example.org", "GET"))).toMatchObject({
    outcome: "ask",
    asks: [{ from: "group:product", grants: { for: "run", uses: null, ms: null } }],
  });
  expect(ask("product", http("docs.example.org", "POST"))).toMatchObject({ outcome: "deny" });
  expect(ask("marketing", http("docs.example.org", "GET"))).toMatchObject({ outcome: "deny", reason: "no_rule" });
});

test("code owners are asked about the files that the team says they own", () => {
  expect(ask("product", { subject: "git.path", repo: "acme/app", path: "package-lock.json" })).toMatchObject({
    outcome: "ask",
    asks: [{ from: "codeowners" }],
  });
});

test("a rule on trial decides nothing and is reported until its last day", () => {
  const post = { team: "product", objects: [http("billing.internal.acme.dev", "POST")] };
  expect(decide(policy, post).outcome).toBe("allow");
  expect(tryTrial(policy, post, "2026-12-15")).toMatchObject({
    outcome: "deny",
    until: "2026-12-15",
    rules: [{ text: "deny egress.host *.internal.acme.dev POST" }],
  });
  expect(tryTrial(policy, post, "2026-12-16")).toBeNull();
  const get = { team: "product", objects: [http("billing.internal.acme.dev", "GET")] };
  expect(tryTrial(policy, get, "2026-12-01")).toBeNull();
});

test("the forge's preset reads the team's repositories and nobody else's, and pushes nowhere", () => {
  expect(ask("product", http("api.github.com", "GET", "/repos/acme/app/pulls")).outcome).toBe("allow");
  expect(ask("product", http("github.com", "POST", "/acme/app.git/git-upload-pack")).outcome).toBe("allow");
  expect(ask("product", http("github.com", "POST", "/acme/app.git/git-receive-pack")).outcome).toBe("deny");
  expect(ask("product", http("api.github.com", "GET", "/repos/other/app")).outcome).toBe("ask");
  expect(ask("product", http("api.github.com", "POST", "/repos/acme/app/issues")).outcome).toBe("deny");
  expect(ask("marketing", http("api.github.com", "GET", "/repos/acme/app")).outcome).toBe("deny");
});

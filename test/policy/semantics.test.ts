import { describe, expect, test } from "vitest";
import { decide, pinnedAndCurrent } from "#policy/decide/decide.ts";
import { tryTrial } from "#policy/decide/trial.ts";
import type { PolicyObject } from "#policy/decision.ts";
import { normaliseHost } from "#policy/egress.ts";
import { explain } from "#policy/explain/explain.ts";
import { simulate } from "#policy/explain/simulate.ts";
import { loadPolicy } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";
import { route } from "#policy/route.ts";
import { complaints, load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

/**
 * The seven rules of the format's specification, each sentence as a test of its name. What the service does with them (who
 * is a member, what waits) is in test/runs/semantics.int.test.ts.
 */

const repo = (name = "acme/shop"): PolicyObject => ({ subject: "git.repo", repo: name });
const path = (name: string): PolicyObject => ({ subject: "git.path", repo: "acme/shop", path: name });
const http = (host: string, method = "GET", at = "/"): PolicyObject => ({
  subject: "egress",
  host,
  port: 443,
  method,
  path: at,
});
const team = (lines: string, org = ORG): Policy => loaded(load(teamFile(lines), { org }));
const ask = (policy: Policy, ...objects: PolicyObject[]) => decide(policy, { team: "shop", objects });
/** What is wrong with the lines of a team, without its file's name. */
const wrong = (lines: string, org = ORG) =>
  complaints(load(teamFile(lines), { org })).map((line) => line.replace(/^teams\/shop\.yaml:/, ""));

const RULES = `rules:
  - allow: {git.repo: acme/shop}
  - allow: {git.path: ["src/**", "docs/**"]}
  - ask: {git.path: "**/*.sql"}
    from: group:leads
    quorum: 2
    expires: 1h
  - ask: {git.path: src/**/pay/**}
    from: group:shop
    expires: 20m
  - deny: {git.path: src/generated/**}
    except: [src/generated/README.md]
`;
const policy = team(RULES);

describe("1. decide(request) answers with the outcome, the rule, its file:line:col, the trace and the digest", () => {
  test("the outcomes are allow, deny with a reason, and ask with whom, how many, self, expiry, grants and what it binds", () => {
    expect(ask(policy, repo(), path("src/a.ts")).outcome).toBe("allow");
    expect(ask(policy, path("src/generated/a.ts"))).toMatchObject({ outcome: "deny", reason: "rule" });
    const bound = team(
      "rules: [{allow: {git.repo: acme/shop}}, {ask: {git.path: '**'}, from: group:leads, binds: base, grants: {for: once}}]\n",
    );
    expect(ask(bound, path("a"))).toMatchObject({
      outcome: "ask",
      asks: [
        {
          from: "group:leads",
          quorum: 1,
          self: false,
          expiresMs: 1_800_000,
          binds: ["base"],
          grants: { for: "once", uses: 1, ms: null },
        },
      ],
    });
  });

  test("every answer names its rules by file:line:col, every object it touched, and the policy's digest", () => {
    const decision = ask(policy, repo(), path("src/generated/a.ts"));
    expect(decision.rules.map(({ at }) => at)).toEqual(["teams/shop.yaml:15:5"]);
    expect(decision.trace.map(({ outcome, rules }) => [outcome, rules.map(({ at }) => at)])).toEqual([
      ["allow", ["teams/shop.yaml:6:5"]],
      ["deny", ["teams/shop.yaml:15:5"]],
    ]);
    expect(decision.digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(decision.digest).toBe(policy.digest);
  });
});

describe("2. all matching rules of the organisation and the team count: deny > ask > allow > default deny", () => {
  test("a deny beats an ask, an ask beats an allow, and what nothing matches is denied as no_rule", () => {
    expect(ask(policy, path("src/a.ts")).outcome).toBe("allow");
    expect(ask(policy, path("src/a.sql")).outcome).toBe("ask");
    expect(ask(policy, path("src/generated/a.sql")).outcome).toBe("deny");
    expect(ask(policy, path("Makefile"))).toMatchObject({ outcome: "deny", reason: "no_rule", rules: [] });
  });

  test("the organisation's rules hold for every team, whatever the team says", () => {
    const org = `${ORG}always: [{deny: {git.path: "**/CODEOWNERS"}}]\n`;
    const some = team('rules: [{allow: {git.repo: acme/shop}}, {allow: {git.path: "**"}}]\n', org);
    expect(ask(some, path("CODEOWNERS"))).toMatchObject({ outcome: "deny", rules: [{ at: "org.yaml:10:10" }] });
  });

  test("of several asks each must be met, with its own group and quorum, and the shortest expiry holds", () => {
    const decision = ask(policy, path("src/pay/a.sql"));
    expect(decision.outcome === "ask" && decision.asks).toMatchObject([
      { from: "group:leads", quorum: 2, expiresMs: 1_200_000 },
      { from: "group:shop", quorum: 1, expiresMs: 1_200_000 },
    ]);
  });

  test("a request that touches many objects takes the worst outcome over all of them", () => {
    const outcomes = [["src/a.ts"], ["src/a.ts", "src/a.sql"], ["src/a.ts", "src/a.sql", "Makefile"]].map(
      (paths) => ask(policy, repo(), ...paths.map(path)).outcome,
    );
    expect(outcomes).toEqual(["allow", "ask", "deny"]);
  });

  test("there is no rule order, and the more exact rule does not win", () => {
    const one = "  - allow: {git.path: docs/open/a.md}\n";
    const other = "  - deny: {git.path: docs/**}\n";
    const head = "rules:\n  - allow: {git.repo: acme/shop}\n";
    for (const lines of [one + other, other + one]) {
      expect(ask(team(head + lines), path("docs/open/a.md"))).toMatchObject({ outcome: "deny", reason: "rule" });
    }
  });

  test("an approval never exceeds the ceiling: what a person could say yes to is held to it when it loads", () => {
    expect(wrong("rules:\n  - {ask: {git.repo: other/x}, from: group:leads}\n")).toEqual([
      "6:22 git.repo other/x is above the ceiling of acme/* at org.yaml:6:3",
    ]);
    const org = ORG.replace(
      '{preset: npm-read}, {preset: model-openai}, {host: "**.example.com", ports: [443, 8443]}',
      '{host: "*.example.com", methods: [GET], only: ask}',
    );
    const open = team("unlisted_egress: {ask: {from: group:leads}}\n", org);
    expect(ask(open, http("a.example.com"))).toMatchObject({ outcome: "ask" });
    expect(ask(open, http("a.example.com", "POST"))).toMatchObject({ outcome: "deny" });
    expect(ask(open, http("a.other.test"))).toMatchObject({ outcome: "deny" });
  });
});

describe("3. every grant of a team is a subset of the ceiling, proven when it loads", () => {
  test("a grant above it is an error with both positions", () => {
    expect(wrong("rules:\n  - allow: {git.repo: other/x}\negress:\n  - {host: api.other.test}\n")).toEqual([
      "6:23 git.repo other/x is above the ceiling of acme/* at org.yaml:6:3",
      "8:5 egress api.other.test is above the ceiling at org.yaml:7:3, which has no such host",
    ]);
  });

  test("containment is proven for wildcards, and a wider one is refused", () => {
    expect(wrong('egress: [{host: "*.eu.example.com"}, {host: "**.eu.example.com"}]\n')).toEqual([]);
    const org = ORG.replace('"**.example.com"', '"*.example.com"');
    expect(wrong('egress: [{host: "**.example.com"}]\n', org)).toEqual([
      "5:10 egress **.example.com is above the ceiling at org.yaml:7:56, which has host *.example.com",
    ]);
  });

  test("a limit above the ceiling is an error, and where a team is silent the smaller one is in force", () => {
    expect(wrong("limits: {cost_usd: 11}\n")).toEqual(["5:20 cost_usd 11 is above the ceiling of 10 at org.yaml:8:12"]);
    const org = `${ORG}defaults: {limits: {cost_usd: 4}}\n`;
    const limits = team("limits: {runtime: 5m}\n", org).teams.shop?.limits;
    expect(limits).toMatchObject({ costUsd: 4, runtimeMs: 300_000, tokens: 20_000_000 });
  });

  test("except only narrows: it neither grants what it names nor brings a grant below the ceiling", () => {
    expect(wrong('rules:\n  - {allow: {git.repo: "*/x"}, except: other/x}\n')).toEqual([
      "6:24 git.repo */x is above the ceiling of acme/* at org.yaml:6:3",
    ]);
    expect(ask(policy, path("src/generated/README.md")).outcome).toBe("allow");
    const listed = team(
      "rules: [{allow: {git.repo: acme/shop}}, {allow: {git.path: docs/**}}, {deny: {git.path: '**'}, except: [docs/**, src/a.ts]}]\n",
    );
    expect(ask(listed, path("src/a.ts"))).toMatchObject({ outcome: "deny", reason: "no_rule" });
  });
});

describe("4. the team of a run comes from an explicit mapping of ids, and text never selects it", () => {
  const org = ORG.replace(
    "slack: {C0SHOP: shop}",
    "slack: {C0SHOP: shop}, linear: {SHOP: shop}, github: {acme/shop: shop}",
  );
  const routed = team("", org);

  test("a Slack channel's id, a Linear team's key and a repository lead to a team, with the line that says so", () => {
    expect(route(routed, { provider: "slack", channel: "C0SHOP" })).toEqual({ team: "shop", at: "org.yaml:4:19" });
    expect(route(routed, { provider: "linear", team: "SHOP" })).toMatchObject({ team: "shop" });
    expect(route(routed, { provider: "github", repo: "acme/shop" })).toMatchObject({ team: "shop" });
  });

  test("a label of a repository's issues is a line of its own", () => {
    const labelled = team("", ORG.replace("slack: {C0SHOP: shop}", '"github": {"acme/all:for shop": shop}'));
    expect(route(labelled, { provider: "github", repo: "acme/all", label: "for shop" })).toMatchObject({
      team: "shop",
    });
    expect(route(labelled, { provider: "github", repo: "acme/all" })).toMatchObject({ deny: "no_mapping" });
  });

  test("a channel is looked for first, then a ticket's team, then a label: each place in its own table and in no other", () => {
    // A Linear team's key may read like a channel's id: a request has one place, and its kind says which table is meant.
    const tables = "slack: {C0SHOP: shop}, linear: {C0SHOP: data, C0DATA: data}, github: {acme/shop: data}";
    const files = new Map([
      ["org.yaml", ORG.replace("slack: {C0SHOP: shop}", tables)],
      ["teams/shop.yaml", teamFile("")],
      ["teams/data.yaml", teamFile("").replace("team: shop", "team: data")],
    ]);
    const both = loaded(loadPolicy(files, { commit: "c" }));
    expect(route(both, { provider: "slack", channel: "C0SHOP" })).toMatchObject({ team: "shop" });
    expect(route(both, { provider: "linear", team: "C0SHOP" })).toMatchObject({ team: "data" });
    expect(route(both, { provider: "slack", channel: "C0DATA" })).toMatchObject({ deny: "no_mapping" });
    expect(route(both, { provider: "slack", channel: "acme/shop" })).toMatchObject({ deny: "no_mapping" });
    expect(route(both, { provider: "linear", team: "acme/shop" })).toMatchObject({ deny: "no_mapping" });
  });

  test("no mapping is a denial with the exact line to add", () => {
    expect(route(routed, { provider: "slack", channel: "C0NEW" })).toEqual({
      deny: "no_mapping",
      fix: "C0NEW: shop  # org.yaml, under routing.slack",
    });
  });

  test("a name is no id, and guests cannot be let in", () => {
    expect(wrong("", ORG.replace("{C0SHOP: shop}", '{"#shop": shop}'))).toEqual([
      'org.yaml:4:19 expected a channel id like C0SHOP, not a name, got "#shop"',
    ]);
    expect(wrong("", ORG.replace("routing: {", "routing: {guests: allow, "))).toEqual([
      'org.yaml:4:19 expected "deny" - it cannot be widened, got "allow"',
    ]);
  });

  test("two teams are never united: a place leads to one of them", () => {
    expect(wrong("", ORG.replace("C0SHOP: shop", "C0SHOP: [shop, data]"))).toEqual([
      "org.yaml:4:27 expected a name like shop (small letters, digits and dashes), got a list",
    ]);
    expect(wrong("", ORG.replace("C0SHOP: shop", "C0SHOP: shop, C0SHOP: data"))).toEqual([
      "org.yaml:4:33 this key is already set above - keep one of them",
    ]);
  });
});

describe("5. hosts have one form, and a grant of a shared host is an error", () => {
  test("a request's host is lower-cased, loses one trailing dot, and is its xn-- form where it is not ASCII", () => {
    const granted = team("egress: [{host: api.example.com}, {host: xn--bcher-kva.example.com}]\n");
    expect(ask(granted, http("b\u00fccher.example.com")).outcome).toBe("allow");
    expect(ask(granted, http("API.Example.com.")).outcome).toBe("allow");
    expect(ask(granted, http("api.example.com..")).outcome).toBe("deny");
    expect(ask(granted, http("\u0430pi.example.com")).outcome).toBe("deny");
    expect(normaliseHost("a..b")).toBeNull();
  });

  test("the policy file must already hold that form", () => {
    expect(
      wrong("egress: [{host: API.example.com}, {host: api.example.com.}, {host: b\u00fccher.example.com}]\n"),
    ).toEqual([
      '5:17 "API.example.com" has capital letters - write "api.example.com"',
      '5:42 "api.example.com." ends with a dot - write it without',
      '5:68 "b\u00fccher.example.com" is not ASCII - write its xn-- form, "xn--bcher-kva.example.com"',
    ]);
  });

  test("*.x is one label, **.x is any depth, and the apex is never implied", () => {
    const granted = team('egress: [{host: "*.one.example.com"}, {host: "**.any.example.com"}]\n');
    const outcomes = ["a.one", "a.b.one", "one", "a.any", "a.b.any", "any"].map(
      (name) => ask(granted, http(`${name}.example.com`)).outcome,
    );
    expect(outcomes).toEqual(["allow", "deny", "deny", "allow", "allow", "deny"]);
  });

  test("an address is never a host", () => {
    expect(wrong("egress: [{host: 10.0.0.1}, {host: 0x7f000001}]\n")).toEqual([
      '5:17 "10.0.0.1" is an address - only names can be granted',
      "5:35 expected a host like api.example.com, got the number 2130706433",
    ]);
    expect(ask(team('egress: [{host: "**.example.com"}]\n'), http("10.0.0.1")).outcome).toBe("deny");
  });

  test.each([
    ["*", "is not a host name"],
    ["**", "grants every host"],
    ["*.com", "grants all of .com"],
    ["files.s3.amazonaws.com", "is on amazonaws.com, where anyone can have an account"],
    ["acme.github.io", "is on github.io"],
    ["acme.blob.core.windows.net", "is on blob.core.windows.net"],
    ["storage.googleapis.com", "is on googleapis.com"],
    ["acme.workers.dev", "is on workers.dev"],
    ["acme.ngrok.io", "is on ngrok.io"],
    ["acme.ngrok-free.app", "is on ngrok-free.app"],
    ["acme.pages.dev", "is on pages.dev"],
  ])("a grant of %s is an error", (host, words) => {
    const org = ORG.replace('{host: "**.example.com", ports: [443, 8443]}', `{host: ${JSON.stringify(host)}}`);
    expect(wrong(`egress: [{host: ${JSON.stringify(host)}}]\n`, org).join()).toContain(words);
  });

  test("a shared host is granted when somebody says why, and every host never", () => {
    const shared = (host: string) => [
      `egress: [{host: ${host}, i_accept_shared_host: our own bucket}]\n`,
      ORG.replace('"**.example.com", ports: [443, 8443]', `${host}`),
    ];
    expect(wrong(...(shared("acme.github.io") as [string, string]))).toEqual([]);
    expect(wrong(...(shared('"**"') as [string, string])).join()).toContain("grants every host");
  });
});

describe("6. a trial is for narrowing rules, and only until a day", () => {
  const trial = (lines: string) => `rules: [{allow: {git.repo: acme/shop}}]\ntrial: {${lines}}\n`;

  test("a trial that would grant is an error, and so is one without an end", () => {
    expect(wrong(trial("until: 2027-01-31, rules: [{allow: {git.path: a}}]"))).toEqual([
      "6:36 a trial holds deny and ask - an allow on trial would already be a grant",
    ]);
    expect(wrong(trial("rules: []"))).toEqual(['6:8 "until" is missing - expected a day like 2027-01-31']);
  });

  test("a rule on trial decides nothing, says what it would have said, and is silent after its last day", () => {
    const tried = team(trial("until: 2027-01-31, rules: [{deny: {git.path: a}}]"));
    const request = { team: "shop", objects: [path("a")] };
    expect(decide(tried, request).outcome).toBe("allow");
    expect(tryTrial(tried, request, "2027-01-31")).toMatchObject({ outcome: "deny", until: "2027-01-31" });
    expect(tryTrial(tried, request, "2027-02-01")).toBeNull();
  });

  test("nothing audits everything: no file can switch enforcement off, and simulate takes its place", () => {
    for (const key of ["mode: audit", "enforce: false", "audit: true", "trial: {until: 2027-01-31, rules: []}"]) {
      expect(wrong("", `${ORG}${key}\n`).join()).toContain("org.yaml:10:1 unknown key");
    }
    const request = { team: "shop", objects: [path("src/a.ts")] };
    const recorded = { run: "1", at: "2027-01-01T00:00:00Z", about: "path", request, outcome: "allow" as const };
    const closed = team("rules: [{allow: {git.repo: acme/shop}}, {deny: {git.path: src/**}}]\n");
    expect(simulate(closed, [recorded])).toMatchObject({ replayed: 1, changes: [{ now: "deny" }] });
  });
});

describe("7. what is missing, unreadable or failing is a denial", () => {
  test("a policy without an organisation, or with one mistake anywhere, is no policy", () => {
    expect(loadPolicy(new Map(), { commit: "c" }).ok).toBe(false);
    expect(load(teamFile("egres: []\n")).ok).toBe(false);
  });

  test("a team that is not there, and a request that touches nothing, are denied", () => {
    expect(decide(policy, { team: "sales", objects: [repo()] })).toMatchObject({ outcome: "deny", reason: "no_team" });
    expect(decide(policy, { team: "shop", objects: [] })).toMatchObject({ outcome: "deny", reason: "no_rule" });
  });

  test("an evaluator that fails has denied, and the answer says how it failed", () => {
    const broken = { ...policy, teams: { shop: { ...policy.teams.shop, rules: null } } } as unknown as Policy;
    const decision = ask(broken, repo());
    expect(decision).toMatchObject({ outcome: "deny", reason: "evaluator_failed", rules: [{ at: "baseline" }] });
    expect(decision.rules[0]?.why).toMatch(/iterable|null/);
    expect(pinnedAndCurrent(ask(policy, repo()), decision).outcome).toBe("deny");
    expect(explain(broken, { team: "shop", objects: [repo()] }).decision.outcome).toBe("deny");
  });
});

import { describe, expect, test } from "vitest";
import type { PolicyObject } from "#policy/decision.ts";
import { excerptOf } from "#policy/excerpt.ts";
import { remedyOf } from "#policy/explain/remedy.ts";
import { loadPolicy } from "#policy/load/load.ts";
import { loaded, sampleFiles } from "./sample.ts";

const ORG = `version: 1
kind: org
groups: {shop: {slack_usergroup: S0SHOP}, leads: {people: [U0BO]}}
routing: {slack: {C0SHOP: shop}}
always:
  - deny: {git.path: "**/CODEOWNERS"}
ceiling:
  repos: ["acme/*"]
  egress: [{host: "*.example.com", methods: [GET]}]
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;
const SHOP = `version: 1
kind: team
team: shop
members: group:shop
rules:
  - allow: {git.repo: acme/shop}
  - allow: {git.path: "src/**"}
    in: acme/shop
  - deny: {git.path: "src/gen/**"}
  - {ask: {git.path: "**/package.json"}, from: group:leads, quorum: 2}
egress:
  - {host: api.example.com, methods: [GET]}
`;
const sources = new Map([
  ["org.yaml", ORG],
  ["teams/shop.yaml", SHOP],
]);
const policy = loaded(loadPolicy(sources, { commit: "test" }));
const path = (name: string): PolicyObject => ({ subject: "git.path", repo: "acme/shop", path: name });
const host = (name: string, method: string | null = "GET", port = 443): PolicyObject => ({
  subject: "egress",
  host: name,
  port,
  method,
  path: null,
});
const remedy = (object: PolicyObject, o: { files?: boolean } = {}) =>
  remedyOf(policy, "shop", object, o.files === false ? null : { sources });

describe("what would make it allowed", () => {
  test("nothing, when it is", () => {
    expect(remedy(path("src/a.ts"))).toBeNull();
  });

  test("a yes, when people are asked", () => {
    expect(remedy(path("src/package.json"))).toEqual({ text: "a yes from 2 of group:leads", add: null });
  });

  test("a line of the team, when no rule speaks of it", () => {
    expect(remedy(path("docs/a b.md"))).toEqual({
      text: 'teams/shop.yaml would have to grant it under "rules"',
      add: {
        file: "teams/shop.yaml",
        under: "rules",
        lines: ['- allow: { git.path: "docs/a b.md" }', "  in: acme/shop"],
      },
    });
    expect(remedy(host("www.example.com"))?.add?.lines).toEqual(["- { host: www.example.com, methods: [GET] }"]);
  });

  test("first the ceiling, when the line would be above it", () => {
    expect(remedy({ subject: "git.repo", repo: "other/shop" })?.text).toBe(
      'teams/shop.yaml would have to grant it under "rules", and first the ceiling at org.yaml:8:3 would have to hold it',
    );
    expect(remedy(host("evil.example.org"))?.text).toContain("first the ceiling at org.yaml:9:3");
  });

  test("no line at all, when the loader takes none", () => {
    expect(remedy(host("192.0.2.1"))).toMatchObject({
      text: expect.stringMatching(/^no line of a team can grant it: /),
      add: null,
    });
  });

  test("the end of a denial, and then what else is missing", () => {
    expect(remedy(path("src/gen/a.ts"))).toEqual({
      text: "the rule at teams/shop.yaml:9:5 would have to spare it or go",
      add: null,
    });
    expect(remedy(path("docs/CODEOWNERS"))).toMatchObject({
      text: 'the rule at org.yaml:6:5 would have to spare it or go: no team can take that away; and then teams/shop.yaml would have to grant it under "rules"',
    });
  });

  test("a wider entry, when one names the host and not what is done there", () => {
    expect(remedy(host("api.example.com", "POST"))?.text).toBe(
      "the entry at teams/shop.yaml:12:5 would have to name this method too",
    );
  });

  test("nothing, where it is built in", () => {
    expect(remedy({ subject: "action", action: "pr.merge" })?.text).toBe("nothing can, since it is built in");
  });
});

test("every line that is proposed loads where it is put, or says what has to change first", () => {
  for (const object of [path("docs/a.md"), path("true"), path("1"), path('a"b: c'), host("www.example.com", "HEAD")]) {
    const found = remedy(object);
    if (found === null || found.add === null) throw new Error(`nothing is proposed: ${found?.text}`);
    const { under, lines } = found.add;
    const text = SHOP.replace(`${under}:\n`, `${under}:\n${lines.map((line) => `  ${line}\n`).join("")}`);
    const result = loadPolicy(new Map([...sources, ["teams/shop.yaml", text]]), { commit: "with it" });
    if (!result.ok) expect(found.text).toContain("first the ceiling");
    else expect(remedyOf(result.policy, "shop", object, null)).toBeNull();
  }
});

describe("the lines of a rule", () => {
  const of = (text: string, at: string, most?: number) => excerptOf({ "teams/shop.yaml": text }, at) ?? most;

  test("are the whole entry, without what is beside it", () => {
    expect(of(SHOP, "teams/shop.yaml:7:5")).toEqual({
      file: "teams/shop.yaml",
      line: 7,
      lines: ['- allow: {git.path: "src/**"}', "  in: acme/shop"],
      more: 0,
    });
  });

  test("are cut when they are many, and end before what is blank", () => {
    const long = `rules:\n  - allow:\n      git.path:\n${"        - a/**\n".repeat(9)}\n\nlimits: {}\n`;
    expect(of(long, "teams/shop.yaml:2:5")).toMatchObject({ lines: { length: 8 }, more: 3 });
  });

  test("are not there for what is built in, or for a file that nobody kept", () => {
    expect(of(SHOP, "baseline")).toBeUndefined();
    expect(of(SHOP, "teams/other.yaml:1:1")).toBeUndefined();
    expect(of(SHOP, "teams/shop.yaml:99:1")).toBeUndefined();
    expect(excerptOf({}, "constructor:1:1")).toBeNull();
  });

  test("of each rule of the sample begin with the rule", () => {
    const files = Object.fromEntries(sampleFiles());
    const { teams } = loaded(loadPolicy(sampleFiles(), { commit: "test" }));
    for (const { rules } of Object.values(teams)) {
      for (const { ref, effect } of rules) {
        if (ref.at === "baseline") continue;
        expect(excerptOf(files, ref.at)?.lines[0], ref.at).toMatch(new RegExp(`^- \\{?\\s*${effect}:`));
      }
    }
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { canonical } from "#policy/digest.ts";
import { diffCapabilities } from "#policy/explain/capabilities.ts";
import { loadPolicy } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";
import { type Organisation, organisation, type Written } from "#test/policy/vocabulary.ts";

const WORD = "version: 1\nkind: ";
const lines = (key: string, items: readonly Written[]) =>
  items.length === 0 ? "" : `${key}: ${JSON.stringify(items)}\n`;
const none = (key: string, ...values: readonly string[]) => ["", ...values.map((value) => `${key}: ${value}\n`)];

/** Each part of a policy as it may stand in its file, the plain one first: no two of a part say the same. */
const PARTS = {
  owners: none(
    "owners",
    "{from: group:leads}",
    "{from: group:leads, quorum: 2}",
    "{from: group:leads, channel: C0OPS}",
  ),
  auditors: none("auditors", "group:leads", "group:shop"),
  leads: ["{people: [U0BO]}", "{people: [U0BO, U0CY]}", "{idp: a}", "{idp: a, max_age: 4h}", "{idp: a, max_age: 5h}"],
  routing: ["{}", "{slack: {C0A: shop}}", "{slack: {C0B: shop}}", "{linear: {SHOP: shop}}", "{github: {acme/a: shop}}"],
  repos: ['["acme/*"]', '["acme/*", other/x]', '["acme/*", "other/*"]'],
  hosts: [
    "",
    ", {host: api.other.test}",
    ", {host: api.other.test, methods: [GET]}",
    ", {host: api.other.test, private: [10.0.0.0/8]}",
    ", {preset: pypi-read}",
    ', {host: "**", only: ask}',
    ', {host: "**", methods: [GET], only: ask}',
  ],
  most: [
    "cost_usd: 10",
    "cost_usd: 11",
    "cost_usd: 10, per_month: {cost_usd: 90}",
    "cost_usd: 10, per_repo: {concurrent_runs: 2}",
  ],
  models: ['["*"]', '["gpt-*", "claude-*"]', '["gpt-*, claude-*"]'],
  walls: none("  sandbox", "{isolation: process}", "{isolation: process, memory: 4GB}", "{provider: [local, daytona]}"),
  defaults: none(
    "defaults",
    ...[
      "{branch: 'work/{run}'}",
      "{approvals: {from: group:leads}}",
      "{approvals: {remind: 5m}}",
      "{limits: {tokens: 1M}}",
    ],
    ...["{egress: [{host: api.example.com}]}", "{tools: {browser: deny}}", "{sandbox: {image: node}}"],
  ),
  egress: none(
    "egress",
    "[{host: s.example.com, secret: cms}]",
    "[{host: s.example.com, secret: {name: cms, header: x-key}}]",
    "[{host: s.example.com, max_body: 1MB}]",
    "[{host: s.example.com, max_body: 2MB}]",
    "[{host: s.example.com, mode: intercept}]",
  ),
  limits: none("limits", "{runtime: 20m}", "{upload: 1MB}", "{per_person_month: {tokens: 1M}}", "{concurrent_runs: 2}"),
  sandbox: none("sandbox", "{isolation: microvm}", "{cpu: 2}", "{disk: 3GB}"),
  tools: none("tools", "{shell: deny}", "{shell: allow}"),
  setup: none("setup", "[{command: npm ci}]", "[{command: npm ci, in: acme/a}]", "[{command: make}]"),
  checks: none(
    "checks",
    "[{name: a, command: b}]",
    "[{name: a, command: c}]",
    "[{name: a, command: b, timeout: 5m}]",
    "[{name: a, command: b, required: false}]",
    "[{name: a, command: b, in: acme/a}]",
    "[{name: a, command: b, paths: src/**}]",
  ),
  rules: none(
    "rules",
    "[{deny: {command: [a, b]}}]",
    '[{deny: {command: "a, b"}}]',
    "[{deny: {command: a, }, except: b}]",
  ),
  trial: none(
    "trial",
    "{until: 2027-01-31, rules: [{deny: {git.path: a}}]}",
    "{until: 2027-02-28, rules: [{deny: {git.path: a}}]}",
  ),
  recipe: [
    ...["", "paths: docs/**\n", "paths: docs/a/**\n", "limits: {cost_usd: 1}\n", "limits: {runtime: 5m}\n"],
    ...["checks: [{name: r, command: b}]\n", "checks: [{name: r, command: c}]\n"],
  ],
  prompt: ["Fix {page}", "Break {page}"],
  field: ["{}", "{label: P}", "{required: false}", "{max: 9}", "{options: [a, b]}", '{options: ["a, b"]}'],
  title: ["One", "Two"],
} as const;
type Part = keyof typeof PARTS;
type Parts = Readonly<Record<Part, string>> & { readonly always?: string; readonly unlisted?: string };
const names = Object.keys(PARTS) as Part[];
const PLAIN = Object.fromEntries(names.map((part) => [part, PARTS[part][0]])) as Parts;

/** The policy of these parts; `null` where it does not load. */
function policyOf(made: Parts): Policy | null {
  const org = `${WORD}org\ngroups: {shop: {slack_usergroup: S0SHOP}, leads: ${made.leads}}\nrouting: ${made.routing}
ceiling:
  repos: ${made.repos}
  egress: [{preset: npm-read}, {preset: model-openai}, {preset: github, repos: ["acme/*"]}, {host: "**.example.com", ports: [443, 8443]}${made.hosts}]
  limits: {${made.most}, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ${made.models}
${made.walls}${made.owners}${made.auditors}${made.defaults}${made.always ?? ""}`;
  const team = `${WORD}team\nteam: shop\nmembers: group:shop\n${made.egress}${made.rules}${made.unlisted ?? ""}${made.limits}${made.sandbox}${made.tools}${made.setup}${made.checks}${made.trial}`;
  const helpers = `${WORD}team\nteam: helpers\nmembers: group:shop\nrules: [{allow: {git.repo: acme/a}}, {allow: {git.path: "docs/**"}}]\n`;
  const recipe = `${WORD}recipe\nrecipe: typo\nteam: helpers\nrepo: acme/a\ntitle: ${made.title}\nprompt: "${made.prompt}"\nfields: {page: ${made.field}}\n${made.recipe}`;
  const files = new Map([
    ["org.yaml", org],
    ["teams/helpers.yaml", helpers],
    ["teams/shop.yaml", team],
    ["recipes/typo.yaml", recipe],
  ]);
  const loaded = loadPolicy(files, { commit: "c" });
  return loaded.ok ? loaded.policy : null;
}

/** Where a line stands, why its author wrote it, and which of several places says a number that holds: none changes a decision. */
const NOT_SAID = new Set(["at", "why", "limitRefs", "digest"]);

function meaning(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(meaning);
    const objects = items.every((one) => typeof one === "object");
    return objects ? [...new Set(items.map(canonical))].sort() : items;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => !NOT_SAID.has(key))
      .map(([key, item]) => [key, meaning(item)]),
  );
}

/** What diff prints between two policies that mean something else. */
function printed(before: Policy, after: Policy): unknown {
  expect(canonical(meaning(after))).not.toBe(canonical(meaning(before)));
  return diffCapabilities(before, after);
}

test.each(names)("whatever is said in another way under %s changes what diff prints", (part) => {
  const policies = PARTS[part].map((value) => {
    const policy = policyOf({ ...PLAIN, [part]: value });
    if (policy === null) throw new Error(`${part} does not load: ${value}`);
    return { value, policy };
  });
  for (const [i, one] of policies.entries()) {
    for (const other of policies.slice(i + 1)) {
      expect(printed(one.policy, other.policy), `${one.value} and ${other.value}`).not.toEqual([]);
    }
  }
});

/** The rules of a policy as files say them. */
const written = (made: Organisation, flip = false): Parts => {
  const order = (items: readonly Written[]) => (flip ? items.toReversed() : items);
  const { unlisted } = made;
  return {
    ...PLAIN,
    always: lines("always", order(made.always)),
    rules: lines("rules", order(made.rules)),
    egress: lines("egress", order(made.egress)),
    unlisted: unlisted === null ? "" : `unlisted_egress: ${JSON.stringify({ ask: unlisted })}\n`,
  };
};

test("whatever changes the meaning of rules, grants or questions changes what diff prints, over the whole vocabulary", () => {
  let tried = 0;
  const section = fc.constantFrom("always", "rules", "egress", "unlisted");
  fc.assert(
    fc.property(organisation, organisation, section, (made, other, part) => {
      const [before, after] = [policyOf(written(made)), policyOf(written({ ...made, [part]: other[part] }))];
      fc.pre(before !== null && after !== null);
      const [was, is] = [before as Policy, after as Policy];
      if (canonical(meaning(was)) === canonical(meaning(is))) return;
      tried += 1;
      expect(diffCapabilities(was, is)).not.toEqual([]);
    }),
    { numRuns: 100, maxSkipsPerRun: 100 },
  );
  expect(tried).toBeGreaterThan(50);
});

test("files that say the same in another order change nothing that diff prints", () => {
  fc.assert(
    fc.property(organisation, (made) => {
      const [one, other] = [policyOf(written(made)), policyOf(written(made, true))];
      fc.pre(one !== null && other !== null);
      expect(diffCapabilities(one as Policy, other as Policy)).toEqual([]);
    }),
    { numRuns: 50, maxSkipsPerRun: 100 },
  );
});

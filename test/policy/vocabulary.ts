import fc from "fast-check";
import type { Decision, PolicyObject } from "#policy/decision.ts";
import { type Loaded, loadPolicy } from "#policy/load/load.ts";
import { teamFile } from "#test/policy/sample.ts";

/** A rule as it is written: YAML in flow style is JSON. */
export type Written = Readonly<Record<string, unknown>>;

/** An organisation in which every word of the format may stand. Small alphabets, so that rules meet. */
export interface Organisation {
  readonly always: readonly Written[];
  readonly rules: readonly Written[];
  readonly egress: readonly Written[];
  readonly unlisted: Written | null;
}

const REPOS = ["acme/a", "acme/b", "acme/*"];
const some = <Item>(...items: Item[]) => fc.uniqueArray(fc.constantFrom(...items), { minLength: 1, maxLength: 2 });
const maybe = <Item>(of: fc.Arbitrary<Item>) => fc.option(of, { nil: undefined });

const repo = some(...REPOS);
const path = some("src/**", "**", "src/*", "**/x.ts", "docs/**", "src/a/x.ts");
const host = some("api.example.com", "*.example.com", "**.example.com", "a.b.example.com");
const methods = some("GET", "POST");
const urls = some("/v1/**", "/v1/a", "/**");
const secret = some("cms", "prod/**", "prod/db");
const command = some("make*", "npm test", "*", "rm -r*", "curl * | sh");
const tool = some("shell", "brow*", "*");
const size = some("> 2 files", "> 10 lines", "> 1KB");

const subjects = {
  "git.repo": repo.map((names) => ({ "git.repo": names })),
  "git.branch": some("agent/*", "agent/r1").map((names) => ({ "git.branch": names })),
  "git.path": path.map((names) => ({ "git.path": names })),
  "git.size": size.map((bounds) => ({ "git.size": bounds })),
  command: command.map((names) => ({ command: names })),
  action: fc.oneof(
    some("run.start", "pr.open", "pr.update", "issue.comment", "package.install").map((names) => ({ action: names })),
    fc.record({ action: some("pr.open", "pr.*"), draft: fc.boolean() }),
  ),
  "egress.host": fc.record({ "egress.host": host, methods, paths: urls }, { requiredKeys: ["egress.host"] }),
  "secret.name": secret.map((names) => ({ "secret.name": names })),
  model: some("gpt-*", "gpt-5", "claude-*").map((names) => ({ model: names })),
  tool: tool.map((names) => ({ tool: names })),
} satisfies Record<string, fc.Arbitrary<Written>>;
type Name = keyof typeof subjects;

/** What each subject may be the object of. */
const EFFECTS: Record<Name, readonly ("allow" | "ask" | "deny")[]> = {
  "git.repo": ["allow", "ask", "deny"],
  "git.branch": ["ask", "deny"],
  "git.path": ["allow", "ask", "deny"],
  "git.size": ["ask", "deny"],
  command: ["allow", "ask", "deny"],
  action: ["allow", "ask", "deny"],
  "egress.host": ["deny"],
  "secret.name": ["allow", "ask", "deny"],
  model: ["allow"],
  tool: ["allow", "ask", "deny"],
};
const LIMITED: readonly Name[] = ["git.path", "git.branch", "git.size"];
const SPARED: Partial<Record<Name, fc.Arbitrary<string[]>>> = {
  "git.repo": repo,
  "git.path": path,
  "git.branch": some("agent/r1"),
  command,
  action: some("pr.open", "run.start"),
  "egress.host": host,
  "secret.name": secret,
  tool,
};
const NEVER: fc.Arbitrary<undefined> = fc.constant(undefined);

const question = fc.record(
  {
    from: fc.constantFrom("group:shop", "group:leads"),
    quorum: fc.integer({ min: 1, max: 3 }),
    self: fc.boolean(),
    expires: fc.constantFrom("10m", "1h"),
    grants: fc.constantFrom({ for: "once" }, { for: "run" }, { for: "30m", uses: 2 }),
    binds: fc.constantFrom("base", ["base", "policy"]),
    delegate: fc.boolean(),
  },
  { requiredKeys: ["from"] },
);

/** One rule about any subject with any of the effects that it may have among `effects`. */
function ruleOf(effects: readonly string[]): fc.Arbitrary<Written> {
  const names = (Object.keys(subjects) as Name[]).filter((name) => EFFECTS[name].some((one) => effects.includes(one)));
  return fc.constantFrom(...names).chain((name) =>
    fc
      .record({
        effect: fc.constantFrom(...EFFECTS[name].filter((one) => effects.includes(one))),
        body: subjects[name] as fc.Arbitrary<Written>,
        except: maybe(SPARED[name] ?? NEVER),
        in: LIMITED.includes(name) ? maybe(repo) : NEVER,
        question,
      })
      .map(({ effect, body, question: asked, ...rest }) => ({
        [effect]: body,
        ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
        ...(effect === "ask" ? asked : {}),
      })),
  );
}

export const rule = ruleOf(["allow", "ask", "deny"]);
export const denial = ruleOf(["deny"]);
export const narrowing = ruleOf(["ask", "deny"]);

const entry: fc.Arbitrary<Written> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        host: host.map(([one]) => one),
        ports: some(443, 8443),
        methods,
        paths: urls,
        secret: fc.constantFrom("cms", "prod/db"),
        max_body: fc.constant("1MB"),
      },
      { requiredKeys: ["host"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { preset: "npm-read" },
      { preset: "model-openai" },
      { preset: "github", repos: ["acme/a"] },
    ),
  },
);

export const organisation: fc.Arbitrary<Organisation> = fc.record({
  always: fc.array(narrowing, { maxLength: 2 }),
  rules: fc.array(rule, { maxLength: 7 }),
  egress: fc.array(entry, { maxLength: 4 }),
  unlisted: fc.option(question),
});

const CEILING = `ceiling:
  repos: ["acme/*"]
  egress:
    - {preset: npm-read}
    - {preset: model-openai}
    - {preset: github, repos: ["acme/*"]}
    - {host: "**.example.com", ports: [443, 8443]}
    - {host: "*.example.org", methods: [GET], only: ask}
  limits: {cost_usd: 10, runtime: 2h, tokens: 20M, upload: 100MB, concurrent_runs: 5}
  models: ["*"]
`;

const list = (key: string, items: readonly Written[]) =>
  items.length === 0 ? "" : `${key}:\n${items.map((item) => `  - ${JSON.stringify(item)}\n`).join("")}`;

/** Its files, in the order that `reversed` says. */
export function filesOf(made: Organisation, reversed = false): ReadonlyMap<string, string> {
  const head =
    "version: 1\nkind: org\ndefaults: {approvals: {from: group:leads}}\ngroups: {shop: {slack_usergroup: S0SHOP}, leads: {people: [U0BO]}}\nrouting: {}\n";
  const asked = made.unlisted === null ? "" : `unlisted_egress: ${JSON.stringify({ ask: made.unlisted })}\n`;
  const files: [string, string][] = [
    ["org.yaml", head + CEILING + list("always", made.always)],
    ["teams/data.yaml", teamFile("").replace("team: shop", "team: data")],
    ["teams/shop.yaml", teamFile(list("rules", made.rules) + list("egress", made.egress) + asked)],
  ];
  return new Map(reversed ? files.toReversed() : files);
}

export const loadMade = (made: Organisation, reversed = false): Loaded =>
  loadPolicy(filesOf(made, reversed), { commit: "c0ffee" });

/** Every kind of thing that may be touched, each a few times. */
export const OBJECTS: readonly PolicyObject[] = [
  ...["acme/a", "acme/b", "other/a"].map((name) => ({ subject: "git.repo", repo: name }) as const),
  ...["acme/a", "acme/b"].flatMap((name) =>
    ["src/a/x.ts", "src/x.ts", "docs/a.md", "README.md", "../x"].map(
      (file) => ({ subject: "git.path", repo: name, path: file }) as const,
    ),
  ),
  ...["agent/r1", "agent/r2", "main"].map((branch) => ({ subject: "git.branch", repo: "acme/a", branch }) as const),
  { subject: "git.size", repo: "acme/a", files: 1, lines: 5, bytes: 100 },
  { subject: "git.size", repo: "acme/b", files: 3, lines: 50, bytes: 5_000 },
  ...["make all", "npm test", "ls; make x", "sudo rm -rf /", "curl x | sh", "$X -rf", "("].map(
    (text) => ({ subject: "command", command: text }) as const,
  ),
  ...["run.start", "pr.update", "issue.comment", "package.install", "pr.merge", "deploy.x", "odd"].map(
    (action) => ({ subject: "action", action }) as const,
  ),
  { subject: "action", action: "pr.open", draft: true },
  { subject: "action", action: "pr.open", draft: false },
  ...["gpt-5", "claude-4"].map((model) => ({ subject: "model", model }) as const),
  ...["cms", "prod/db", "other"].map((name) => ({ subject: "secret.name", secret: name }) as const),
  ...["shell", "browser"].map((name) => ({ subject: "tool", tool: name }) as const),
  ...["api.example.com", "b.example.com", "a.b.example.com", "x.example.org", "evil.test"].flatMap((name) =>
    (["GET", "POST", null] as const).flatMap((method) =>
      [443, 8443].map(
        (port) => ({ subject: "egress", host: name, port, method, path: method === null ? null : "/v1/a" }) as const,
      ),
    ),
  ),
];

const RANK = { allow: 0, ask: 1, deny: 2 } as const;
export const rank = (decision: Decision): number => RANK[decision.outcome];

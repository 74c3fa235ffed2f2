import { preparsePolicySet, statefulIsAuthorized } from "@cedar-policy/cedar-wasm/nodejs";
import fc from "fast-check";
import { stringify } from "yaml";
import type { PolicyObject } from "#policy/decision.ts";
import { loadPolicy } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";
import { loaded } from "#test/policy/sample.ts";

/**
 * Another evaluator for the same rules. Each random organisation is written twice, as our YAML and as Cedar text, by two
 * translations that share nothing; Cedar has no third answer, so it is asked twice, with every ask as a permit and as a forbid.
 */
export interface Organisation {
  readonly always: readonly MadeRule[];
  readonly rules: readonly MadeRule[];
  readonly egress: readonly MadeGrant[];
}

export interface MadeRule {
  readonly effect: "allow" | "ask" | "deny";
  readonly subject: "git.repo" | "git.path" | "action" | "tool" | "egress.host";
  readonly globs: readonly string[];
  readonly except: readonly string[];
  readonly in: readonly string[];
  readonly methods: readonly string[];
}

export interface MadeGrant {
  readonly host: string;
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

const REPOS = ["acme/site", "acme/shop", "acme/shop-api", "acme/data"];
const REPO_GLOBS = [...REPOS, "acme/*", "acme/shop*"];
const FILES = [
  "a.ts",
  "docs/a.md",
  "docs/deep/b.md",
  "src/a.ts",
  "src/x/c.ts",
  "src/x/y/c.ts",
  "x/docs/a.md",
  "package.json",
];
const FILE_GLOBS = [
  "**",
  "docs/**",
  "docs/*",
  "**/a.md",
  "**/*.ts",
  "**/docs/**",
  "src/*/c.ts",
  "package.json",
  "src/a.ts",
];
const ACTIONS = ["run.start", "pr.open", "pr.update", "issue.comment", "package.install"];
const ACTION_GLOBS = [...ACTIONS, "run.st*", "issue.*"];
const TOOLS = ["shell", "browser"];
const TOOL_GLOBS = [...TOOLS, "brow*", "*"];
/** What agents ask under beside: only a wildcard names it. */
const ASKED = [...TOOLS, "browse", "edit"];
const HOSTS = ["api.example.com", "a.api.example.com", "example.com", "docs.example.com"];
const HOST_GLOBS = ["api.example.com", "*.example.com", "**.example.com", "docs.example.com", "*.api.example.com"];
const METHODS = ["GET", "POST", "PUT"];
const URLS = ["/", "/v1/a", "/v1/a/b", "/v2"];
const URL_GLOBS = ["/v1/**", "/v1/*", "/v2"];

const some = (from: readonly string[], least: number) =>
  fc.uniqueArray(fc.constantFrom(...from), { minLength: least, maxLength: 2 });
const none = fc.constant<string[]>([]);

function made(
  subject: MadeRule["subject"],
  effects: readonly MadeRule["effect"][],
  globs: readonly string[],
  o: { except?: readonly string[]; in?: boolean; methods?: boolean } = {},
): fc.Arbitrary<MadeRule> {
  return fc.record({
    effect: fc.constantFrom(...effects),
    subject: fc.constant(subject),
    globs: some(globs, 1),
    except: o.except === undefined ? none : fc.oneof({ arbitrary: none, weight: 2 }, some(o.except, 1)),
    in: o.in === true ? fc.oneof(none, some(REPO_GLOBS, 1)) : none,
    methods: o.methods === true ? fc.oneof(none, some(METHODS, 1)) : none,
  });
}

const NARROWING = ["ask", "deny"] as const;
const ANY = ["allow", "ask", "deny"] as const;
const rules = (effects: readonly MadeRule["effect"][]) =>
  fc.oneof(
    { arbitrary: made("git.repo", effects, REPO_GLOBS, { except: REPO_GLOBS }), weight: 3 },
    { arbitrary: made("git.path", effects, FILE_GLOBS, { except: FILE_GLOBS, in: true }), weight: 3 },
    made("action", effects, ACTION_GLOBS, { except: ACTIONS }),
    made("tool", effects, TOOL_GLOBS, { except: TOOLS }),
    made("egress.host", ["deny"], HOST_GLOBS, { methods: true }),
  );

export const organisation: fc.Arbitrary<Organisation> = fc.record({
  always: fc.array(rules(NARROWING), { maxLength: 2 }),
  rules: fc.array(rules(ANY), { minLength: 1, maxLength: 10 }),
  egress: fc.array(
    fc.record({
      host: fc.constantFrom(...HOST_GLOBS),
      methods: fc.oneof(none, some(METHODS, 1)),
      paths: fc.oneof(none, some(URL_GLOBS, 1)),
    }),
    { maxLength: 3 },
  ),
});

export const object: fc.Arbitrary<PolicyObject> = fc.oneof(
  fc.record({ subject: fc.constant("git.repo" as const), repo: fc.constantFrom(...REPOS) }),
  fc.record({
    subject: fc.constant("git.path" as const),
    repo: fc.constantFrom(...REPOS),
    path: fc.constantFrom(...FILES),
  }),
  fc.record({ subject: fc.constant("action" as const), action: fc.constantFrom(...ACTIONS), draft: fc.boolean() }),
  fc.record({ subject: fc.constant("tool" as const), tool: fc.constantFrom(...ASKED) }),
  fc.record({
    subject: fc.constant("egress" as const),
    host: fc.constantFrom(...HOSTS),
    port: fc.constant(443),
    method: fc.constantFrom(...METHODS),
    path: fc.constantFrom(...URLS),
  }),
);

function yamlRule({ effect, subject, globs, except, in: repos, methods }: MadeRule): Record<string, unknown> {
  return {
    [effect]: { [subject]: globs, ...(methods.length > 0 && { methods }) },
    ...(except.length > 0 && { except }),
    ...(repos.length > 0 && { in: repos }),
    ...(effect === "ask" && { from: "group:leads" }),
  };
}

/** The organisation as our loader reads it. */
export function asPolicy(of: Organisation): Policy {
  const org = {
    version: 1,
    kind: "org",
    groups: { leads: { people: ["U0BO"] } },
    routing: { slack: { C0SHOP: "shop" } },
    always: of.always.map(yamlRule),
    ceiling: {
      repos: ["acme/*"],
      egress: [{ host: "**.example.com" }, { host: "*.example.com" }, { host: "api.example.com" }],
      limits: { cost_usd: 1, runtime: "1h", tokens: "1M", upload: "1MB", concurrent_runs: 1 },
      models: ["*"],
    },
  };
  const team = {
    version: 1,
    kind: "team",
    team: "shop",
    members: "group:leads",
    rules: of.rules.map(yamlRule),
    egress: of.egress.map(({ host, methods, paths }) => ({
      host,
      ...(methods.length > 0 && { methods }),
      ...(paths.length > 0 && { paths }),
    })),
  };
  const files = new Map([
    ["org.yaml", stringify(org, { aliasDuplicateObjects: false })],
    ["teams/shop.yaml", stringify(team, { aliasDuplicateObjects: false })],
  ]);
  return loaded(loadPolicy(files, { commit: "c0ffee" }));
}

const quoted = (text: string) => JSON.stringify(text);
const like = (of: string, pattern: string) => `${of} like ${quoted(pattern)}`;
const or = (conditions: readonly string[]) =>
  conditions.length === 0 ? "false" : conditions.map((one) => `(${one})`).join(" || ");

/** The few path patterns that are made here, each as Cedar can say it: its `*` also crosses "/". */
function pathLike(of: string, glob: string): string {
  if (glob === "**") return "true";
  const [, before = "", , rest = ""] = /^(\*\*\/)?((.*))$/.exec(glob) ?? [];
  const anywhere = before === "**/";
  const tree = rest.endsWith("/**");
  const body = tree ? `${rest.slice(0, -2)}*` : rest;
  const stars = tree ? rest.slice(0, -3).includes("*") : rest.includes("*");
  const here = body.includes("*") ? like(of, body) : `${of} == ${quoted(body)}`;
  if (anywhere && body.startsWith("*")) return like(of, body);
  const deeper = stars ? ` && !(${like(of, body.replace("*", "*/*"))})` : "";
  return anywhere ? `${here} || ${like(of, `*/${body}`)}` : `${here}${deeper}`;
}

const textLike = (of: string, glob: string) => (glob.includes("*") ? like(of, glob) : `${of} == ${quoted(glob)}`);

function hostLike(of: string, glob: string): string {
  if (glob.startsWith("**.")) return like(of, glob.slice(1));
  if (glob.startsWith("*.")) return `${like(of, glob)} && !(${like(of, `*.${glob}`)})`;
  return `${of} == ${quoted(glob)}`;
}

const MATCH: Record<MadeRule["subject"], (glob: string) => string> = {
  "git.repo": (glob) => textLike("context.repo", glob),
  "git.path": (glob) => pathLike("context.path", glob),
  action: (glob) => textLike("context.action", glob),
  tool: (glob) => textLike("context.tool", glob),
  "egress.host": (glob) => hostLike("context.host", glob),
};
const inRepos = (repos: readonly string[]) =>
  repos.length === 0 ? "true" : or(repos.map((glob) => textLike("context.repo", glob)));

function condition(rule: MadeRule): string {
  const match = MATCH[rule.subject];
  const methods =
    rule.methods.length === 0 ? "true" : or(rule.methods.map((method) => `context.method == ${quoted(method)}`));
  return `(${or(rule.globs.map(match))}) && !(${or(rule.except.map(match))}) && (${inRepos(rule.in)}) && (${methods})`;
}

const ACTION_OF = {
  "git.repo": "repo",
  "git.path": "path",
  action: "action",
  tool: "tool",
  "egress.host": "egress",
} as const;

/** The organisation as Cedar reads it, with every ask as `ask`. */
export function asCedar(of: Organisation, ask: "permit" | "forbid"): string {
  const all = [...of.always, ...of.rules];
  const say = (effect: string, action: string, when: string) =>
    `${effect}(principal, action == Action::"${action}", resource) when { ${when} };`;
  const word = { allow: "permit", ask, deny: "forbid" } as const;
  const own = all.map((rule) => say(word[rule.effect], ACTION_OF[rule.subject], condition(rule)));
  const repos = all.filter(({ subject }) => subject === "git.repo");
  const repo = (effects: readonly string[]) =>
    or(repos.filter(({ effect }) => effects.includes(effect)).map(condition));
  const lists = all.filter(({ subject, effect }) => subject === "git.path" && effect === "allow");
  const grants = of.egress.map(({ host, methods, paths }) => {
    const way = methods.length === 0 ? "true" : or(methods.map((method) => `context.method == ${quoted(method)}`));
    const where = paths.length === 0 ? "true" : or(paths.map((glob) => pathLike("context.path", glob)));
    return say("permit", "egress", `(${hostLike("context.host", host)}) && (${way}) && (${where})`);
  });
  return [
    ...own,
    ...grants,
    say("forbid", "path", `!(${repo(["allow", "ask"])}) || (${repo(["deny"])})`),
    say("permit", "path", `!(${or(lists.map((rule) => inRepos(rule.in)))})`),
    say("permit", "tool", "true"),
    say("permit", "action", `["run.start", "pr.update", "issue.comment"].contains(context.action)`),
    say("permit", "action", `context.action == "pr.open" && context.draft`),
  ].join("\n");
}

/** Cedar's answer with `set`, which `prepare` has parsed. */
export function cedarAllows(set: string, object: PolicyObject): boolean {
  const { subject, ...context } = object;
  const answer = statefulIsAuthorized({
    principal: { type: "User", id: "ana" },
    action: { type: "Action", id: ACTION_OF[subject === "egress" ? "egress.host" : (subject as MadeRule["subject"])] },
    resource: { type: "Thing", id: "it" },
    context: context as never,
    preparsedPolicySetId: set,
    validateRequest: false,
    entities: [],
  });
  if (answer.type === "failure") throw new Error(JSON.stringify(answer.errors));
  if (answer.response.diagnostics.errors.length > 0)
    throw new Error(JSON.stringify(answer.response.diagnostics.errors));
  return answer.response.decision === "allow";
}

export function prepare(set: string, text: string): void {
  const answer = preparsePolicySet(set, { staticPolicies: text });
  if (answer.type === "failure") throw new Error(`${JSON.stringify(answer.errors)}\n${text}`);
}

/** Cedar's answer in our words. `name` is reused from policy to policy, so that nothing piles up. */
export function cedarOutcome(name: string, object: PolicyObject): "allow" | "ask" | "deny" {
  if (!cedarAllows(`${name}-permit`, object)) return "deny";
  return cedarAllows(`${name}-forbid`, object) ? "allow" : "ask";
}

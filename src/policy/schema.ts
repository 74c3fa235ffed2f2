import { z } from "zod";
import { SUBJECTS } from "./policy.ts";
import {
  Count,
  Duration,
  expected,
  FilePath,
  form,
  Group,
  Host,
  kind,
  Money,
  Name,
  oneOf,
  oneOrMany,
  Private,
  RepoGlob,
  Size,
  strict,
  Text,
  UrlPath,
  version,
  Whole,
  Yes,
} from "./scalars.ts";

const Body = strict("what the rule is about, like {git.path: docs/**}", {
  "git.repo": oneOrMany("a repository or a list of them", RepoGlob).optional(),
  "git.branch": oneOrMany("a branch or a list of them", FilePath).optional(),
  "git.path": oneOrMany("a path or a list of them", FilePath).optional(),
  command: oneOrMany("a command or a list of them", Text).optional(),
  action: oneOrMany("an action or a list of them", Text).optional(),
  model: oneOrMany("a model or a list of them", Text).optional(),
  tool: oneOrMany("a tool or a list of them", Text).optional(),
  draft: Yes.optional(),
});

const EFFECTS = ["allow", "ask", "deny"] as const;

export const RuleShape = strict("a rule like {allow: {git.repo: acme/site}}", {
  allow: Body.optional(),
  ask: Body.optional(),
  deny: Body.optional(),
  in: oneOrMany("a repository or a list of them", RepoGlob).optional(),
  except: oneOrMany("a pattern or a list of them", Text).optional(),
  from: Group.optional(),
  quorum: Whole("a number of people from 1 to 20", 20).optional(),
  self: Yes.optional(),
  expires: Duration.optional(),
  grants: strict("{for: run} or {for: once}", { for: oneOf(["run", "once"]) }).optional(),
  why: Text.optional(),
}).superRefine((rule, context) => {
  const complain = (message: string, path: string[] = []) => context.addIssue({ code: "custom", message, path });
  const said = EFFECTS.filter((effect) => rule[effect] !== undefined);
  const [effect] = said;
  if (effect === undefined || said.length > 1) return complain("a rule says exactly one of allow, ask, deny");
  const subjects = SUBJECTS.filter((subject) => rule[effect]?.[subject] !== undefined);
  if (subjects.length !== 1) complain(`a rule is about exactly one of ${SUBJECTS.join(", ")}`, [effect]);
  if (effect === "ask" && rule.from === undefined) complain('an ask needs "from": the group whose people may say yes');
  if (effect !== "ask") {
    for (const key of ["from", "quorum", "self", "expires", "grants"] as const) {
      if (rule[key] !== undefined) complain(`"${key}" belongs to an ask - ${effect} asks nobody`, [key]);
    }
  }
});
export type RuleShape = z.infer<typeof RuleShape>;

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] as const;

const egress = {
  preset: oneOf(["model-openai", "model-anthropic", "npm-read", "pypi-read", "github"]).optional(),
  repos: z.array(RepoGlob).optional(),
  host: Host.optional(),
  ports: z
    .array(Whole("a port from 1 to 65535", 65_535), { error: expected("a list of ports") })
    .min(1)
    .optional(),
  methods: z
    .array(oneOf(METHODS), { error: expected("a list of methods") })
    .min(1)
    .optional(),
  paths: z
    .array(UrlPath, { error: expected("a list of URL paths") })
    .min(1)
    .optional(),
  private: z
    .array(Private, { error: expected("a list of ranges") })
    .min(1)
    .optional(),
  mode: oneOf(["tunnel", "intercept"]).optional(),
};

interface Way {
  preset?: string | undefined;
  host?: string | undefined;
}

function oneWay(
  entry: Way,
  context: { addIssue(issue: { code: "custom"; message: string; path?: string[] }): void },
): void {
  if ((entry.preset === undefined) === (entry.host === undefined)) {
    context.addIssue({ code: "custom", message: "an egress entry names exactly one of host, preset" });
  }
  const extra = Object.keys(entry).find((key) => key !== "preset" && key !== "repos");
  if (entry.preset !== undefined && extra !== undefined && extra !== "host" && extra !== "only") {
    context.addIssue({ code: "custom", message: `a preset brings its own rules - remove "${extra}"`, path: [extra] });
  }
}

const Secret = z.union([Name, strict("a secret's name or {name, header}", { name: Name, header: Text.optional() })], {
  error: expected("a secret's name or {name, header}"),
});

export const EgressShape = strict("an egress entry like {host: api.example.com}", {
  ...egress,
  secret: Secret.optional(),
  max_body: Size.optional(),
  i_accept_shared_host: Text.optional(),
}).superRefine(oneWay);
export type EgressShape = z.infer<typeof EgressShape>;

export const CeilingEgressShape = strict("an egress entry like {host: api.example.com}", {
  ...egress,
  only: oneOf(["ask"]).optional(),
}).superRefine(oneWay);
export type CeilingEgressShape = z.infer<typeof CeilingEgressShape>;

const limits = {
  cost_usd: Money,
  runtime: Duration,
  tokens: Count,
  upload: Size,
  concurrent_runs: Whole("a number of runs from 1 to 10000", 10_000),
};
const LIMITS = "limits like {cost_usd: 5, runtime: 45m, tokens: 5M, upload: 20MB, concurrent_runs: 2}";
const CeilingLimits = strict(LIMITS, limits);
const SomeLimits = strict(LIMITS, limits).partial();
export type LimitsShape = z.infer<typeof SomeLimits>;

const GroupShape = strict("where the group's people come from, like {slack_usergroup: S0LEADS}", {
  slack_usergroup: form("a user group id like S0LEADS, not a name", (text) =>
    /^S[A-Z0-9]{2,20}$/.test(text),
  ).optional(),
  github_team: form("a team like acme/leads", (text) => /^[\w.-]+\/[\w.-]+$/.test(text)).optional(),
  idp: Text.optional(),
  people: z
    .array(Text, { error: expected("a list of people") })
    .min(1, { error: "a group of nobody" })
    .optional(),
}).refine((group) => Object.values(group).filter((source) => source !== undefined).length === 1, {
  error: "a group has exactly one source: slack_usergroup, github_team, idp or people",
});

const Channel = form("a channel id like C0SHOP, not a name", (text) => /^[CG][A-Z0-9]{2,20}$/.test(text));
const TeamKey = form("a Linear team key like SHOP", (text) => /^[A-Z][A-Z0-9]{0,9}$/.test(text));
const Deny = z.literal("deny", { error: expected('"deny" - it cannot be widened') });

export const OrgShape = strict("an organisation's policy", {
  version,
  kind: kind("org"),
  owners: strict("owners like {from: group:security, quorum: 2}", {
    from: Group,
    quorum: Whole("a number of people from 1 to 20", 20).optional(),
  }).optional(),
  groups: z.record(Name, GroupShape, { error: expected("groups by name") }).optional(),
  routing: strict("routing by channel and ticket team", {
    default: Deny.optional(),
    slack: z.record(Channel, Name, { error: expected("teams by channel id") }).optional(),
    linear: z.record(TeamKey, Name, { error: expected("teams by Linear team key") }).optional(),
    guests: Deny.optional(),
  }),
  always: z.array(RuleShape, { error: expected("a list of rules") }).optional(),
  ceiling: strict("the most any team may grant", {
    repos: z.array(RepoGlob, { error: expected("a list of repositories") }),
    egress: z.array(CeilingEgressShape, { error: expected("a list of egress entries") }),
    limits: CeilingLimits,
    models: z.array(Text, { error: expected("a list of models") }),
  }),
  defaults: strict("what a silent team gets", {
    branch: form("a branch like agent/{run}", (text) =>
      /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9_-]*)*\/\{run\}$/.test(text),
    ).optional(),
    egress: z.array(EgressShape, { error: expected("a list of egress entries") }).optional(),
    limits: SomeLimits.optional(),
    approvals: strict("approvals like {quorum: 1, self: false, expires: 30m}", {
      quorum: Whole("a number of people from 1 to 20", 20),
      self: Yes,
      expires: Duration,
      remind: Duration,
      give_up: Duration,
    })
      .partial()
      .optional(),
  }).optional(),
});
export type OrgShape = z.infer<typeof OrgShape>;

const some = oneOrMany("a repository or a list of them", RepoGlob).optional();
export const TeamShape = strict("a team's policy", {
  version,
  kind: kind("team"),
  team: Name,
  members: Group,
  rules: z.array(RuleShape, { error: expected("a list of rules") }).optional(),
  egress: z.array(EgressShape, { error: expected("a list of egress entries") }).optional(),
  limits: SomeLimits.optional(),
  setup: z
    .array(strict("a setup command like {in: acme/shop, command: npm ci}", { in: some, command: Text }))
    .optional(),
  checks: z
    .array(
      strict("a check like {name: tests, command: npm test}", {
        name: Text,
        in: some,
        command: Text,
        timeout: Duration.optional(),
        required: Yes.optional(),
      }),
      { error: expected("a list of checks") },
    )
    .optional(),
});
export type TeamShape = z.infer<typeof TeamShape>;

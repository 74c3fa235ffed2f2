import { z } from "zod";
import {
  Duration,
  expected,
  form,
  Group,
  kind,
  Name,
  oneOf,
  RepoGlob,
  strict,
  Text,
  version,
  Whole,
  Yes,
} from "#policy/scalars.ts";
import type { Tool } from "#policy/tools.ts";
import { CeilingEgressShape, EgressShape } from "./egress.ts";
import { CeilingLimits, SandboxShape, SomeLimits } from "./limits.ts";
import { LinkedShape } from "./linked.ts";
import { RuleShape } from "./rule.ts";

const GroupShape = strict("where the group's people come from, like {slack_usergroup: S0LEADS}", {
  slack_usergroup: form("a user group id like S0LEADS, not a name", (text) =>
    /^S[A-Z0-9]{2,20}$/.test(text),
  ).optional(),
  github_team: form("a team like acme/leads", (text) => /^[\w.-]+\/[\w.-]+$/.test(text)).optional(),
  idp: Text.optional(),
  max_age: Duration.optional(),
  people: z
    .array(Text, { error: expected("a list of people") })
    .min(1, { error: "a group of nobody - name its people" })
    .optional(),
})
  .refine(({ max_age: _, ...group }) => Object.values(group).filter((source) => source !== undefined).length === 1, {
    error: "a group has exactly one source: slack_usergroup, github_team, idp or people",
  })
  .refine((group) => group.max_age === undefined || group.idp !== undefined, {
    error: '"max_age" belongs to idp: only an export grows old',
  });

const Channel = form("a channel id like C0SHOP, not a name", (text) => /^[CG][A-Z0-9]{2,20}$/.test(text));
const TeamKey = form("a Linear team key like SHOP", (text) => /^[A-Z][A-Z0-9]{0,9}$/.test(text));
/** Of a repository's issues, or the repository itself. */
const Label = form("a repository like acme/site, or a label in one like acme/site:agent", (text) =>
  /^[\w.-]+\/[\w.-]+(?::[^\s:](?:[^:]{0,48}[^\s:])?)?$/.test(text),
);
const Deny = z.literal("deny", { error: expected('"deny" - it cannot be widened') });

const AllowDeny = oneOf(["allow", "deny"]).optional();

/** What a tool may do: a rule about each. Advisory, like every tool rule. */
export const ToolsShape = strict("tools like {shell: allow, browser: deny}", {
  shell: AllowDeny,
  browser: AllowDeny,
} satisfies Record<Tool, z.ZodType>);

export const OrgShape = strict("an organisation's policy", {
  version,
  kind: kind("org"),
  owners: strict("owners like {from: group:security, quorum: 2}", {
    from: Group,
    quorum: Whole("a number of people from 1 to 20", 20).optional(),
    channel: Channel.optional(),
  }).optional(),
  auditors: Group.optional(),
  groups: z.record(Name, GroupShape, { error: expected("groups by name") }).optional(),
  routing: strict("routing by channel and ticket team", {
    default: Deny.optional(),
    slack: z.record(Channel, Name, { error: expected("teams by channel id") }).optional(),
    linear: z.record(TeamKey, Name, { error: expected("teams by Linear team key") }).optional(),
    github: z.record(Label, Name, { error: expected("teams by repository") }).optional(),
    guests: Deny.optional(),
  }),
  linked: LinkedShape.optional(),
  always: z.array(RuleShape, { error: expected("a list of rules") }).optional(),
  ceiling: strict("the most any team may grant", {
    repos: z.array(RepoGlob, { error: expected("a list of repositories") }),
    egress: z.array(CeilingEgressShape, { error: expected("a list of egress entries") }),
    limits: CeilingLimits,
    models: z.array(Text, { error: expected("a list of models") }),
    sandbox: SandboxShape.optional(),
  }),
  defaults: strict("what a silent team gets", {
    branch: form("a branch like agent/{run}", (text) =>
      /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9_-]*)*\/\{run\}$/.test(text),
    ).optional(),
    egress: z.array(EgressShape, { error: expected("a list of egress entries") }).optional(),
    limits: SomeLimits.optional(),
    sandbox: SandboxShape.optional(),
    tools: ToolsShape.optional(),
    approvals: strict("approvals like {quorum: 1, self: false, expires: 30m}", {
      from: Group,
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

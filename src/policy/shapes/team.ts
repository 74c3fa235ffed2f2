import { z } from "zod";
import {
  Day,
  Duration,
  expected,
  FilePath,
  Group,
  kind,
  Name,
  oneOrMany,
  RepoGlob,
  strict,
  Text,
  version,
  Yes,
} from "#policy/scalars.ts";
import { EgressShape } from "./egress.ts";
import { SandboxShape, SomeLimits } from "./limits.ts";
import { LinkedShape } from "./linked.ts";
import { ToolsShape } from "./org.ts";
import { QuestionShape, RuleShape } from "./rule.ts";

const some = oneOrMany("a repository or a list of them", RepoGlob).optional();

export const CheckShape = strict("a check like {name: tests, command: npm test}", {
  name: Text,
  in: some,
  command: Text,
  /** Run only when one of these was changed. */
  paths: oneOrMany("a path or a list of them", FilePath).optional(),
  timeout: Duration.optional(),
  required: Yes.optional(),
});
export type CheckShape = z.infer<typeof CheckShape>;

export const TeamShape = strict("a team's policy", {
  version,
  kind: kind("team"),
  team: Name,
  members: Group,
  linked: LinkedShape.optional(),
  rules: z.array(RuleShape, { error: expected("a list of rules") }).optional(),
  egress: z.array(EgressShape, { error: expected("a list of egress entries") }).optional(),
  unlisted_egress: strict("{ask: {from: group:leads}}", { ask: QuestionShape }).optional(),
  limits: SomeLimits.optional(),
  sandbox: SandboxShape.optional(),
  tools: ToolsShape.optional(),
  setup: z
    .array(strict("a setup command like {in: acme/shop, command: npm ci}", { in: some, command: Text }), {
      error: expected("a list of setup commands"),
    })
    .optional(),
  checks: z.array(CheckShape, { error: expected("a list of checks") }).optional(),
  trial: strict("rules on trial like {until: 2027-01-31, rules: []}", {
    until: Day,
    rules: z.array(RuleShape, { error: expected("a list of rules") }),
  }).optional(),
});
export type TeamShape = z.infer<typeof TeamShape>;

import type { z } from "zod";
import { SUBJECTS, type Subject } from "#policy/policy.ts";
import {
  Duration,
  FilePath,
  Group,
  Host,
  oneOf,
  oneOrMany,
  RepoGlob,
  SecretGlob,
  SizeBound,
  strict,
  Text,
  UrlPath,
  Whole,
  Whom,
  Yes,
} from "#policy/scalars.ts";
import { METHODS } from "./egress.ts";

/** What each subject names, in a rule and in its exceptions alike: one that matches nothing would spare nothing. */
const NAMES = {
  "git.repo": RepoGlob,
  "git.branch": FilePath,
  "git.path": FilePath,
  "git.size": SizeBound,
  command: Text,
  action: Text,
  "egress.host": Host,
  "secret.name": SecretGlob,
  model: Text,
  tool: Text,
} as const satisfies Record<Subject, z.ZodType>;

const Body = strict("what the rule is about, like {git.path: docs/**}", {
  "git.repo": oneOrMany("a repository or a list of them", NAMES["git.repo"]).optional(),
  "git.branch": oneOrMany("a branch or a list of them", NAMES["git.branch"]).optional(),
  "git.path": oneOrMany("a path or a list of them", NAMES["git.path"]).optional(),
  "git.size": oneOrMany('a bound like "> 500 lines" or a list of them', NAMES["git.size"]).optional(),
  command: oneOrMany("a command or a list of them", NAMES.command).optional(),
  action: oneOrMany("an action or a list of them", NAMES.action).optional(),
  "egress.host": oneOrMany("a host or a list of them", NAMES["egress.host"]).optional(),
  "secret.name": oneOrMany("a secret or a list of them", NAMES["secret.name"]).optional(),
  model: oneOrMany("a model or a list of them", NAMES.model).optional(),
  tool: oneOrMany("a tool or a list of them", NAMES.tool).optional(),
  draft: Yes.optional(),
  methods: oneOrMany("a method or a list of them", oneOf(METHODS)).optional(),
  paths: oneOrMany("a URL path or a list of them", UrlPath).optional(),
});

const EFFECTS = ["allow", "ask", "deny"] as const;

/** Who is asked, and what a yes is worth: the same words wherever a question can be written. */
export const questionParts = {
  from: Whom.optional(),
  quorum: Whole("a number of people from 1 to 20", 20).optional(),
  self: Yes.optional(),
  expires: Duration.optional(),
  remind: Duration.optional(),
  give_up: Duration.optional(),
  escalate: strict("{after: 15m, to: group:leads}", { after: Duration, to: Group }).optional(),
  delegate: Yes.optional(),
  grants: strict("{for: run}, {for: once} or {for: 30m, uses: 1}", {
    for: oneOrDuration(),
    uses: Whole("a number of uses from 1 to 1000", 1_000).optional(),
  })
    .partial()
    .optional(),
  binds: oneOrMany("what else a yes is bound to: base, policy", oneOf(["base", "policy"])).optional(),
  assurance: oneOf(["chat", "step_up"]).optional(),
};

function oneOrDuration() {
  return Text.superRefine((text, context) => {
    if (text !== "run" && text !== "once" && !Duration.safeParse(text).success)
      context.addIssue({ code: "custom", message: `expected run, once or a duration like 30m, got "${text}"` });
  });
}

const QUESTION_KEYS = Object.keys(questionParts) as (keyof typeof questionParts)[];

export const QuestionShape = strict(
  "a question like {from: group:leads, grants: {for: run}}",
  questionParts,
).superRefine((question, context) => {
  if (question.from === undefined)
    context.addIssue({ code: "custom", message: 'an ask needs "from": the group whose people may say yes' });
});
export type QuestionShape = z.infer<typeof QuestionShape>;

export const RuleShape = strict("a rule like {allow: {git.repo: acme/site}}", {
  allow: Body.optional(),
  ask: Body.optional(),
  deny: Body.optional(),
  in: oneOrMany("a repository or a list of them", RepoGlob).optional(),
  except: oneOrMany("a pattern or a list of them", Text).optional(),
  ...questionParts,
  why: Text.optional(),
}).superRefine((rule, context) => {
  const complain = (message: string, path: (string | number)[] = []) =>
    context.addIssue({ code: "custom", message, path });
  const said = EFFECTS.filter((effect) => rule[effect] !== undefined);
  const [effect] = said;
  if (effect === undefined || said.length > 1) return complain("a rule says exactly one of allow, ask, deny");
  const subjects = SUBJECTS.filter((subject) => rule[effect]?.[subject] !== undefined);
  if (subjects.length !== 1) complain(`a rule is about exactly one of ${SUBJECTS.join(", ")}`, [effect]);
  const [subject] = subjects;
  // Models and sizes have no exceptions at all, which is said with their places (rules.ts).
  if (subject !== undefined && subject !== "model" && subject !== "git.size") {
    [rule.except ?? []].flat().forEach((pattern, index) => {
      for (const issue of NAMES[subject].safeParse(pattern).error?.issues ?? [])
        complain(issue.message, ["except", index]);
    });
  }
  if (effect === "ask" && rule.from === undefined) complain('an ask needs "from": the group whose people may say yes');
  if (effect !== "ask") {
    for (const key of QUESTION_KEYS) {
      if (rule[key] !== undefined) complain(`"${key}" belongs to an ask - ${effect} asks nobody`, [key]);
    }
  }
});
export type RuleShape = z.infer<typeof RuleShape>;

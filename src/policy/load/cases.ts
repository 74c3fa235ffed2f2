import { z } from "zod";
import { actionProblem } from "#policy/decide/actions.ts";
import { commandObjects } from "#policy/decide/command-actions.ts";
import { decide } from "#policy/decide/decide.ts";
import type { Decision, PolicyObject } from "#policy/decision.ts";
import { hint } from "#policy/match/nearest.ts";
import { groupOf, type Policy, type PolicyProblem, type Team, teamOf } from "#policy/policy.ts";
import { BROKERED, HOSTED } from "#policy/presets.ts";
import {
  checked,
  expected,
  form,
  kind,
  oneOf,
  oneOrMany,
  strict,
  Text,
  version,
  Whole,
  Whom,
  Yes,
} from "#policy/scalars.ts";
import { toolProblem } from "#policy/tools.ts";
import { readDocument } from "./document.ts";
import { inOrder, problemsOf } from "./problems.ts";

const HTTP = /^([A-Z]+) (https?):\/\/([^/:\s]+)(?::(\d{1,5}))?(\/\S*)?$/;

/** One thing that is tried, as an author of policy writes it. */
export const Tried = strict("what is tried, like {git.push: acme/site, paths: [docs/a.md]}", {
  "git.push": form("a repository like acme/site", (text) => /^[^/\s*]+\/[^/\s*]+$/.test(text)).optional(),
  paths: z.array(Text, { error: expected("a list of paths") }).optional(),
  size: strict("a size like {files: 3, lines: 40}", {
    files: Whole("a number of files", 1_000_000),
    lines: Whole("a number of lines", 100_000_000),
    bytes: Whole("a number of bytes", 1_000_000_000),
  })
    .partial()
    .optional(),
  http: form('a method and an address like "GET https://api.example.com/v1"', (text) => HTTP.test(text)).optional(),
  command: Text.optional(),
  // A name that is none is denied whatever the policy says: a case of it would hold for nothing.
  action: checked("an action like pr.open", (text) => actionProblem("deny", text)).optional(),
  draft: Yes.optional(),
  model: Text.optional(),
  // Nothing asks under any other name, so a case of it would hold for nothing.
  tool: checked("a tool like shell", toolProblem).optional(),
  secret: Text.optional(),
  preset: oneOf([...BROKERED, ...HOSTED]).optional(),
}).refine((tried) => Object.keys(tried).filter((key) => !["paths", "size", "draft"].includes(key)).length === 1, {
  error: "exactly one thing is tried: git.push, http, command, action, model, tool, secret, preset",
});
export type Tried = z.infer<typeof Tried>;

export const CasesShape = strict("policy tests", {
  version,
  kind: kind("test"),
  cases: z.array(
    strict("a case", {
      name: Text,
      as: strict("who tries, like {team: shop}", { team: Text, user: Text.optional() }),
      do: Tried,
      expect: z.union([
        z.enum(["allow", "ask", "deny"], { error: expected("allow, ask, deny or {ask: group:leads}") }),
        strict("{ask: group:leads, quorum: 1}", {
          ask: oneOrMany("a group", Whom),
          quorum: Whole("a number of people from 1 to 20", 20).optional(),
        }),
      ]),
      rule: Text.optional(),
      reason: Text.optional(),
    }),
    { error: expected("a list of cases") },
  ),
});
type CaseShape = z.infer<typeof CasesShape>["cases"][number];

/** One expectation of an author, with its place and that of the team it names. */
export interface PolicyCase extends CaseShape {
  readonly at: string;
  readonly teamAt: string;
}

/** Reads the `tests/*.test.yaml` of a policy folder; complaints come all at once. */
export function policyCases(files: ReadonlyMap<string, string>): {
  readonly cases: readonly PolicyCase[];
  readonly problems: readonly PolicyProblem[];
} {
  const cases: PolicyCase[] = [];
  const problems: PolicyProblem[] = [];
  for (const [file, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!file.startsWith("tests/")) continue;
    const { source, problems: broken } = readDocument(file, text);
    problems.push(...broken);
    if (source === null) continue;
    const read = CasesShape.safeParse(source.value);
    if (!read.success) problems.push(...problemsOf(source, read.error.issues));
    else {
      const place = (index: number) => ({
        at: source.at(["cases", index]),
        teamAt: source.at(["cases", index, "as", "team"]),
      });
      cases.push(...read.data.cases.map((one, index) => ({ ...one, ...place(index) })));
    }
  }
  return { cases, problems: inOrder(problems) };
}

function pushed(policy: Policy, repo: string, { paths = [], size }: Tried): PolicyObject[] {
  const branch = policy.branch.replace("{run}", "test");
  const { files = paths.length, lines = 0, bytes = 0 } = size ?? {};
  return [
    { subject: "git.repo", repo },
    { subject: "git.branch", repo, branch },
    ...paths.map((path): PolicyObject => ({ subject: "git.path", repo, path })),
    ...(files > 0 ? [{ subject: "git.size", repo, files, lines, bytes } as const] : []),
  ];
}

/** What is tried, as objects of a decision; none when nothing is named. */
export function objectsOf(policy: Policy, tried: Tried): PolicyObject[] {
  const { "git.push": repo, command, action, draft, model, tool, secret, preset } = tried;
  if (repo !== undefined) return pushed(policy, repo, tried);
  if (command !== undefined) return [...commandObjects(command)];
  if (action !== undefined) return [{ subject: "action", action, ...(draft === undefined ? {} : { draft }) }];
  if (model !== undefined) return [{ subject: "model", model }];
  if (tool !== undefined) return [{ subject: "tool", tool }];
  if (secret !== undefined) return [{ subject: "secret.name", secret }];
  if (preset !== undefined) return [{ subject: "preset", preset }];
  const http = HTTP.exec(tried.http ?? "");
  if (http === null) return [];
  const [, method = "", scheme, host = "", port, path = "/"] = http;
  return [{ subject: "egress", host, port: Number(port ?? (scheme === "https" ? 443 : 80)), method, path }];
}

function said(decision: Decision): string {
  const rules = decision.rules.map(({ at }) => at).join(", ") || "no rule";
  if (decision.outcome === "ask") {
    return `ask ${decision.asks.map((ask) => `${ask.from} (${ask.quorum})`).join(", ")} by ${rules}`;
  }
  return decision.outcome === "deny" ? `deny (${decision.reason}) by ${rules}` : `allow by ${rules}`;
}

/** A case of a team that is not there: all it tries is denied, so it would hold for nothing. `null`: the team is there. */
export function unknownTeam(policy: Policy, one: PolicyCase): PolicyProblem | null {
  const { team } = one.as;
  if (teamOf(policy, team) !== null) return null;
  return { at: one.teamAt, message: `unknown team "${team}"${hint(team, Object.keys(policy.teams).sort())}` };
}

/** Whoever is not among the people of a group that lists them is no member; of any other group only a directory knows. */
function decided(policy: Policy, team: Team, one: PolicyCase): Decision {
  const decision = decide(policy, { team: team.name, objects: objectsOf(policy, one.do) });
  const group = groupOf(policy, team.members);
  const { user } = one.as;
  if (user === undefined || group === null || !("people" in group) || group.people.includes(user)) return decision;
  const rule = { at: team.at, text: `members ${team.members}`, why: null };
  return { ...decision, outcome: "deny", reason: "not_a_member", rules: [rule] };
}

/**
 * Tries one case: `null` when the policy answers as expected, else one sentence with the place of the case. Who is named as
 * `user` is held against a group that lists its people; of another source they are taken to be a member.
 */
export function tryCase(policy: Policy, one: PolicyCase): PolicyProblem | null {
  const team = teamOf(policy, one.as.team);
  if (team === null) return unknownTeam(policy, one);
  const decision = decided(policy, team, one);
  const { expect, rule, reason } = one;
  const groups = typeof expect === "string" ? null : [expect.ask].flat().toSorted();
  const outcome = typeof expect === "string" ? expect : "ask";
  const asks = decision.outcome === "ask" ? decision.asks : [];
  const good =
    decision.outcome === outcome &&
    (groups === null || asks.map((ask) => ask.from).join() === groups.join()) &&
    (typeof expect === "string" || expect.quorum === undefined || asks.every((ask) => ask.quorum === expect.quorum)) &&
    (rule === undefined || decision.rules.some(({ at }) => at === rule || at.startsWith(`${rule}:`))) &&
    (reason === undefined || (decision.outcome === "deny" && decision.reason === reason));
  if (good) return null;
  const wanted = [
    groups === null ? outcome : `ask ${groups.join(", ")}`,
    reason && `(${reason})`,
    rule && `by ${rule}`,
  ];
  return {
    at: one.at,
    message: `"${one.name}" expects ${wanted.filter(Boolean).join(" ")}, the policy says ${said(decision)}`,
  };
}

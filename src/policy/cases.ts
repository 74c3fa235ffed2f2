import { z } from "zod";
import { decide } from "./decide.ts";
import type { Decision, PolicyObject } from "./decision.ts";
import { readDocument } from "./document.ts";
import type { Policy, PolicyProblem } from "./policy.ts";
import { inOrder, problemsOf } from "./problems.ts";
import { Group, kind, oneOrMany, strict, Text, version, Whole } from "./scalars.ts";

const Do = strict("what is tried, like {git.push: acme/site, paths: [docs/a.md]}", {
  "git.push": Text.optional(),
  paths: z.array(Text).optional(),
  http: Text.optional(),
  command: Text.optional(),
  action: Text.optional(),
  model: Text.optional(),
}).refine((tried) => Object.keys(tried).filter((key) => key !== "paths").length === 1, {
  error: "a case tries exactly one of git.push, http, command, action, model",
});

const CasesShape = strict("policy tests", {
  version,
  kind: kind("test"),
  cases: z.array(
    strict("a case", {
      name: Text,
      as: strict("who tries, like {team: shop}", { team: Text, user: Text.optional() }),
      do: Do,
      expect: z.union([
        z.enum(["allow", "ask", "deny"], { error: "expected allow, ask, deny or {ask: group:leads}" }),
        strict("{ask: group:leads, quorum: 1}", {
          ask: oneOrMany("a group", Group),
          quorum: Whole("a number", 20).optional(),
        }),
      ]),
      rule: Text.optional(),
      reason: Text.optional(),
    }),
  ),
});
type CaseShape = z.infer<typeof CasesShape>["cases"][number];

/** One expectation of an author, with its place. */
export interface PolicyCase extends CaseShape {
  readonly at: string;
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
    else cases.push(...read.data.cases.map((one, index) => ({ ...one, at: source.at(["cases", index]) })));
  }
  return { cases, problems: inOrder(problems) };
}

function objectsOf(policy: Policy, tried: PolicyCase["do"]): PolicyObject[] {
  const repo = tried["git.push"];
  if (repo !== undefined) {
    const branch = policy.branch.replace("{run}", "test");
    const paths = (tried.paths ?? []).map((path): PolicyObject => ({ subject: "git.path", repo, path }));
    return [{ subject: "git.repo", repo }, { subject: "git.branch", repo, branch }, ...paths];
  }
  if (tried.command !== undefined) return [{ subject: "command", command: tried.command }];
  if (tried.action !== undefined) return [{ subject: "action", action: tried.action }];
  if (tried.model !== undefined) return [{ subject: "model", model: tried.model }];
  const http = /^([A-Z]+) (https?):\/\/([^/:]+)(?::(\d+))?(\/.*)?$/.exec(tried.http ?? "");
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

/** Tries one case: `null` when the policy answers as expected, else one sentence with the place of the case. */
export function tryCase(policy: Policy, one: PolicyCase): PolicyProblem | null {
  const decision = decide(policy, { team: one.as.team, objects: objectsOf(policy, one.do) });
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

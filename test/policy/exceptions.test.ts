import { expect, test } from "vitest";
import { decide } from "#policy/decide/decide.ts";
import type { PolicyObject } from "#policy/decision.ts";
import { complaints, load, loaded, teamFile } from "#test/policy/sample.ts";

/** Of each subject that may spare something: a rule, an exception of its own form, one that is not, and what it names. */
const SPARED: Record<string, readonly [body: string, good: string, bad: string]> = {
  "git.repo": ['"acme/*"', "acme/hr", '"acme/{payroll,hr}"'],
  "git.branch": ['"agent/*"', "agent/x", '"agent/[0-9]"'],
  "git.path": ['"**"', "docs/**", "/docs"],
  action: ['"pr.open"', "pr.open", "pr.opne"],
  "egress.host": ['"**.example.com"', "api.example.com", "API.example.com"],
  "secret.name": ['"**"', "cms-read", "cms/{a,b}"],
  command: ['"rm *"', '"rm build"', '"\\u0007"'],
  tool: ['"*"', "shell", '"\\u0007"'],
};

test.each(Object.entries(SPARED))("an exception of %s is read as strictly as what the rule names", (name, words) => {
  const [body, good, bad] = words;
  const rule = (except: string) => teamFile(`rules:\n  - {deny: {${name}: ${body}}, except: ${except}}\n`);
  expect(complaints(load(rule(good)))).toEqual([]);
  for (const except of [bad, `[${good}, ${bad}]`]) expect(complaints(load(rule(except)))).toHaveLength(1);
});

test("a repository that an exception names is not granted", () => {
  const policy = loaded(load(teamFile('rules:\n  - {allow: {git.repo: "acme/*"}, except: [acme/hr, "acme/pay*"]}\n')));
  const outcome = (repo: string) => {
    const object: PolicyObject = { subject: "git.repo", repo };
    return decide(policy, { team: "shop", objects: [object] }).outcome;
  };
  expect(["acme/shop", "acme/hr", "acme/payroll"].map(outcome)).toEqual(["allow", "deny", "deny"]);
});

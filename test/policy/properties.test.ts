import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, pinnedAndCurrent } from "#policy/decide/decide.ts";
import type { Decision, PolicyObject } from "#policy/decision.ts";
import { compileScope } from "#policy/load/compile.ts";
import { matchesPath, pathGlob } from "#policy/match/glob.ts";
import { decidePath } from "#policy/paths.ts";
import type { Policy } from "#policy/policy.ts";
import type { Scope } from "#policy/scope.ts";
import { load, loaded, ORG, teamFile } from "#test/policy/sample.ts";

const RANK = { allow: 0, ask: 1, deny: 2 } as const;
const rank = (decision: Decision) => RANK[decision.outcome];

const repo = fc.constantFrom("acme/a", "acme/b", "acme/*", "acme/a*");
const file = fc.constantFrom("src/**", "**", "src/*", "**/x.ts", "docs/**", "src/a/x.ts");
/** What each subject may spare: an exception is read as what the rule names is. */
const SPARED = {
  "git.repo": "acme/b",
  "git.path": "src/a/x.ts",
  command: "npm test",
  action: "run.start",
  tool: "browser",
  "git.branch": "agent/r1",
};
const subject = fc.oneof(
  repo.map((glob) => ({ "git.repo": glob })),
  file.map((glob) => ({ "git.path": glob })),
  fc.constantFrom("make*", "npm test", "*").map((command) => ({ command })),
  fc.constantFrom("run.start", "pr.open", "issue.comment").map((action) => ({ action })),
  fc.constantFrom("browser", "*").map((tool) => ({ tool })),
  fc.constantFrom("agent/*", "agent/r1").map((glob) => ({ "git.branch": glob })),
);

interface RuleText {
  readonly effect: "allow" | "ask" | "deny";
  readonly text: string;
}

const rule: fc.Arbitrary<RuleText> = fc
  .record({
    effect: fc.constantFrom("allow" as const, "ask" as const, "deny" as const),
    body: subject,
    spares: fc.boolean(),
    in: fc.option(repo, { nil: undefined }),
    from: fc.constantFrom("group:shop", "group:leads"),
    quorum: fc.integer({ min: 1, max: 3 }),
  })
  .filter(({ effect, body }) => !("git.branch" in body) || effect !== "allow")
  .map(({ effect, body, spares, in: limited, from, quorum }) => {
    const whole = {
      [effect]: body,
      ...(spares ? { except: SPARED[Object.keys(body)[0] as keyof typeof SPARED] } : {}),
      ...(limited === undefined || !("git.path" in body) ? {} : { in: limited }),
      ...(effect === "ask" ? { from, quorum } : {}),
    };
    return { effect, text: JSON.stringify(whole) };
  });

const object: fc.Arbitrary<PolicyObject> = fc.oneof(
  fc.constantFrom("acme/a", "acme/b", "acme/c").map((name) => ({ subject: "git.repo" as const, repo: name })),
  fc.record({
    subject: fc.constant("git.path" as const),
    repo: fc.constantFrom("acme/a", "acme/b"),
    path: fc.constantFrom("src/a/x.ts", "src/x.ts", "docs/a.md", "README.md"),
  }),
  fc.record({
    subject: fc.constant("git.branch" as const),
    repo: fc.constant("acme/a"),
    branch: fc.constantFrom("agent/r1", "agent/r2", "main"),
  }),
  fc.constantFrom("make all", "npm test", "ls; make x").map((command) => ({ subject: "command" as const, command })),
  fc.constantFrom("run.start", "pr.open", "pr.merge", "odd").map((action) => ({ subject: "action" as const, action })),
  fc.constantFrom("browser", "shell").map((tool) => ({ subject: "tool" as const, tool })),
);

/** As callers ask: with every repository whose branches or paths they touch. */
const objects = fc.array(object, { minLength: 1, maxLength: 4 }).map((some) => {
  const repos = new Set(some.flatMap((one) => ("repo" in one ? [one.repo] : [])));
  return [...[...repos].map((name): PolicyObject => ({ subject: "git.repo", repo: name })), ...some];
});
const ruleList = fc.array(rule, { maxLength: 8 });

function policyOf(rules: readonly RuleText[]): Policy {
  return loaded(
    load(teamFile(`rules:${rules.length === 0 ? " []" : ""}\n${rules.map(({ text }) => `  - ${text}\n`).join("")}`)),
  );
}

/** Who is asked for what, without the places, which move with the lines. */
function meaning(decision: Decision): unknown {
  const asks = decision.outcome === "ask" ? decision.asks.map(({ rule: _, ...ask }) => ask) : [];
  const trace = decision.trace.map((line) => [line.outcome, line.rules.map(({ text }) => text).sort()]);
  return [decision.outcome, decision.outcome === "deny" ? decision.reason : null, asks, trace];
}

test("the order of rules never matters", () => {
  fc.assert(
    fc.property(
      ruleList.chain((rules) => fc.tuple(fc.constant(rules), fc.shuffledSubarray(rules, { minLength: rules.length }))),
      objects,
      ([rules, shuffled], wanted) => {
        const request = { team: "shop", objects: wanted };
        expect(meaning(decide(policyOf(shuffled), request))).toEqual(meaning(decide(policyOf(rules), request)));
      },
    ),
    { numRuns: 200 },
  );
});

test("adding a deny never allows more, and adding an ask never allows", () => {
  fc.assert(
    fc.property(ruleList, rule, objects, (rules, added, wanted) => {
      const request = { team: "shop", objects: wanted };
      const before = rank(decide(policyOf(rules), request));
      const after = rank(decide(policyOf([...rules, added]), request));
      if (added.effect === "deny") expect(after).toBeGreaterThanOrEqual(before);
      // An ask may open what nothing allowed, but only to people: nothing is allowed by it.
      if (added.effect === "ask" && before > RANK.allow) expect(after).toBeGreaterThan(RANK.allow);
    }),
    { numRuns: 200 },
  );
});

test("a request that touches more is never answered more kindly", () => {
  fc.assert(
    fc.property(ruleList, objects, object, (rules, wanted, more) => {
      const policy = policyOf(rules);
      const some = rank(decide(policy, { team: "shop", objects: wanted }));
      expect(rank(decide(policy, { team: "shop", objects: [...wanted, more] }))).toBeGreaterThanOrEqual(some);
    }),
    { numRuns: 200 },
  );
});

test("pinned and current together are exactly as strict as the stricter of the two, with everybody's questions", () => {
  fc.assert(
    fc.property(ruleList, ruleList, objects, (then, now, wanted) => {
      const request = { team: "shop", objects: wanted };
      const [pinned, current] = [decide(policyOf(then), request), decide(policyOf(now), request)];
      const both = pinnedAndCurrent(pinned, current);
      expect(rank(both)).toBe(Math.max(rank(pinned), rank(current)));
      expect(both.digest).toBe(current.digest);
      if (both.outcome !== "ask") return;
      for (const one of [pinned, current]) {
        for (const ask of one.outcome === "ask" ? one.asks : []) {
          const put = both.asks.find(({ from }) => from === ask.from);
          expect(put?.quorum).toBeGreaterThanOrEqual(ask.quorum);
          expect(put?.expiresMs).toBeLessThanOrEqual(ask.expiresMs);
          expect(put?.self === true && !ask.self).toBe(false);
        }
      }
    }),
    { numRuns: 200 },
  );
});

test("what a stored scope says of a path is what its policy says of it", () => {
  fc.assert(
    fc.property(ruleList, fc.constantFrom("acme/a", "acme/b"), (rules, name) => {
      const policy = policyOf(rules);
      const compiled = compileScope(policy, { team: "shop", repo: name, run: "r1" });
      if (!compiled.ok) return;
      const scope = JSON.parse(JSON.stringify(compiled.scope)) as Scope;
      for (const path of ["src/a/x.ts", "src/x.ts", "docs/a.md", "README.md", "../x"]) {
        const one: PolicyObject = { subject: "git.path", repo: name, path };
        expect(decidePath(scope.paths, path).effect).toBe(decide(policy, { team: "shop", objects: [one] }).outcome);
      }
    }),
    { numRuns: 200 },
  );
});

test("the ceiling holds for every policy that loads", () => {
  const glob = fc
    .tuple(fc.constantFrom("acme", "*", "a*", "other"), fc.constantFrom("a", "*", "lib-*", "*-x"))
    .map(([owner, name]) => `${owner}/${name}`);
  const names = ["acme/a", "acme/lib-a", "acme/lib-x", "other/a", "axe/a", "axe/lib-x"];
  let accepted = 0;
  fc.assert(
    fc.property(glob, glob, (ceiling, granted) => {
      const org = ORG.replace('["acme/*"]', JSON.stringify([ceiling]));
      const result = load(teamFile(`rules: [{allow: {git.repo: ${JSON.stringify(granted)}}}]\n`), { org });
      if (!result.ok) return;
      accepted++;
      for (const name of names) {
        const { outcome } = decide(result.policy, { team: "shop", objects: [{ subject: "git.repo", repo: name }] });
        if (outcome === "allow") expect(matchesPath(pathGlob(ceiling), name)).toBe(true);
      }
    }),
    { numRuns: 400 },
  );
  expect(accepted).toBeGreaterThan(20);
});

test("the loader answers any text with a policy or with complaints, and never throws", () => {
  const bits = fc.constantFrom(
    "rules",
    ":",
    " ",
    "\n",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "deny",
    "git.path",
    "**",
    '"',
    "&a",
    "*a",
    "!!x",
    "<<",
    "1e3",
    "#",
    "|",
    "\t",
    "?",
    "%",
    "\u0000",
    "é",
  );
  fc.assert(
    fc.property(
      fc.array(bits, { maxLength: 40 }).map((some) => some.join("")),
      (text) => {
        for (const result of [load(teamFile(text)), load(teamFile(""), { org: `${ORG}${text}` }), load(text)]) {
          if (!result.ok) expect(result.problems.every(({ at }) => /^[\w/.]+:\d+:\d+$/.test(at))).toBe(true);
          else expect(Object.keys(result.policy.teams).length).toBeLessThanOrEqual(1);
        }
      },
    ),
    { numRuns: 200 },
  );
});

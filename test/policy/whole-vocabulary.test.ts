import fc from "fast-check";
import { expect, test } from "vitest";
import { decide } from "#policy/decide/decide.ts";
import type { Decision, PolicyObject } from "#policy/decision.ts";
import type { Loaded } from "#policy/load/load.ts";
import type { Policy } from "#policy/policy.ts";
import {
  denial,
  loadMade,
  narrowing,
  OBJECTS,
  type Organisation,
  organisation,
  rank,
  type Written,
} from "#test/policy/vocabulary.ts";

const RUNS = { numRuns: 80 };

/** A policy that loads, or the next one. */
function policyOf(result: Loaded): Policy {
  fc.pre(result.ok);
  return (result as Extract<Loaded, { ok: true }>).policy;
}
/** As callers ask: with the repository whose paths, branches or size they touch. */
const answers = (policy: Policy) =>
  OBJECTS.map((one) => {
    const around: PolicyObject[] = "repo" in one ? [{ subject: "git.repo", repo: one.repo }] : [];
    return decide(policy, { team: "shop", objects: [...around, one] });
  });

/** Who is asked for what, and by which rules, without the places, which move with the lines. */
function meaning(decision: Decision): unknown {
  const asks = decision.outcome === "ask" ? decision.asks.map(({ rule: _, ...ask }) => ask) : [];
  const said = [...new Set(decision.rules.map(({ text }) => text))].sort();
  return [decision.outcome, decision.outcome === "deny" ? decision.reason : null, asks, said];
}

/** Nothing that one policy denies is asked or allowed by the other, and nothing that is asked is allowed. */
function noWider(before: Policy, after: Policy): void {
  const [was, is] = [answers(before), answers(after)];
  OBJECTS.forEach((object, i) => {
    const [one, other] = [was[i] as Decision, is[i] as Decision];
    expect(rank(other), JSON.stringify(object)).toBeGreaterThanOrEqual(rank(one));
  });
}

const shuffled = <Item>(items: readonly Item[]) => fc.shuffledSubarray([...items], { minLength: items.length });
const inAnotherOrder = organisation.chain((made) =>
  fc.record({
    made: fc.constant(made),
    other: fc.record({
      always: shuffled(made.always),
      rules: shuffled(made.rules),
      egress: shuffled(made.egress),
      unlisted: fc.constant(made.unlisted),
    }),
  }),
);

test("the order of rules, of grants and of files never matters, over the whole vocabulary", () => {
  fc.assert(
    fc.property(inAnotherOrder, ({ made, other }) => {
      const [one, two] = [loadMade(made), loadMade(other, true)];
      expect(two.ok).toBe(one.ok);
      expect(answers(policyOf(two)).map(meaning)).toEqual(answers(policyOf(one)).map(meaning));
    }),
    RUNS,
  );
});

test("adding a deny never allows more, whoever adds it and wherever it stands", () => {
  fc.assert(
    fc.property(organisation, denial, fc.boolean(), fc.nat(), (made, added, everywhere, at) => {
      const put = (some: readonly Written[]) => some.toSpliced(at % (some.length + 1), 0, added);
      const after = everywhere ? { ...made, always: put(made.always) } : { ...made, rules: put(made.rules) };
      noWider(policyOf(loadMade(made)), policyOf(loadMade(after)));
    }),
    RUNS,
  );
});

test("adding an ask allows nothing", () => {
  fc.assert(
    fc.property(organisation, narrowing, (made, added) => {
      const [before, after] = [loadMade(made), loadMade({ ...made, rules: [...made.rules, added] })];
      const [was, is] = [answers(policyOf(before)), answers(policyOf(after))];
      was.forEach((decision, i) => {
        if (rank(decision) > 0) expect(rank(is[i] as Decision), JSON.stringify(OBJECTS[i])).toBeGreaterThan(0);
      });
    }),
    RUNS,
  );
});

const effectOf = (rule: Written) =>
  (["allow", "ask", "deny"] as const).find((word) => rule[word] !== undefined) ?? "deny";
const bodyOf = (rule: Written) => rule[effectOf(rule)] as Written;
/** Its first allow turns these into lists of what is granted, so taking one away, or asking instead, is no narrowing. */
const isList = (rule: Written) => effectOf(rule) === "allow" && ("git.path" in bodyOf(rule) || "model" in bodyOf(rule));
const QUESTION = ["from", "quorum", "self", "expires", "grants", "binds", "delegate"];

/** One way to say less with one rule or grant, of those that are there; `null` where this way says the same. */
const NARROWED: Record<string, (made: Organisation, nth: number) => Organisation | null> = {
  "an allow becomes an ask": (made, nth) =>
    withRule(made, nth, (rule) =>
      effectOf(rule) !== "allow" || isList(rule) || "model" in bodyOf(rule)
        ? null
        : { ...without(rule, ["allow"]), ask: rule.allow, from: "group:leads" },
    ),
  "an ask becomes a deny": (made, nth) =>
    withRule(made, nth, (rule) =>
      effectOf(rule) === "ask" ? { ...without(rule, ["ask", ...QUESTION]), deny: rule.ask } : null,
    ),
  "an allow is taken away": (made, nth) => {
    const rule = made.rules[nth % made.rules.length];
    if (rule === undefined || effectOf(rule) !== "allow" || isList(rule)) return null;
    return { ...made, rules: made.rules.toSpliced(nth % made.rules.length, 1) };
  },
  "an allow spares something": (made, nth) =>
    withRule(made, nth, (rule) => {
      const spared = { "git.repo": "acme/a", command: "make*", tool: "shell", "secret.name": "cms" };
      const name = Object.keys(bodyOf(rule))[0] as keyof typeof spared;
      if (effectOf(rule) !== "allow" || spared[name] === undefined) return null;
      return { ...rule, except: [...((rule.except as string[] | undefined) ?? []), spared[name]] };
    }),
  "a deny spares nothing any more": (made, nth) =>
    withRule(made, nth, (rule) => (effectOf(rule) === "deny" ? without(rule, ["except", "in"]) : null)),
  "a question about what is allowed without it spares nothing any more": (made, nth) =>
    withRule(made, nth, (rule) => {
      const open = ["command", "tool", "git.size"].some((name) => name in bodyOf(rule));
      return effectOf(rule) === "ask" && open ? without(rule, ["except", "in"]) : null;
    }),
  "a grant is taken away": (made, nth) => ({
    ...made,
    egress: made.egress.toSpliced(nth % Math.max(made.egress.length, 1), 1),
  }),
  "a grant names one method, path and port": (made, nth) => ({
    ...made,
    egress: made.egress.map((entry, i) =>
      i !== nth % made.egress.length || entry.host === undefined
        ? entry
        : {
            ...entry,
            methods: first(entry.methods, "GET"),
            paths: first(entry.paths, "/v1/a"),
            ports: first(entry.ports, 443),
          },
    ),
  }),
  "nobody is asked about other hosts": (made) => ({ ...made, unlisted: null }),
};

const first = (list: unknown, otherwise: string | number) => [Array.isArray(list) ? list[0] : otherwise];
const without = (rule: Written, keys: readonly string[]): Written =>
  Object.fromEntries(Object.entries(rule).filter(([key]) => !keys.includes(key)));

function withRule(made: Organisation, nth: number, change: (rule: Written) => Written | null): Organisation | null {
  const at = nth % Math.max(made.rules.length, 1);
  const rule = made.rules[at];
  const changed = rule === undefined ? null : change(rule);
  return changed === null ? null : { ...made, rules: made.rules.with(at, changed) };
}

test.each(Object.entries(NARROWED))("narrowing never widens: %s", (_how, narrowed) => {
  let tried = 0;
  fc.assert(
    fc.property(organisation, fc.nat(), (made, nth) => {
      const after = narrowed(made, nth);
      fc.pre(after !== null);
      noWider(policyOf(loadMade(made)), policyOf(loadMade(after as Organisation)));
      tried += 1;
    }),
    { numRuns: 40, maxSkipsPerRun: 1_000 },
  );
  expect(tried).toBe(40);
});

test("what was made loads often enough, and is answered in every way", () => {
  const outcomes = { allow: 0, ask: 0, deny: 0 };
  let refused = 0;
  fc.assert(
    fc.property(organisation, (made) => {
      const result = loadMade(made);
      if (!result.ok) refused += 1;
      else for (const { outcome } of answers(result.policy)) outcomes[outcome] += 1;
    }),
    RUNS,
  );
  expect(refused).toBeLessThan(RUNS.numRuns / 2);
  for (const count of Object.values(outcomes)) expect(count).toBeGreaterThan(100);
});

import type { Mutation, Red } from "./mutation.ts";

const decides = (test: string): Red => ({ file: "test/policy/decide.test.ts", test });
const ceiling = (test: string): Red => ({ file: "test/policy/ceiling.test.ts", test });

/** What rules come to. */
export const POLICY: readonly Mutation[] = [
  {
    name: "an ask beats a deny",
    file: "src/policy/decide/decide.ts",
    find: 'if (denies.length > 0) return { outcome: "deny", reason: "rule", rules: refs(denies) };',
    replace:
      'if (denies.length > 0 && asks.length === 0) return { outcome: "deny", reason: "rule", rules: refs(denies) };',
    red: decides("a denied command beats an asked one"),
  },
  {
    name: "an allow beats a deny",
    file: "src/policy/decide/decide.ts",
    find: 'if (denies.length > 0) return { outcome: "deny", reason: "rule", rules: refs(denies) };',
    replace:
      'if (denies.length > 0 && allows.length === 0) return { outcome: "deny", reason: "rule", rules: refs(denies) };',
    red: decides("a deny beats an allow"),
  },
  {
    name: "a path rule that allows is read before one that denies",
    file: "src/policy/paths.ts",
    find: 'const EFFECTS = ["deny", "ask", "allow"] as const;',
    replace: 'const EFFECTS = ["allow", "ask", "deny"] as const;',
    red: decides("an ask beats an allow"),
  },
  {
    name: "a path rule that begins with a wildcard beats a stronger one that names a folder",
    file: "src/policy/paths.ts",
    find: "return a.nth < b.nth ? one : other;",
    replace: "return other;",
    red: decides("a deny beats an ask"),
  },
  {
    name: "a path rule that names a folder beats a stronger one that begins with a wildcard",
    file: "src/policy/paths.ts",
    find: "return a.nth < b.nth ? one : other;",
    replace: "return one;",
    red: decides("an ask for a file anywhere beats an allow of its folder"),
  },
  {
    name: "what no rule names is allowed",
    file: "src/policy/decide/decide.ts",
    find: 'const NO_RULE: Verdict = { outcome: "deny", reason: "no_rule", rules: [] };',
    replace: 'const NO_RULE: Verdict = { outcome: "allow", rules: [] };',
    red: decides("a repository nobody named is denied"),
  },
  {
    name: "the kindest of many answers is the answer",
    file: "src/policy/decide/combine.ts",
    find: "WEIGHT[one] > WEIGHT[worse] ? one : worse",
    replace: "WEIGHT[one] < WEIGHT[worse] ? one : worse",
    red: decides("the worst path is the answer"),
  },
  {
    name: "a rule may let a run merge",
    file: "src/policy/decide/actions.ts",
    find: "return NEVER.some((pattern) => matchesText(pattern, action));",
    replace: "return false;",
    red: decides("nothing merges"),
  },
  {
    name: "a team grants hosts above the organisation's ceiling",
    file: "src/policy/load/ceiling.ts",
    find: ".filter((rule) => !ceiling.egress.some((outer) => covers(outer, rule)))",
    replace: ".filter(() => false)",
    red: ceiling("no team reaches what the organisation's ceiling does not, however both are written"),
  },
  {
    name: "a team opens private addresses that the organisation does not",
    file: "src/policy/load/ceiling.ts",
    find: "inner.private.every((range) => outer.private.some((wide) => containsRange(wide, range)))",
    replace: "true",
    red: ceiling("a wider private range"),
  },
  {
    name: "a team grants repositories above the organisation's ceiling",
    file: "src/policy/load/ceiling.ts",
    find: "if (within(glob)) return [];",
    replace: "if (within(glob) || true) return [];",
    red: { file: "test/policy/properties.test.ts", test: "the ceiling holds for every policy that loads" },
  },
  {
    name: "a team's limits may exceed the organisation's",
    file: "src/policy/load/limits.ts",
    find: "if ((measure(mine) as number) <= (measure(most) as number)) return [];",
    replace: "if ((measure(mine) as number) >= 0) return [];",
    red: { file: "test/policy/semantics.test.ts", test: "a limit above the ceiling is an error" },
  },
  {
    name: "a command is no use of the shell",
    file: "src/policy/decide/command-actions.ts",
    find: "...actionsOf(command), SHELL];",
    replace: "...actionsOf(command)];",
    red: { file: "test/runs/tools.int.test.ts", test: "that policy denies does not run" },
  },
  {
    name: "what an agent fetches is no use of the browser",
    file: "src/runs/turn/permit.ts",
    find: '["fetch", "browser"],',
    replace: "",
    red: { file: "test/runs/tools.int.test.ts", test: "that policy denies does not run" },
  },
  {
    name: "a command that hides what it does hides a new package",
    file: "src/policy/decide/decide.ts",
    find: "(shell && ADVISED.every(open))",
    replace: "shell",
    red: { file: "test/policy/unreadable.test.ts", test: "is asked about wherever it could hide something" },
  },
  {
    name: "a rule about new packages is not one that a command could hide from",
    file: "src/policy/decide/decide.ts",
    find: "[...rules, ...acts].filter",
    replace: "rules.filter",
    red: { file: "test/policy/unreadable.test.ts", test: "is asked about wherever it could hide something" },
  },
  {
    name: "an exception of a rule is not spared",
    file: "src/policy/decide/decide.ts",
    find: "return rule.globs.some(same) && !rule.except.some(same);",
    replace: "return rule.globs.some(same);",
    red: { file: "test/policy/cedar.test.ts", test: "as Cedar answers them" },
  },
  {
    name: "of two policies the kinder holds",
    file: "src/policy/decide/decide.ts",
    find: "const decision = worst([current, pinned], { trace, digest: current.digest });",
    replace: "const decision = worst([current], { trace, digest: current.digest });",
    red: decides("a narrowing holds at once and a widening waits for the next run"),
  },
  {
    name: "an agent may install what it likes",
    file: "src/policy/decide/command-actions.ts",
    find: "return renews || fed || packages.some((spec) => !isLocal(spec));",
    replace: "return false;",
    red: {
      file: "test/policy/command-actions.test.ts",
      test: "a new package goes to policy: no rule is no, and a rule asks whom it names",
    },
  },
  {
    name: "a module proxy is written to",
    file: "src/policy/presets.ts",
    find: 'methods: ["GET"],',
    replace: 'methods: ["GET", "PUT"],',
    red: {
      file: "test/policy/presets.test.ts",
      test: "go-read asks the module proxy that the site configures what Go asks one",
    },
  },
];

import type { Mutation, Red } from "./mutation.ts";

const job = (test: string): Red => ({ file: "test/runs/main-job.int.test.ts", test });
const bounds = (test: string): Red => ({ file: "test/runs/bounds.int.test.ts", test });

/** Who may ask, what a run may do, and what is kept of it. */
export const RUNS: readonly Mutation[] = [
  {
    name: "a guest may ask",
    file: "src/runs/request/standing.ts",
    find: 'if (heard.account.kind !== "member") return { refused: { code: "guest" } };',
    replace: "",
    red: job("a guest is refused"),
  },
  {
    name: "a channel shared with another organisation may ask",
    file: "src/runs/request/standing.ts",
    find: 'if (heard.shared) return { refused: { code: "shared_channel" } };',
    replace: "",
    red: job("a channel shared with another organisation is refused"),
  },
  {
    name: "who is not in the team may ask",
    file: "src/runs/request/standing.ts",
    find: "return members.some((one) => sameAccount(one, account));",
    replace: "return members.length >= 0;",
    red: job("who is not in the team is refused, and a directory that does not answer refuses everyone"),
  },
  {
    name: "a bystander may stop a run",
    file: "src/runs/request/stop.ts",
    find: "if (!(await mayStop(core, run, o.account, person.id))) {",
    replace: "await mayStop(core, run, o.account, person.id);\n  if (false) {",
    red: job("stop ends a run that waits in the sandbox: its token is dead and its sandbox gone"),
  },
  {
    name: "a run forgets the policy it was started under",
    file: "src/runs/decision/allow.ts",
    find: "const decision = pinnedAndCurrent(decide(pinned, request), decide(current.policy, request));",
    replace: "const decision = pinnedAndCurrent(decide(current.policy, request), decide(current.policy, request));",
    red: bounds("a rule that is widened waits for the next run"),
  },
  {
    name: "a run does not hear that policy was narrowed",
    file: "src/runs/decision/allow.ts",
    find: "const decision = pinnedAndCurrent(decide(pinned, request), decide(current.policy, request));",
    replace: "const decision = pinnedAndCurrent(decide(pinned, request), decide(pinned, request));",
    red: bounds("a rule that is narrowed holds at once"),
  },
  {
    name: "a run keeps the time it was admitted with",
    file: "src/runs/decision/narrow.ts",
    find: "return new Date(run.deadlineAt.getTime() - less);",
    replace: "void less;\n  return run.deadlineAt;",
    red: {
      file: "test/runs/time.int.test.ts",
      test: "a narrower time holds at once, also for an agent that is at work",
    },
  },
  {
    name: "more time is given above the ceiling",
    file: "src/runs/money/time.ts",
    find: "Math.max(limit, Math.min(limit + moreMs, ceiling))",
    replace: "Math.max(limit, limit + moreMs, Math.min(limit, ceiling))",
    red: {
      file: "test/runs/more-time.int.test.ts",
      test: "together it is never more than the ceiling, and nobody is asked above it",
    },
  },
  {
    name: "a check that policy requires by now waits for the next run",
    file: "src/runs/result/check.ts",
    find: "scopeNow(core, run).checks.filter(",
    replace: "(run.scope ?? scopeNow(core, run)).checks.filter(",
    red: {
      file: "test/runs/time.int.test.ts",
      test: "a check that policy requires by now holds a run that was begun when it was not required",
    },
  },
  {
    name: "a result that policy lets be published leaves no decision",
    file: "src/runs/result/may-publish.ts",
    find: "const recorded = (tx: Tx) => unrecorded(core, tx, pushKey(run, headOid), told);",
    replace:
      "const recorded = async (tx: Tx) => (tx === null ? unrecorded(core, tx, pushKey(run, headOid), told) : []);",
    red: {
      file: "test/runs/decided.int.test.ts",
      test: "a result that policy lets be published is one decision, with its size and every path",
    },
  },
  {
    name: "a recipe that is taken away while its run stands in line is run",
    file: "src/runs/life/admit.ts",
    find: "if (await withoutRecipe(core, run, scope)) return;",
    replace: "void withoutRecipe;",
    red: {
      file: "test/runs/recipe.int.test.ts",
      test: "a recipe that is taken away while its run stands in line is not run",
    },
  },
  {
    name: "a new sandbox has the size that policy named when the run was asked for",
    file: "src/runs/sandbox/sandbox.ts",
    find: "limits: limitsOf(scopeNow(core, run)),",
    replace: "limits: limitsOf(run.scope ?? scopeNow(core, run)),",
    red: {
      file: "test/runs/sandbox-now.int.test.ts",
      test: "every new sandbox has the stricter of what policy named and names",
    },
  },
  {
    name: "a new sandbox is behind the wall that policy wanted when the run was asked for",
    file: "src/runs/sandbox/sandbox.ts",
    find: "if (unmet !== null) throw new SandboxUnfit(unmet);",
    replace: "if (unmet !== null && SandboxUnfit === null) throw unmet;",
    red: {
      file: "test/runs/sandbox-now.int.test.ts",
      test: "a stronger wall that policy wants while the agent is at work is wanted of the sandboxes that check its result",
    },
  },
  {
    name: "setup that policy took away is run",
    file: "src/runs/decision/narrow.ts",
    find: "current.setup.includes(one) || pinned.ownSetup?.includes(one)",
    replace: "current.setup.length >= 0 || pinned.ownSetup?.includes(one)",
    red: {
      file: "test/runs/sandbox-now.int.test.ts",
      test: "setup that policy takes away is not run in a new sandbox, what it adds is not either, and both are said once",
    },
  },
  {
    name: "where a result goes is decided when its run begins, and no more",
    file: "src/runs/result/may-publish.ts",
    find: "answered ? result : [...place, ...result]",
    replace: "answered ? result : result",
    red: { file: "test/runs/place.int.test.ts", test: "a branch that policy denies by now is not published" },
  },
  {
    name: "a yes to the start is one to what nobody asked then",
    file: "src/runs/approval/answers.ts",
    find: "if (same && boundToo(core, run, one, now) && (await counts(core, run, one))) return true;",
    replace: "if (same && boundToo !== null && (await counts(core, run, one))) return true;",
    red: {
      file: "test/runs/place.int.test.ts",
      test: "a question about the branch that is new since the run began is put before it is published",
    },
  },
  {
    name: "a policy that cannot be read lets the old one go on",
    file: "src/runs/decision/allow.ts",
    find: "if (!current.ok || !pinned) {",
    replace:
      "if (pinned && !current.ok) return decide(pinned, { team: run.team, objects });\n  if (!current.ok || !pinned) {",
    red: bounds("while policy cannot be read, what the agent asks for is refused"),
  },
  {
    name: "a command that policy denies is answered with yes",
    file: "src/runs/turn/permit.ts",
    find: 'if (decision.outcome === "deny") {\n    await agent.answer(asked.ask, "reject");',
    replace: 'if (decision.outcome === "deny") {\n    await agent.answer(asked.ask, "allow");',
    red: bounds("a rule that is narrowed holds at once"),
  },
  {
    name: "a path that was changed and changed back asks nobody",
    file: "src/runs/result/may-publish.ts",
    find: "...changes.files.map((file) => file.path), ...changes.asks.map((ask) => ask.path)",
    replace: "...changes.files.map((file) => file.path)",
    red: bounds("a path that was changed on the way and changed back still needs its yes"),
  },
  {
    name: "the sandbox of the checks may push",
    file: "src/runs/sandbox/sandbox.ts",
    find: 'branch: slot === "agent" ? run.branch : null,',
    replace: "branch: run.branch,",
    red: bounds("the sandbox of the checks has no model and may not push"),
  },
  {
    name: "the sandbox of the checks has the models",
    file: "src/runs/sandbox/sandbox.ts",
    find: 'models: slot === "agent" ? scope.models : [],',
    replace: "models: scope.models,",
    red: bounds("the sandbox of the checks has no model and may not push"),
  },
  {
    name: "a worker that another has replaced acts in the sandbox",
    file: "src/runs/sandbox/sandbox.ts",
    find: "if (now?.epoch !== run.epoch) throw",
    replace: "if (now === null) throw",
    red: {
      file: "test/runs/hostile.int.test.ts",
      test: "a worker that was stopped in the middle of the setup runs nothing more once another has the run",
    },
  },
  {
    name: "two clones go on at once",
    file: "src/runs/sandbox/prepare.ts",
    find: "exec 9>/tmp/countersign-clone.lock && flock 9 || exit 1",
    replace: ":",
    red: {
      file: "test/runs/git-inside.int.test.ts",
      test: "a clone waits for the one of a worker that is gone, which may still fail and clear the tree",
    },
  },
  {
    name: "a credential in the diff blocks nothing",
    file: "src/runs/scan.ts",
    find: "({ path, line, what: rule, blocks: true })",
    replace: "({ path, line, what: rule, blocks: false })",
    red: job("a credential in the diff never leaves"),
  },
  {
    name: "a check that the change breaks is called flaky",
    file: "src/runs/result/checks.ts",
    find: 'return again === 0 ? "flaky" : "broke";',
    replace: 'return again === null ? "broke" : "flaky";',
    red: job("a check that the change breaks goes back to the agent, and the third failure is a handoff"),
  },
  {
    name: "events are written as they come",
    file: "src/runs/record/record.ts",
    find: "bodies.map((body) => redacted(body, core.redact) as EventBody),",
    replace: "bodies,",
    red: job("what the agent prints is redacted before it is kept"),
  },
  {
    name: "a receipt that was changed verifies",
    file: "src/runs/receipt.ts",
    find: 'if (!verify(null, encoded(payloadType, bytes), publicKey, Buffer.from(mine.sig, "base64"))) {',
    replace: "if (false) {",
    red: { file: "test/adapters/keys.test.ts", test: "any changed byte of the payload breaks the signature" },
  },
  {
    name: "one run more than may be is at work",
    file: "src/runs/money/shares.ts",
    find: "if (busy >= most) return {",
    replace: "if (busy > most) return {",
    red: {
      file: "test/runs/shares.int.test.ts",
      test: "a run beyond it waits, says once why and where that is written, and starts by itself",
    },
  },
  {
    name: "what was promised to one run is promised to the next",
    file: "src/runs/money/shares.ts",
    find: "spent[kind] + month.held.most - month.spent - month.others",
    replace: "spent[kind] + month.held.most - month.spent",
    red: {
      file: "test/runs/shares.int.test.ts",
      test: "the gateway gets what is left of the month, and no more than is not promised to other runs",
    },
  },
  {
    name: "a yes to more budget outlives the rule that asked for it",
    file: "src/runs/money/allot.ts",
    find: 'if (decision.outcome !== "ask") return { all: NOTHING, more: decision };',
    replace: 'if (decision.outcome !== "ask") return { all: yes.map(moreOf)[0] ?? NOTHING, more: decision };',
    red: { file: "test/runs/budget.int.test.ts", test: "a yes ends when policy no longer has it asked about" },
  },
];

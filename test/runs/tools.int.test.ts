import { afterEach, beforeEach, expect, test } from "vitest";
import type { ScriptedStep } from "#adapters/agent/scripted.ts";
import { factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

const DATA = "teams/data.yaml";
const URL = "https://reports.example.com/weekly/1.csv";

let house: Awaited<ReturnType<typeof memoryHouse>>;
let prompts: string[];
let steps: readonly ScriptedStep[];

beforeEach(async () => {
  prompts = [];
  house = await memoryHouse({
    play: (prompt) => {
      prompts.push(prompt);
      return prompt.includes("was refused") ? [{ say: "Then without it." }] : [...steps, { say: "Done." }];
    },
  });
});
afterEach(async () => {
  await house.close();
});

const ask = () => house.say(ANA, "look at the weekly report", { channel: "C0DATA" });

/** Of what the agent asked about: what was decided, and by which rules. */
const decisions = async (run: Run) =>
  (await factsOf(house.core, run.id)).decisions
    .filter(({ about }) => about === "command")
    .map(({ subject, outcome, rules }) => [subject, outcome, rules.map(({ text }) => text)]);

const SHELL: readonly ScriptedStep[] = [{ run: "npm test", ask: true }];
const BROWSER: readonly ScriptedStep[] = [{ fetch: URL, ask: true }];

test("under the sample policies a shell and a browser ask nobody", async () => {
  steps = [...SHELL, ...BROWSER];
  await ask();
  const run = await house.until("answered");
  expect(await decisions(run)).toEqual([
    ["npm test", "allow", ["allow command *", "allow tool *"]],
    [`Fetch ${URL}`, "allow", ["allow tool *"]],
  ]);
  expect(await house.core.stores.approvals.ofRun(run.id)).toEqual([]);
});

test.each([
  ["shell", SHELL, "npm test", "tools: { shell: deny }\nlimits:", "deny tool shell"],
  ["browser", BROWSER, `Fetch ${URL}`, "tools: { browser: deny }\nlimits:", "deny tool browser"],
] as const)(
  "a %s that policy denies does not run, and the rule is named to the agent and to people",
  async (_tool, asked, what, line, rule) => {
    steps = asked;
    house.policy.edit(DATA, "limits:", line);
    await ask();
    const run = await house.until("answered");
    expect(await decisions(run)).toEqual([[what, "deny", [rule]]]);
    const { commands } = await factsOf(house.core, run.id);
    expect(commands).toMatchObject([{ title: what, status: "failed" }]);
    expect(prompts.at(-1)).toMatch(
      new RegExp(`refused and did not run: ${what}\nRefused by policy \\(teams/data\\.yaml:\\d+:\\d+\\)`),
    );
    const why = await house.say(ANA, "why", { in: run });
    const reasons = why?.kind === "why" ? why.reasons : [];
    expect(reasons).toContainEqual(
      expect.objectContaining({
        outcome: "deny",
        subject: what,
        rules: [expect.objectContaining({ ref: expect.objectContaining({ text: rule }) })],
      }),
    );
  },
);

test("a denied shell is denied whatever the organisation's defaults and the rules on commands allow", async () => {
  steps = SHELL;
  house.policy.edit("org.yaml", "defaults:", "defaults:\n  tools: { shell: allow }");
  house.policy.edit(DATA, "rules:\n", 'rules:\n  - allow: { command: "*" }\n  - deny: { tool: "sh*" }\n');
  await ask();
  expect(await decisions(await house.until("answered"))).toEqual([["npm test", "deny", ["deny tool sh*"]]]);
});

test.each([
  ["shell", SHELL, "npm test"],
  ["browser", BROWSER, `Fetch ${URL}`],
] as const)("a %s that policy asks about waits for a yes on a card that names the rule", async (tool, asked, what) => {
  steps = asked;
  const why = `the ${tool} is new here`;
  house.policy.edit(DATA, "rules:\n", `rules:\n  - ask: { tool: ${tool} }\n    from: group:leads\n    why: ${why}\n`);
  await ask();
  const run = await house.until("working");
  const question = await house.question(run);
  expect(question).toMatchObject({
    gate: "command",
    subject: { command: what },
    asks: [{ from: "group:leads", rule: { text: `ask tool ${tool} from group:leads`, why } }],
  });
  await house.answer(BO, question.id);
  const done = await house.until("answered");
  expect((await factsOf(house.core, done.id)).commands).toMatchObject([{ title: what, status: "ok" }]);
});

test("can I run … says what a denied shell means for a command", async () => {
  house.policy.edit(DATA, "limits:", "tools: { shell: deny }\nlimits:");
  expect(await house.say(ANA, "can I run npm test", { channel: "C0DATA" })).toMatchObject({
    explanation: { decision: { outcome: "deny", rules: [{ text: "deny tool shell" }] } },
  });
});

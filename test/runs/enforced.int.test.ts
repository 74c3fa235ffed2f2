import { afterEach, expect, test } from "vitest";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { ANA, BO, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
const open = async (script: Script = {}) => {
  house = await memoryHouse(script);
  return house;
};
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const files = (count: number, lines: number) => ({
  files: Array.from({ length: count }, (_, i) => ({
    path: `docs/${i}.md`,
    status: "modified" as const,
    additions: lines,
    deletions: 0,
  })),
});

test("a change above the size that policy lets go is not published", async () => {
  await open({ changes: files(3, 10) });
  house.policy.edit(DATA, "rules:\n", 'rules:\n  - deny: { git.size: "> 2 files" }\n');
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("handed_off");
  const { handoff } = await factsOf(house.core, run.id);
  expect(handoff).toMatchObject({ fault: "policy", failed: expect.stringContaining("deny git.size > 2 files") });
  expect(await house.repoHost.findPullRequest(run.repo, run.branch)).toBeNull();
});

test("a change above the size that policy asks about waits for the person who is named, on the exact commit", async () => {
  await open({ changes: files(1, 501) });
  house.policy.edit(DATA, "rules:\n", 'rules:\n  - { ask: { git.size: "> 500 lines" }, from: group:leads }\n');
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("suspended");
  const question = await house.question(run);
  expect(question).toMatchObject({ gate: "publish", asks: [{ from: "group:leads" }] });
  await house.answer(BO, question.id);
  await house.until("in_review");
});

test("a change of exactly the size asks nobody", async () => {
  await open({ changes: files(1, 500) });
  house.policy.edit(DATA, "rules:\n", 'rules:\n  - { ask: { git.size: "> 500 lines" }, from: group:leads }\n');
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  await house.until("in_review");
});

test("a check about other files does not run", async () => {
  const ran: string[] = [];
  await open({
    changes: files(1, 1),
    checks: (_on, _times, command) => {
      ran.push(command);
      return 0;
    },
  });
  const check = (name: string, paths: string) => `  - { name: ${name}, command: sh ${name}.sh, paths: ${paths} }\n`;
  house.policy.edit(DATA, "checks:\n", `checks:\n${check("docs", "docs/**")}${check("code", '"src/**"')}`);
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("in_review");
  const judged = (await eventsOf(house.core, run.id)).flatMap(({ body }) =>
    body.kind === "check.judged" ? [body.name] : [],
  );
  expect(judged).toContain("docs");
  expect(judged).not.toContain("code");
  expect(ran.some((command) => command.includes("sh code.sh"))).toBe(false);
});

test("a team that wants a stronger wall than there is gets no run, and is told which", async () => {
  await open();
  house.policy.edit(DATA, "limits:", "sandbox: { isolation: microvm }\nlimits:");
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("denied");
  const why = (await eventsOf(house.core, run.id)).flatMap(({ body }) => (body.kind === "run.moved" ? [body.why] : []));
  expect(why).toContain("policy wants microvm isolation, and memory gives none");
});

test("a sandbox that is not to be had is a decision of the record, with the line that wants it", async () => {
  await open();
  house.policy.edit(DATA, "limits:", "sandbox: { isolation: microvm }\nlimits:");
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("denied");
  const { current } = house.policy;
  expect((await factsOf(house.core, run.id)).decisions).toMatchObject([
    {
      ...{ about: "sandbox", subject: "sandbox.isolation", outcome: "deny", reason: "no_sandbox" },
      rules: [
        { at: expect.stringMatching(/^teams\/data\.yaml:\d+:12$/), text: "sandbox.isolation microvm", why: null },
      ],
      digest: current.ok && current.policy.digest,
    },
  ]);
});

test("a sandbox has the memory and the processors that policy says", async () => {
  await open();
  const made: unknown[] = [];
  const { create } = house.sandboxes;
  house.sandboxes.create = async (spec, signal) => {
    made.push(spec.limits);
    return create(spec, signal);
  };
  house.policy.edit(DATA, "limits:", "sandbox: { memory: 2GiB, cpu: 2 }\nlimits:");
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  await house.until("in_review");
  expect(made.length).toBeGreaterThan(1);
  for (const limits of made) expect(limits).toEqual({ memoryMiB: 2_048, pids: 512, cpus: 2 });
});

test("a team whose disk is limited gets no run where nothing can hold a sandbox to it, and is told so", async () => {
  await open();
  house.policy.edit(DATA, "limits:", "sandbox: { disk: 10GB }\nlimits:");
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("denied");
  const why = (await eventsOf(house.core, run.id)).flatMap(({ body }) => (body.kind === "run.moved" ? [body.why] : []));
  expect(why).toContain("policy limits the sandbox's disk, and memory cannot hold it to that");
});

const ASKS_TO_INSTALL: Script = {
  play: (prompt) =>
    prompt.includes("was refused")
      ? [{ say: "Then without it." }]
      : [{ run: "npm install left-pad", ask: true }, { write: "README.md", content: "done\n" }, { say: "Done." }],
};

test("an agent that asks to install a new package is refused where no rule allows one, and told why", async () => {
  await open(ASKS_TO_INSTALL);
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("in_review");
  const { decisions, turns } = await factsOf(house.core, run.id);
  expect(decisions).toContainEqual(expect.objectContaining({ about: "command", outcome: "deny", reason: "no_rule" }));
  expect(turns.map(({ text }) => text)).toContainEqual(expect.stringContaining("npm install left-pad"));
});

test("an agent whose command says only when it runs what it does waits for people too", async () => {
  const command = "P=npm; $P install left-pad";
  await open({ play: () => [{ run: command, ask: true }, { say: "Done." }] });
  house.policy.edit(
    "teams/shop.yaml",
    "  - ask: { action: run.start }\n    from: group:leads\n    why: the shop is in production\n",
    "",
  );
  await house.say(ANA, "mend the cart", { channel: "C0SHOP" });
  const question = await house.question(await house.until("working"));
  expect(question).toMatchObject({
    gate: "command",
    subject: { command },
    asks: [{ rule: { text: "ask action package.install from group:leads" } }],
  });
  await house.answer(BO, question.id);
  await house.until("answered");
});

test("an agent that asks to install a new package waits for the people whom a rule names", async () => {
  await open(ASKS_TO_INSTALL);
  house.policy.edit(DATA, "rules:\n", "rules:\n  - { ask: { action: package.install }, from: group:leads }\n");
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("working");
  const question = await house.question(run);
  expect(question).toMatchObject({ gate: "command", subject: { command: "npm install left-pad" } });
  await house.answer(BO, question.id);
  await house.until("in_review");
});

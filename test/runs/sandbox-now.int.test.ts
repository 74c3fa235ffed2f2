import { afterEach, expect, test } from "vitest";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BASE, BO, memoryHouse, type Script } from "./memory-house.ts";

/** What policy wants of a sandbox, and of the commands that set it up, holds for each that a run is given from then on. */

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const data = { channel: "C0DATA" };
const also = (rule: string) => house.policy.edit(DATA, "rules:\n", `rules:\n  - ${rule}\n`);
const wants = (sandbox: string) => house.policy.edit(DATA, "limits:", `sandbox: { ${sandbox} }\nlimits:`);
const WALL = "isolation: microvm";

/** The limits of every sandbox that is made, in order. */
async function open(script: Script = {}) {
  house = await memoryHouse(script);
  const made: unknown[] = [];
  const { create } = house.sandboxes;
  house.sandboxes.create = async (spec, signal) => {
    made.push(spec.limits);
    return create(spec, signal);
  };
  return made;
}

/** The line of policy that no sandbox meets is the newest decision. */
async function saysWhy(run: Run): Promise<void> {
  expect((await factsOf(house.core, run.id)).decisions.at(-1)).toMatchObject({
    ...{ about: "sandbox", subject: "sandbox.isolation", outcome: "deny", reason: "no_sandbox" },
    rules: [{ at: expect.stringMatching(/^teams\/data\.yaml:\d+:12$/), text: "sandbox.isolation microvm" }],
  });
}

async function handedOff(): Promise<Run> {
  const run = await house.until("handed_off");
  await saysWhy(run);
  expect((await factsOf(house.core, run.id)).handoff).toMatchObject({
    fault: "policy",
    failed: expect.stringMatching(
      /^It needs another sandbox, and policy wants microvm isolation, and memory gives none \(sandbox\.isolation microvm at teams\/data\.yaml:\d+:12\)\.$/,
    ),
  });
  return run;
}

test("a stronger wall that policy wants while people are asked about the start is wanted of the run that they allow", async () => {
  const made = await open();
  also("{ ask: { action: run.start }, from: group:leads }");
  await house.say(ANA, "change the docs", data);
  const question = await house.question(await house.until("waiting"));
  wants(WALL);
  await house.answer(BO, question.id);
  const run = await house.until("denied");
  expect((await factsOf(house.core, run.id)).moves.at(-1)?.why).toBe(
    "policy wants microvm isolation, and memory gives none",
  );
  await saysWhy(run);
  expect(made).toEqual([]);
});

test("a stronger wall that policy wants while people are asked about a secret ends the run that comes back", async () => {
  const made = await open();
  const REPORTS = "  - { host: reports.example.com, methods: [GET] }\n";
  house.policy.edit(DATA, REPORTS, `${REPORTS}  - { host: cms.example.com, methods: [GET], secret: cms-read }\n`);
  also("{ ask: { secret.name: cms-read }, from: group:leads }");
  await house.say(ANA, "change the docs", data);
  const question = await house.question(await house.until("suspended"));
  wants(WALL);
  await house.answer(BO, question.id);
  const { moves } = await factsOf(house.core, (await handedOff()).id);
  expect(moves.map(({ to }) => to)).toEqual(["queued", "preparing", "suspended", "queued", "handed_off"]);
  expect(made).toEqual([]);
});

test("a stronger wall that policy wants while the agent is at work is wanted of the sandboxes that check its result", async () => {
  const made = await open({
    play: () => {
      wants(WALL);
      return [{ write: "README.md", content: "made with care\n" }, { say: "Done." }];
    },
  });
  await house.say(ANA, "change the docs", data);
  await handedOff();
  expect(made).toHaveLength(1);
  await expect.poll(() => house.gateway.grants.size).toBe(0);
  await expect.poll(() => house.sandboxes.list({})).toEqual([]);
});

test.each([
  ["a smaller size", "memory: 1GiB, cpu: 4", { memoryMiB: 1_024, pids: 512, cpus: 2 }],
  [
    "one size that is smaller beside one that is larger",
    "memory: 4GiB, cpu: 1",
    { memoryMiB: 2_048, pids: 512, cpus: 1 },
  ],
  ["a larger size", "memory: 4GiB", { memoryMiB: 2_048, pids: 512, cpus: 2 }],
])("%s: every new sandbox has the stricter of what policy named and names", async (_what, sizes, then) => {
  const made = await open({
    play: () => {
      house.policy.edit(DATA, "memory: 2GiB, cpu: 2", sizes);
      return [{ write: "README.md", content: "made with care\n" }, { say: "Done." }];
    },
  });
  wants("memory: 2GiB, cpu: 2");
  await house.say(ANA, "change the docs", data);
  await house.until("in_review");
  const [first, ...rest] = made;
  expect(first).toEqual({ memoryMiB: 2_048, pids: 512, cpus: 2 });
  expect(rest.length).toBeGreaterThan(0);
  for (const limits of rest) expect(limits).toEqual(then);
});

test("a sandbox that was made larger than policy lets it be by now, and never recorded, is replaced", async () => {
  house = await memoryHouse();
  wants("memory: 2GiB");
  const { create } = house.sandboxes;
  const made: unknown[] = [];
  house.sandboxes.create = async (spec, signal) => {
    const sandbox = await create(spec, signal);
    made.push([spec.key, spec.limits.memoryMiB]);
    if (made.length > 1) return sandbox;
    house.policy.edit(DATA, "memory: 2GiB", "memory: 1GiB");
    throw new Error("we died");
  };
  await house.say(ANA, "change the docs", data);
  const run = await house.until("in_review");
  expect(made.slice(0, 2)).toEqual([
    [`sbx:${run.id}:agent:1`, 2_048],
    [`sbx:${run.id}:agent:2`, 1_024],
  ]);
  const lost = (await eventsOf(house.core, run.id)).filter(({ body }) => body.kind === "sandbox.lost");
  expect(lost).toHaveLength(1);
});

const LINT = "checks:\n";
const SETUP = "setup:\n  - { command: make deps }\n  - { command: make old }\n";

/** Runs with setup of policy and of the repository, and `meanwhile` while the agent is at work; the commands in order. */
async function setUpWith(meanwhile: () => void, script: Script = {}): Promise<string[]> {
  const ran: string[] = [];
  house = await memoryHouse({
    play: () => {
      meanwhile();
      return [{ write: "README.md", content: "made with care\n" }, { say: "Done." }];
    },
    ...script,
    checks: async (on, times, command) => {
      ran.push(`${on}: ${command}`);
      return (await script.checks?.(on, times, command)) ?? 0;
    },
  });
  house.policy.edit(DATA, LINT, `${SETUP}${LINT}`);
  house.gateway.holdFile("acme/reports", BASE, ".countersign.yaml", "version: 1\nsetup: [make own]\n");
  await house.say(ANA, "change the docs", data);
  return ran;
}

test("setup that policy takes away is not run in a new sandbox, what it adds is not either, and both are said once", async () => {
  const ran = await setUpWith(() => {
    house.policy.edit(DATA, "  - { command: make old }\n", "  - { command: make new }\n");
  });
  const run = await house.until("in_review");
  const of = (command: string) => ran.filter((line) => line.includes(command)).length;
  expect(["make deps", "make old", "make own", "make new"].map(of)).toEqual([3, 1, 3, 0]);
  const { notices } = await factsOf(house.core, run.id);
  expect(notices.map(({ text }) => text)).toEqual([
    "The setup command `make old` is not run any more: policy no longer names it.",
    "The setup command `make new` is not run: policy names it since this run was asked for.",
  ]);
});

test("a check that is red for want of setup that policy took away was not run, and nothing is published by it", async () => {
  const ran = await setUpWith(() => house.policy.edit(DATA, "  - { command: make old }\n", ""), {
    checks: (_on, _times, command) => (command.includes("lint.sh") ? 1 : 0),
  });
  const run = await house.until("handed_off");
  expect(ran.filter((line) => line.includes("lint.sh"))).toHaveLength(2);
  const { handoff, checks } = await factsOf(house.core, run.id);
  expect(checks.map(({ verdict }) => verdict)).toEqual(["not_run"]);
  expect(handoff).toMatchObject({ fault: "environment", tried: 'to run "query lint"' });
});

import { afterEach, expect, test } from "vitest";
import { handlers } from "#runs/life/tick.ts";
import { eventsOf, factsOf } from "#runs/record/look.ts";
import { askAgain } from "#runs/request/ask-again.ts";
import type { Run } from "#runs/run.ts";
import { ingest } from "#runs/sandbox/audit.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
const open = async (script: Script = {}) => {
  house = await memoryHouse(script);
  return house;
};
afterEach(async () => {
  await house.close();
});

const code = (view: View | null): string | null => (view?.kind === "refused" ? view.refusal.code : null);

async function approved(text = "append a line to README.md"): Promise<Run> {
  await house.say(ANA, text);
  const run = await house.until("waiting");
  await house.answer(BO, (await house.question(run)).id);
  return run;
}

const PACKAGE: Script = {
  changes: { files: [{ path: "package.json", status: "modified", additions: 1, deletions: 0 }] },
};

test("a yes that was asked for under milder rules does not publish under stricter ones", async () => {
  const { repoHost } = await open(PACKAGE);
  await approved("add a package");
  const run = await house.until("suspended");
  const asked = await house.question(run);
  house.policy.edit(
    "teams/shop.yaml",
    "    from: group:leads\n    why: a new package",
    "    from: group:leads\n    quorum: 2\n    why: a new package",
  );
  await house.answer(BO, asked.id);
  const again = await house.question(run);
  expect(again.asks[0]?.quorum).toBe(2);
  expect(again.digest).toBe(asked.digest);
  expect(repoHost.pushes).toEqual([]);
});

test("a start that policy denies by now does not begin, whoever said yes to it", async () => {
  await open();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  house.policy.edit(
    "teams/shop.yaml",
    "  - ask: { action: run.start }\n    from: group:leads\n    why: the shop",
    "  - deny: { action: run.start }\n    why: the shop",
  );
  await house.answer(BO, (await house.question(run)).id);
  await house.until("denied");
  expect(await house.sandboxes.list({})).toEqual([]);
});

test("a repository that was taken from the team meanwhile is not published to", async () => {
  const { repoHost } = await open({
    checks: () => {
      if (house.policy.current.ok && house.policy.current.policy.commit !== "edited")
        house.policy.edit("teams/shop.yaml", "  - allow: { git.repo: acme/shop }", "  - deny: { git.repo: acme/shop }");
      return 0;
    },
  });
  await approved();
  await house.until("handed_off");
  expect(repoHost.pushes).toEqual([]);
});

test("a known secret in the request is in no commit and on no pull request", async () => {
  const { repoHost } = await open();
  await approved("use sup3r-secret-value as the key");
  await house.until("in_review");
  expect(JSON.stringify([repoHost.textOf("acme/shop", 1), house.world.commits])).not.toContain("sup3r-secret-value");
});

test("checks that were interrupted begin again in a sandbox where the change has never run", async () => {
  let interrupted = false;
  const { core } = await open({
    checks: async (on) => {
      if (on === "head" && !interrupted) {
        interrupted = true;
        const [run] = await core.stores.runs.recent(core.orgId, 1);
        await core.stores.runs.take(run?.id ?? "");
      }
      return 0;
    },
  });
  const { id } = await approved();
  await house.until("checking");
  while (!interrupted || !house.logged.some((line) => line.startsWith("fenced")))
    await new Promise((r) => setImmediate(r));
  await core.store.tx((tx) => core.engine.wake(tx, id, "agent"));
  await house.until("in_review");
  const order = (await eventsOf(core, id)).flatMap(({ body }) =>
    body.kind === "sandbox.ready" && body.slot === "check" ? ["sandbox"] : body.kind === "check.ran" ? [body.on] : [],
  );
  expect(order).toEqual(["sandbox", "base", "sandbox", "sandbox", "base", "sandbox", "head"]);
});

test("a worker that was stopped in the middle of the setup runs nothing more once another has the run", async () => {
  const ran: string[] = [];
  const { core } = await open({
    checks: async (_on, _times, command) => {
      ran.push(command);
      if (command === "one" && ran.length === 1) {
        const [run] = await core.stores.runs.recent(core.orgId, 1);
        await core.stores.runs.take(run?.id ?? "");
      }
      return 0;
    },
  });
  const setup = "setup:\n  - { in: acme/shop, command: one }\n  - { in: acme/shop, command: two }\n";
  house.policy.edit("teams/shop.yaml", "checks:", `${setup}checks:`);
  const { id } = await approved();
  while (!house.logged.some((line) => line.startsWith("fenced"))) await new Promise((r) => setImmediate(r));
  expect(ran).toEqual(["one"]);
  await core.store.tx((tx) => core.engine.wake(tx, id, "agent"));
  await house.until("in_review");
  expect(ran.slice(0, 3)).toEqual(["one", "one", "two"]);
});

test("words that come while the checks run are worked on before anything is published", async () => {
  let said: Promise<View | null> | null = null;
  const { core, repoHost } = await open({
    checks: async (on) => {
      if (on === "head" && said === null) {
        const [run] = await core.stores.runs.recent(core.orgId, 1);
        if (run) said = house.say(ANA, "and mention the date", { in: run });
        await said;
      }
      return 0;
    },
  });
  const { id } = await approved();
  await house.until("in_review");
  expect(await said).toMatchObject({ kind: "noted", what: "queued" });
  const turns = await core.stores.turns.all(id);
  expect(turns.map((turn) => [turn.cause, turn.state])).toEqual([
    ["request", "ended"],
    ["follow_up", "ended"],
  ]);
  expect(repoHost.pushes).toHaveLength(1);
});

test("words that come when the result is being published begin a run of their own", async () => {
  const { core } = await open(PACKAGE);
  await approved("add a package");
  const run = await house.until("suspended");
  expect(await house.say(ANA, "and mention the date", { in: run })).toBeNull();
  expect(await core.stores.runs.recent(core.orgId, 10)).toHaveLength(2);
});

const ASKED: Script = {
  play: (prompt) =>
    prompt.includes("<note>")
      ? [{ say: "I leave it." }]
      : [{ run: "rm -rf build", ask: true }, { write: "scripts/x.sh", content: "x" }, { say: "Done." }],
  changes: { files: [{ path: "sql/x.sql", status: "added", additions: 1, deletions: 0 }] },
};

test("a yes on the next morning still finds the run its time to work", async () => {
  const { core } = await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const asked = await house.question(run);
  await house.pass(31 * 60_000, run);
  await house.until("suspended");
  house.world.offset += 12 * 3_600_000;
  await askAgain(core, { approvalId: asked.id, account: ANA, place: run.place });
  await house.answer(BO, (await house.question(run)).id);
  await house.until("in_review");
});

test("a merge whose word was lost is found by looking", async () => {
  const { core, repoHost } = await open();
  const { id } = await approved();
  const run = await house.until("in_review");
  expect(run.wakeAt).not.toBeNull();
  house.world.deaf = true;
  await repoHost.act("acme/shop", 1, "merged", "Bo");
  expect((await core.stores.runs.get(id))?.state).toBe("in_review");
  await house.pass(11 * 60_000, run);
  await house.until("merged");
  expect((await core.stores.runs.get(id))?.wakeAt).toBeNull();
});

test("a forge that is away for long does not end a run whose pull request is open", async () => {
  const { core } = await open();
  const { id } = await approved();
  await house.until("in_review");
  await handlers(core).dead(id, "tick", "the forge does not answer");
  expect(await core.stores.runs.get(id)).toMatchObject({ state: "in_review" });
  expect((await core.stores.runs.get(id))?.wakeAt?.getTime()).toBeGreaterThan(Date.now());
});

test("a run that ends takes its open questions with it", async () => {
  const { core } = await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const asked = await house.question(run);
  await handlers(core).dead(run.id, "agent", "boom");
  await house.until("handed_off");
  expect((await core.stores.approvals.get(asked.id))?.status).toBe("void");
  expect(code(await house.answer(BO, asked.id))).toBe("already_decided");
});

test("a handoff names no branch that the forge does not have", async () => {
  await open(PACKAGE);
  await approved("add a package");
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id, "deny", { reason: "we have one already" });
  await house.until("handed_off");
  expect((await factsOf(house.core, run.id)).handoff?.branch).toBeNull();
});

test("a check that cannot run on the unchanged code either is the environment's fault, not the agent's", async () => {
  const { core } = await open({
    checks: (_on, _times, command) => (command === "npm ci" && house.world.pushed !== null ? 1 : 0),
  });
  house.policy.edit("teams/shop.yaml", "checks:", "setup:\n  - { in: acme/shop, command: npm ci }\nchecks:");
  await approved();
  const run = await house.until("handed_off");
  const all = await factsOf(core, run.id);
  expect(all.turns.map((turn) => turn.cause)).toEqual(["request"]);
  expect(all.handoff?.fault).toBe("environment");
});

test("a check that is red and never ran on the unchanged code is not published as red already", async () => {
  const { core, repoHost } = await open({
    checks: (on, _times, command) => {
      if (command === "npm ci") return on === "base" && house.world.pushed !== null ? 1 : 0;
      return 1;
    },
  });
  house.policy.edit("teams/shop.yaml", "checks:", "setup:\n  - { in: acme/shop, command: npm ci }\nchecks:");
  await approved();
  const run = await house.until("handed_off");
  const all = await factsOf(core, run.id);
  expect(all.checks[0]?.verdict).toBe("not_run");
  expect(all.handoff).toMatchObject({ fault: "environment", failed: expect.stringContaining("nobody can say") });
  expect(repoHost.pushes).toEqual([]);
});

test("a channel that was given to another team does not give it the runs of the first", async () => {
  const { core } = await open();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  house.policy.edit("org.yaml", "C0SHOP: shop", "C0SHOP: data");
  expect(await house.say(BO, "and drop the totals", { in: run })).toBeNull();
  expect(await core.stores.turns.all(run.id)).toHaveLength(1);
});

test("a file's name is shown on the pull request as it is, and cannot leave its place", async () => {
  const { repoHost } = await open({
    changes: { files: [{ path: "test/my_file`x` @all.js", status: "added", additions: 1, deletions: 0 }] },
  });
  await approved();
  await house.until("in_review");
  expect(repoHost.textOf("acme/shop", 1)?.body).toContain("- changed test: `test/my_file'x' @all.js`");
});

test("a run beyond the team's places waits, says so once, and begins when a place is free", async () => {
  const { core } = await open(ASKED);
  house.policy.edit("teams/data.yaml", "runtime: 1h,", "runtime: 1h, concurrent_runs: 1,");
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const first = await house.until("working");
  const asked = await house.question(first);
  await house.say(ANA, "clean up again", { channel: "C0DATA" });
  const second = await house.until("queued");
  await house.pass(6_000, second);
  await house.pass(6_000, second);
  expect((await core.stores.runs.get(second.id))?.state).toBe("queued");
  expect((await factsOf(core, second.id)).notices).toHaveLength(1);
  await house.answer(BO, asked.id, "deny");
  while ((await core.stores.runs.get(first.id))?.state !== "in_review") await new Promise((r) => setImmediate(r));
  await house.pass(6_000, second);
  await house.until("working");
});

test("a request that meets an unreadable policy waits and says so once", async () => {
  const { core } = await open();
  const broken = { ok: false, problem: "org.yaml:3:1 unknown key" } as const;
  const good = house.policy.current;
  // Nobody carries it on but this test.
  await core.engine.drain(0);
  await house.say(ANA, "append a line to README.md");
  house.policy.current = broken;
  const run = await house.until("requested");
  await house.pass(0, run);
  await house.pass(61_000, run);
  expect(await house.until("requested")).toMatchObject({ id: run.id });
  expect((await factsOf(core, run.id)).notices).toHaveLength(1);
  house.policy.current = good;
  await house.pass(61_000, run);
  await house.until("waiting");
});

test("words that come before the yes are part of what is asked, and of what the reviewer reads", async () => {
  const { core, repoHost } = await open();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const first = await house.question(run);
  await house.say(CY, "and drop the old total", { in: run });
  expect(code(await house.answer(BO, first.id))).toBe("already_decided");
  const second = await house.question(run);
  expect(second.subject).toMatchObject({ text: "append a line to README.md", added: ["Cy: and drop the old total"] });
  expect(second.digest).not.toBe(first.digest);
  await house.pass(31 * 60_000, run);
  await house.say(ANA, "and the date", { in: run });
  await askAgain(core, { approvalId: second.id, account: ANA, place: run.place });
  const third = await house.question(run);
  expect(third.subject.added).toEqual(["Cy: and drop the old total", "Ana: and the date"]);
  await house.answer(BO, third.id);
  await house.until("in_review");
  expect(repoHost.textOf("acme/shop", 1)?.body).toContain("Cy added:\n\n> and drop the old total");
});

test("an agent that tries a dozen hosts does not fill the thread with cards", async () => {
  const { core, gateway } = await open(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  const refused = {
    kind: "egress",
    via: "connect",
    port: 443,
    method: null,
    outcome: "deny",
    reason: "no_rule",
  } as const;
  for (let n = 1; n <= 12; n += 1) {
    gateway.happen({
      ...refused,
      id: `${n}`,
      at: "",
      run: run.id,
      sandbox: null,
      host: `h${n}.example.com`,
      rule: null,
    });
  }
  // Beside the one of the house: as with two workers, now the one and now the other is first.
  const leaving = new AbortController();
  const reading = ingest(core, leaving.signal);
  while ((await core.stores.cursors.get("gateway:audit")) < 12) await new Promise((r) => setImmediate(r));
  leaving.abort();
  await reading;
  const keys = [...(await house.show()).keys()].filter((key) => key.includes(":blocked:"));
  expect(keys).toHaveLength(5);
  expect((await factsOf(core, run.id)).hosts).toHaveLength(12);
});

import { afterEach, expect, test } from "vitest";
import { decidePath } from "#policy/paths.ts";
import type { Grant } from "#ports/gateway.ts";
import { sweep } from "#runs/life/sweep.ts";
import { factsOf } from "#runs/record/look.ts";
import { stop } from "#runs/request/stop.ts";
import { regrant } from "#runs/sandbox/regrant.ts";
import { ANA, memoryHouse, type Script } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const DATA = "teams/data.yaml";
const REPORTS = "  - { host: reports.example.com, methods: [GET] }\n";
const ASKED: Script = { play: () => [{ run: "rm -rf build", ask: true }, { say: "Done." }] };

/** A run whose agent waits in its sandbox for a person, and that no worker looks after. */
async function waiting() {
  house = await memoryHouse(ASKED);
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const run = await house.until("working");
  await house.question(run);
  await sweep(house.core);
  return run;
}

const inForce = (): Grant | undefined => [...house.gateway.grants.values()][0];
const hosts = () => inForce()?.egress.map(({ host }) => host);

test("a host that policy takes away is gone from a live sandbox at the next sweep, also while a person is asked", async () => {
  await waiting();
  expect(hosts()).toEqual(["reports.example.com"]);
  house.policy.edit(DATA, `egress:\n${REPORTS}`, "egress: []\n");
  await sweep(house.core);
  expect(hosts()).toEqual([]);
  expect(inForce()).toMatchObject({ models: ["*"], git: { branch: expect.any(String) } });
});

test("a host that policy adds, and more money, wait for the next run", async () => {
  await waiting();
  house.policy.edit(DATA, REPORTS, `${REPORTS}  - { host: www.example.com, methods: [GET] }\n`);
  house.policy.edit(DATA, "cost_usd: 4", "cost_usd: 8");
  await sweep(house.core);
  expect(hosts()).toEqual(["reports.example.com"]);
  expect(inForce()?.budget.usd).toBe(4);
});

test("a path that policy denies by now is denied to the next push", async () => {
  await waiting();
  house.policy.edit(DATA, '"docs/**", README.md', "README.md");
  await sweep(house.core);
  const effect = (file: string) => decidePath(inForce()?.git?.paths ?? [], file).effect;
  expect(["docs/a.md", "sql/a.sql", "scripts/a.sh"].map(effect)).toEqual(["deny", "allow", "ask"]);
});

test("while the policy is as it was, a sweep grants nothing anew", async () => {
  await waiting();
  const { grant } = house.gateway;
  let grants = 0;
  house.gateway.grant = async (one) => {
    grants += 1;
    await grant(one);
  };
  await sweep(house.core);
  expect(grants).toBe(0);
  await regrant(house.core);
  expect(grants).toBe(1);
});

test("a policy that could not be handed to the gateway is handed to it at the next sweep", async () => {
  await waiting();
  house.policy.edit(DATA, `egress:\n${REPORTS}`, "egress: []\n");
  house.gateway.die();
  await expect(sweep(house.core)).rejects.toThrow(/does not answer/);
  house.gateway.revive();
  await sweep(house.core);
  expect(hosts()).toEqual([]);
});

test("a sandbox that is let go while it is granted anew does not get its token back", async () => {
  const { id, place } = await waiting();
  const { grant } = house.gateway;
  house.gateway.grant = async (one) => {
    house.gateway.grant = grant;
    await stop(house.core, { runId: id, account: ANA, place });
    await house.until("cancelled");
    await grant({ ...one, epoch: one.epoch + 1 });
  };
  await regrant(house.core);
  expect(house.gateway.grants.size).toBe(0);
});

test("a grant that comes while a sandbox is being destroyed ends with it", async () => {
  const { id, place } = await waiting();
  const { destroy } = house.sandboxes;
  house.sandboxes.destroy = async (box) => {
    await regrant(house.core);
    await destroy(box);
  };
  await stop(house.core, { runId: id, account: ANA, place });
  await house.until("cancelled");
  expect(house.gateway.grants.size).toBe(0);
});

test("a run whose repository was taken from the team ends with the rule that says so, not as a model's failure", async () => {
  house = await memoryHouse({
    play: () => {
      house.policy.edit(DATA, "- allow: { git.repo: acme/reports }", "- deny: { git.repo: acme/reports }");
      return [{ fail: "403 no_rule" }];
    },
  });
  await house.say(ANA, "look around", { channel: "C0DATA" });
  const run = await house.until("handed_off");
  const { handoff } = await factsOf(house.core, run.id);
  expect(handoff).toMatchObject({ fault: "policy", failed: expect.stringContaining("deny git.repo acme/reports") });
});

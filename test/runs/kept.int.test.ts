import { afterEach, expect, test } from "vitest";
import { KEPT_MS } from "#runs/kept.ts";
import { sweep } from "#runs/life/sweep.ts";
import { stop } from "#runs/request/stop.ts";
import { unpublished } from "#runs/result/unpublished.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const PATCH = "--- a/package.json\n+++ b/package.json\n";

/** A run whose change was checked, and which an approver did not let out. */
async function handedOff(): Promise<Run> {
  house = await memoryHouse({
    changes: { patch: PATCH, files: [{ path: "package.json", status: "modified", additions: 1, deletions: 0 }] },
  });
  await house.say(ANA, "add a package");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id, "deny");
  return house.until("handed_off");
}

const at = (run: Run) => run.wakeAt?.getTime() ?? 0;

/** The sweep of a time when the run's is over. */
async function sweptLater(run: Run): Promise<void> {
  const { core } = house;
  await core.store.tx((tx) => core.stores.runs.patch(tx, run, { wakeAt: new Date(Date.now() - 1_000) }));
  await sweep(core);
  while ((await core.stores.runs.get(run.id))?.wakeAt !== null) await new Promise((r) => setImmediate(r));
}

test("the change of a run that was handed off can be taken for two weeks, and is then forgotten", async () => {
  const run = await handedOff();
  expect(await unpublished(house.core, run.id)).toEqual({ patch: PATCH });
  expect(at(run)).toBeGreaterThan(Date.now() + KEPT_MS - 60_000);
  await sweptLater(run);
  expect(await unpublished(house.core, run.id)).toEqual({ patch: null, why: "gone" });
  expect(await house.core.stores.runs.get(run.id)).toMatchObject({ state: "handed_off", headOid: run.headOid });
});

test("what a run that was stopped keeps is forgotten in the end too", async () => {
  house = await memoryHouse({ play: () => [{ run: "rm -rf build", ask: true }] });
  await house.say(ANA, "clean up", { channel: "C0DATA" });
  const { id, place } = await house.until("working");
  await stop(house.core, { runId: id, account: ANA, place });
  const run = await house.until("cancelled");
  expect(at(run)).toBeGreaterThan(Date.now() + KEPT_MS - 60_000);
  await sweptLater(run);
  await expect(house.gateway.closePush(id)).rejects.toThrow(/no repository/);
});

test("a gateway that is away when the time comes is asked again", async () => {
  const run = await handedOff();
  const { core, gateway } = house;
  await core.store.tx((tx) => core.stores.runs.patch(tx, run, { wakeAt: new Date(Date.now() - 1_000) }));
  gateway.die();
  await sweep(core);
  while (!house.logged.some((line) => line.startsWith("retries used up"))) await new Promise((r) => setImmediate(r));
  gateway.revive();
  await sweptLater(run);
  expect(await unpublished(core, run.id)).toEqual({ patch: null, why: "gone" });
});

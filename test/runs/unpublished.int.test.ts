import { afterEach, expect, test } from "vitest";
import { unpublished } from "#runs/result/unpublished.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

/** A run whose change was checked, and which an approver did not let out. */
async function handedOff(patch: string): Promise<Run> {
  house = await memoryHouse({
    changes: { patch, files: [{ path: "package.json", status: "modified", additions: 1, deletions: 0 }] },
  });
  await house.say(ANA, "add a package");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("suspended");
  await house.answer(BO, (await house.question(run)).id, "deny");
  return house.until("handed_off");
}

test("a change that is kept no longer, and one whose keeper is away, are said in words of their own", async () => {
  const run = await handedOff("--- a/x\n+++ b/x\n");
  expect(await unpublished(house.core, run.id)).toEqual({ patch: "--- a/x\n+++ b/x\n" });
  house.gateway.die();
  expect(await unpublished(house.core, run.id)).toEqual({ patch: null, why: "away" });
  house.gateway.revive();
  await house.gateway.forget(run.id);
  expect(await unpublished(house.core, run.id)).toEqual({ patch: null, why: "gone" });
  expect(await unpublished(house.core, "01890000-0000-7000-8000-000000000000")).toEqual({ patch: null, why: "none" });
});

test("a change that is too large to apply by hand is not cut", async () => {
  const run = await handedOff("x".repeat(6_000_000));
  expect(await unpublished(house.core, run.id)).toEqual({ patch: null, why: "too_large" });
});

import { afterEach, expect, test } from "vitest";
import { askAgain } from "#runs/request/ask-again.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

/** The next time we look up who may answer, somebody speaks in the thread first. Returns what they were told. */
function whileApproversAreLookedUp(speak: () => Promise<View | null>): () => View | null {
  const { directory } = house;
  const members = directory.members;
  let told: View | null = null;
  directory.members = async (group, workspace) => {
    if ("slack_usergroup" in group && group.slack_usergroup === "S0LEADS") {
      directory.members = members;
      told = await speak();
    }
    return members(group, workspace);
  };
  return () => told;
}

test("words that come while the first question is being made are part of it", async () => {
  house = await memoryHouse();
  const told = whileApproversAreLookedUp(async () => {
    const [run] = await house.core.stores.runs.recent(house.core.orgId, 1);
    return run ? house.say(ANA, "and drop the old total", { in: run }) : null;
  });
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  expect(told()).toMatchObject({ kind: "noted", what: "queued" });
  expect((await house.question(run)).subject.added).toEqual(["Ana: and drop the old total"]);
});

test("words that come while a question is asked again are part of it", async () => {
  house = await memoryHouse();
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const first = await house.question(run);
  await house.pass(31 * 60_000, run);
  const told = whileApproversAreLookedUp(() => house.say(ANA, "and drop the old total", { in: run }));
  await askAgain(house.core, { approvalId: first.id, account: BO, place: run.place });
  expect(told()).toMatchObject({ kind: "noted", what: "queued" });
  const second = await house.question(run);
  expect(second.subject.added).toEqual(["Ana: and drop the old total"]);
  expect(second.digest).not.toBe(first.digest);
});

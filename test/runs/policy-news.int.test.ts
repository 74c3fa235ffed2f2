import { afterEach, beforeEach, expect, test } from "vitest";
import type { Policy } from "#policy/policy.ts";
import { policyBroken, policyMended, policyRestored } from "#runs/decision/policy-news.ts";
import { memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse();
  house.policy.edit(
    "org.yaml",
    "owners: { from: group:security, quorum: 1 }",
    "owners: { from: group:security, quorum: 1, channel: C0SEC }",
  );
});
afterEach(async () => {
  await house.close();
});

const inForce = (): Policy => {
  const current = house.core.policy();
  if (!current.ok) throw new Error(current.problem);
  return current.policy;
};
const problems = [{ at: "org.yaml:3:1", message: "the key sup3r-secret-value is not read" }];
const broken = (tree = "files-a") => policyBroken(house.core, "T0LOCAL", { tree, problems, kept: inForce() });
const mended = (alarm: string | null) => policyMended(house.core, "T0LOCAL", alarm ?? "", inForce());
/** What stands in the owners' channel, by kind. */
const said = async () =>
  [...(await house.show()).entries()].filter(([key]) => key.startsWith("policy:")).map(([, view]) => view.kind);

test("owners are told once of a state that does not load, however many processes see it", async () => {
  const alarms = await Promise.all([broken(), broken()]);
  expect(await broken()).toBe(alarms[0]);
  expect(new Set(alarms).size).toBe(1);
  expect(await said()).toEqual(["policy_broken"]);
  const row = await house.core.stores.outbox.get(alarms[0] ?? "");
  expect(row?.place).toEqual({ provider: "slack", workspace: "T0LOCAL", channel: "C0SEC", thread: "" });
  const [view] = (await house.show()).values();
  expect(view).toMatchObject({
    kind: "policy_broken",
    problems: [{ at: "org.yaml:3:1", message: "the key [secret model] is not read" }],
    kept: { digest: inForce().digest },
  });
});

test("another broken state is another alarm", async () => {
  await broken("files-a");
  await broken("files-b");
  expect(await said()).toEqual(["policy_broken", "policy_broken"]);
});

test("the end of it is told once, and the same mistake made anew is told again", async () => {
  const first = await broken();
  expect(await said()).toEqual(["policy_broken"]);
  await Promise.all([mended(first), mended(first)]);
  expect(await said()).toEqual(["policy_broken", "policy_mended"]);
  const again = await broken();
  expect(again).not.toBe(first);
  expect(await said()).toEqual(["policy_broken", "policy_mended", "policy_broken"]);
});

test("without a channel nothing is posted anywhere", async () => {
  house.policy.edit("org.yaml", ", channel: C0SEC", "");
  expect(await broken()).toBeNull();
  await mended("policy:none:1");
  expect(await said()).toEqual([]);
});

test("after a restart the end of every alarm that is still open is told, once", async () => {
  const first = await broken("files-a");
  expect(await said()).toEqual(["policy_broken"]);
  await mended(first);
  expect(await said()).toEqual(["policy_broken", "policy_mended"]);
  await broken("files-b");
  expect(await said()).toEqual(["policy_broken", "policy_mended", "policy_broken"]);
  for (let start = 0; start < 2; start += 1) await policyRestored(house.core, "T0LOCAL", inForce());
  expect(await said()).toEqual(["policy_broken", "policy_mended", "policy_broken", "policy_mended"]);
});

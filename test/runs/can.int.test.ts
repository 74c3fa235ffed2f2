import { afterEach, beforeEach, expect, test } from "vitest";
import { ANA, DEE, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse();
});
afterEach(async () => {
  await house.close();
});

test("can I … is answered by the engine that decides, and starts nothing", async () => {
  const view = await house.say(ANA, "can I change scripts/load.sh?", { channel: "C0DATA" });
  expect(view).toMatchObject({
    kind: "can",
    team: "data",
    explanation: { decision: { outcome: "ask", asks: [{ from: "group:leads" }] } },
  });
  expect(await house.core.stores.runs.recent(house.core.orgId, 1)).toEqual([]);
});

test("a change is answered with the question about starting a run too", async () => {
  const view = await house.say(ANA, "can I change README.md", { channel: "C0SHOP" });
  expect(view).toMatchObject({
    explanation: { decision: { outcome: "ask", rules: [{ text: expect.stringContaining("run.start") }] } },
  });
});

test("a question that is none of the known forms says which ones are", async () => {
  expect(await house.say(ANA, "may we have a pony", { channel: "C0DATA" })).toMatchObject({
    kind: "can",
    explanation: null,
  });
});

test("policy says what the team of the channel may do", async () => {
  const view = await house.say(ANA, "policy", { channel: "C0DATA" });
  if (view?.kind !== "policy") throw new Error(`it is a ${view?.kind}`);
  expect(view.team).toBe("data");
  expect(view.says.map(({ text }) => text)).toContain("data may work on acme/reports");
  expect(view.says.some(({ text }) => text.startsWith("shop "))).toBe(false);
});

test("who may not ask here is not told either", async () => {
  expect(await house.say(DEE, "can I change README.md", { channel: "C0DATA" })).toMatchObject({ kind: "refused" });
});

test("a policy that cannot be read answers no such question", async () => {
  house.policy.current = { ok: false, problem: "org.yaml:1:1 is missing" };
  expect(await house.say(ANA, "policy", { channel: "C0DATA" })).toMatchObject({
    kind: "refused",
    refusal: { code: "policy_unavailable" },
  });
});

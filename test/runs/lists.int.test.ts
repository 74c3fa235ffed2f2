import { afterEach, beforeEach, expect, test } from "vitest";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse();
});
afterEach(async () => {
  await house.close();
});

const DATA = { channel: "C0DATA" };
function listed(view: View | null): readonly [string, ...(readonly string[])] {
  if (view?.kind !== "list") throw new Error(`it is a ${view?.kind}`);
  return [view.whose, ...view.runs.map(({ team, text }) => `${team}: ${text}`)];
}

test("mine is what this person asked for, in every team, the newest first; said by a person of no runs it is empty", async () => {
  await house.say(ANA, "append one");
  await house.say(BO, "append two");
  await house.say(ANA, "append three", DATA);
  for (const where of [{}, DATA]) {
    expect(listed(await house.say(ANA, "mine", where))).toEqual(["Ana", "data: append three", "shop: append one"]);
  }
  expect(listed(await house.say(BO, "mine"))).toEqual(["Bo", "shop: append two"]);
  expect(listed(await house.say(CY, "mine"))).toEqual(["Cy"]);
});

test("status outside of a run's thread is what the channel's team has, whoever asked for it, and no other team's", async () => {
  await house.say(ANA, "append one");
  await house.say(ANA, "append two", DATA);
  await house.say(BO, "append three");
  expect(listed(await house.say(CY, "status"))).toEqual(["shop", "shop: append three", "shop: append one"]);
  expect(listed(await house.say(CY, "status", DATA))).toEqual(["data", "data: append two"]);
  expect(listed(await house.say(CY, "status", { channel: "C0SITE" }))).toEqual(["marketing"]);
  // In a run's own thread it is that run alone.
  const [newest] = await house.core.stores.runs.recent(house.core.orgId, 1);
  if (!newest) throw new Error("there is no run");
  expect(listed(await house.say(CY, "status", { in: newest }))).toEqual(["shop", "shop: append three"]);
});

test("a list says the state of each, where it is, and no more than the ten newest", async () => {
  for (let i = 1; i <= 11; i += 1) await house.say(ANA, `append ${i}`);
  for (const words of ["mine", "status"]) {
    const view = await house.say(ANA, words);
    const [, ...runs] = listed(view);
    expect(runs).toEqual(Array.from({ length: 10 }, (_, i) => `shop: append ${11 - i}`));
  }
  const run = await house.until("waiting");
  expect(await house.say(ANA, "mine")).toMatchObject({
    runs: [
      { number: run.number, state: "waiting", repo: "acme/shop", url: `http://127.0.0.1:3000/runs/${run.id}` },
      ...Array(9).fill({}),
    ],
  });
});

test("who may not ask in a channel is told nothing of its team's runs", async () => {
  await house.say(ANA, "append one");
  for (const words of ["mine", "status"]) {
    expect(await house.say(DEE, words)).toMatchObject({ kind: "refused", refusal: { code: "guest" } });
  }
  house.directory.group({ slack_usergroup: "S0SHOP" }, ["U0BO"]);
  expect(await house.say(CY, "status")).toMatchObject({ kind: "refused", refusal: { code: "not_a_member" } });
});

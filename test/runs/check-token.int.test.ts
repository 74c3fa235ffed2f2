import { afterEach, expect, test } from "vitest";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const MINUTE = 60_000;

test("checks that begin late have their way out for as long as their sandbox lives", async () => {
  let [token, box] = [0, 0];
  house = await memoryHouse({
    play: () => {
      house.world.offset += 59 * MINUTE;
      return [{ write: "README.md", content: "x" }];
    },
    checks: async () => {
      const grant = [...house.gateway.grants.values()].find(({ sandbox }) => sandbox.includes(":check:"));
      const [info] = await house.sandboxes.list({ slot: "check" });
      [token, box] = [Date.parse(grant?.expiresAt ?? ""), info?.expiresAt.getTime() ?? 0];
      return 0;
    },
  });
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  await house.until("in_review");
  expect(box).toBeGreaterThan(0);
  expect(Math.abs(token - box)).toBeLessThan(MINUTE);
});

test("the token of the checks' sandbox ends with the checks, while the run goes on", async () => {
  const held: string[][] = [];
  house = await memoryHouse({
    play: () => {
      held.push([...house.gateway.grants.keys()]);
      return [{ write: "README.md", content: "x" }];
    },
    checks: (on) => (on === "head" && held.length === 1 ? 1 : 0),
  });
  await house.say(ANA, "append a line");
  await house.answer(BO, (await house.question(await house.until("waiting"))).id);
  const run = await house.until("in_review");
  expect(held).toEqual([[`sbx:${run.id}:agent:1`], [`sbx:${run.id}:agent:1`]]);
});

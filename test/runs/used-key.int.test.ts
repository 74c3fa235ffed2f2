import { afterEach, expect, test } from "vitest";
import { SandboxError } from "#ports/sandbox.ts";
import { eventsOf } from "#runs/record/look.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

test("a sandbox that was made, never recorded and has ended gives its key up, and the run goes on in another", async () => {
  house = await memoryHouse();
  const { create } = house.sandboxes;
  const keys: string[] = [];
  house.sandboxes.create = async (spec, signal) => {
    keys.push(spec.key);
    if (keys.length === 1) {
      const made = await create(spec, signal);
      throw new SandboxError("gone", `the supervisor of sandbox ${made.id} has ended`);
    }
    return create(spec, signal);
  };
  await house.say(ANA, "change the docs", { channel: "C0DATA" });
  const run = await house.until("in_review");
  expect(keys[1]).not.toBe(keys[0]);
  const bodies = (await eventsOf(house.core, run.id)).map(({ body }) => body);
  expect(bodies.filter(({ kind }) => kind === "sandbox.lost")).toMatchObject([{ sandbox: keys[0] }]);
  expect((await house.sandboxes.list({ run: run.id })).map(({ key }) => key)).not.toContain(keys[0]);
});

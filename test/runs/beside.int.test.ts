import { expect, test } from "vitest";
import { factsOf } from "#runs/record/look.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

const besideOf = async (house: Awaited<ReturnType<typeof memoryHouse>>, id: string) =>
  (await factsOf(house.core, id)).beside;

test("what is asked in the thread of an open pull request is a run of its own, and its status says beside which", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  const waiting = await house.until("waiting");
  await house.answer(BO, (await house.question(waiting)).id);
  const first = await house.until("in_review");
  expect(await besideOf(house, first.id)).toBeNull();

  expect(await house.say(ANA, "also mend the basket", { in: first })).toBeNull();
  const second = await house.until("waiting");
  expect(second.number).toBe(first.number + 1);
  expect(await besideOf(house, second.id)).toMatchObject({ number: first.number, repo: "acme/shop", pull: 1 });
  const approval = await house.question(second);
  expect(approval.gate).toBe("start");
  const shown = await house.show();
  const status = shown.get(`slack:${second.id}:status`);
  expect(status?.kind === "status" ? status.facts.beside : null).toMatchObject({ number: first.number });
  await house.close();
});

test("whoever asks for a new run, or asks where the last one is over, is not told about the other", async () => {
  const house = await memoryHouse();
  await house.say(ANA, "mend the cart");
  const waiting = await house.until("waiting");
  expect(await house.say(ANA, "new mend the basket", { in: waiting })).toBeNull();
  const asked = (await house.core.stores.runs.recent(house.core.orgId, 1))[0];
  expect(asked?.number).toBe(waiting.number + 1);
  expect(await besideOf(house, asked?.id ?? "")).toBeNull();

  const second = await house.until("waiting");
  await house.answer(BO, (await house.question(second)).id, "deny", { reason: "not now" });
  const denied = await house.until("denied");
  expect(await house.say(ANA, "mend the sink", { in: denied })).toBeNull();
  const third = await house.until("waiting");
  expect(third.number).toBe(denied.number + 1);
  expect(await besideOf(house, third.id)).toBeNull();
  await house.close();
});

import { afterEach, expect, test } from "vitest";
import { askAgain } from "#runs/request/ask-again.ts";
import { stop, stopNumbered } from "#runs/request/stop.ts";
import { vote } from "#runs/request/vote.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

/** The same id, and by its groups an approver too, in another workspace that has installed the app. */
const BO_ELSEWHERE = { ...BO, workspace: "T0BETA" };
const ANA_ELSEWHERE = { ...ANA, workspace: "T0BETA" };

test("an account of another workspace decides, stops and asks again nothing here, whatever its id and its groups are", async () => {
  house = await memoryHouse();
  const { core } = house;
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const { id: approvalId, digest } = await house.question(run);
  const place = { ...run.place, workspace: "T0BETA" };
  for (const account of [BO_ELSEWHERE, ANA_ELSEWHERE]) {
    const cast = { approvalId, digest, account, choice: "approve", reason: null, place } as const;
    expect(await vote(core, cast)).toMatchObject({ kind: "refused" });
    expect(await stop(core, { runId: run.id, account, place })).toMatchObject({
      refusal: { code: "not_yours_to_stop" },
    });
    expect(await stopNumbered(core, { number: run.number, account, place })).toMatchObject({
      refusal: { code: "no_such_run", number: run.number },
    });
    expect(await askAgain(core, { approvalId, account, place })).toMatchObject({
      refusal: { code: "not_yours_to_ask_again" },
    });
  }
  expect(await core.stores.runs.get(run.id)).toMatchObject({ state: "waiting", cancelRequestedBy: null });
  await house.answer(BO, approvalId);
  await house.until("in_review");
});

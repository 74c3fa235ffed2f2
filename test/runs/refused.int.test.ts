import { afterEach, expect, test } from "vitest";
import { askAgain } from "#runs/request/ask-again.ts";
import { stop, stopNumbered } from "#runs/request/stop.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

/** Why it was refused, and the page that the refusal leads to. */
const led = (view: View | null) => (view?.kind === "refused" ? [view.refusal.code, view.run?.url] : [view?.kind]);

test("every no about a run leads to the run's page", async () => {
  house = await memoryHouse();
  const { core } = house;
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const first = await house.question(run);
  const page = `${core.baseUrl}/runs/${run.id}`;
  const again = (account: typeof ANA) => askAgain(core, { approvalId: first.id, account, place: run.place });
  const ended = (account: typeof ANA) => stop(core, { runId: run.id, account, place: run.place });

  expect(led(await house.answer(ANA, first.id))).toEqual(["own_run", page]);
  expect(led(await house.answer(CY, first.id))).toEqual(["not_an_approver", page]);
  expect(led(await house.answer(DEE, first.id))).toEqual(["guest", page]);
  expect(led(await house.answer(BO, first.id, "approve", { digest: "sha256:0" }))).toEqual(["stale", page]);
  expect(led(await ended(CY))).toEqual(["not_yours_to_stop", page]);
  expect(led(await stopNumbered(core, { number: run.number, account: CY, place: run.place }))).toEqual([
    "not_yours_to_stop",
    page,
  ]);
  expect(led(await house.say(BO, "delegate to @U0CY", { in: run }))).toEqual(["not_delegable", page]);
  expect(led(await house.say(BO, "delegate to nobody", { in: run }))).toEqual(["no_such_delegate", page]);
  expect(led(await again(BO))).toEqual(["already_decided", page]);

  await house.pass(31 * 60_000, run);
  expect(led(await house.answer(BO, first.id))).toEqual(["expired", page]);
  expect(led(await again(CY))).toEqual(["not_yours_to_ask_again", page]);
  expect(led(await again(DEE))).toEqual(["guest", page]);
  expect(led(await house.say(BO, "delegate to @U0CY", { in: run }))).toEqual(["nothing_asked", page]);

  house.directory.fail("away");
  expect(led(await ended(CY))).toEqual(["directory_unavailable", page]);
  house.directory.fail(null);

  expect(led(await ended(ANA))).toEqual(["noted"]);
  await house.until("cancelled");
  expect(led(await ended(ANA))).toEqual(["run_over", page]);
  expect(led(await again(ANA))).toEqual(["run_over", page]);
});

test("a no about no run leads nowhere", async () => {
  house = await memoryHouse();
  const { core } = house;
  const place = { provider: "slack", workspace: "T0LOCAL", channel: "C0SHOP", thread: "1.0" };
  expect(led(await askAgain(core, { approvalId: "none", account: ANA, place }))).toEqual([
    "unknown_approval",
    undefined,
  ]);
  expect(led(await house.say(ANA, "stop"))).toEqual(["no_run_here", undefined]);
});

import { afterEach, expect, test } from "vitest";
import { control } from "#runs/control.ts";
import { workspaceLeft } from "#runs/left.ts";
import { eventsOf } from "#runs/look.ts";
import { ANA, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

test("when a workspace removes the app its runs end with the reason in their record, once, and nobody else's do", async () => {
  house = await memoryHouse();
  const { core } = house;
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  expect(await workspaceLeft(core, "T0OTHER")).toBe(0);
  expect(await workspaceLeft(core, "T0LOCAL")).toBe(1);
  expect(await workspaceLeft(core, "T0LOCAL")).toBe(0);
  await control(core, run.id);
  expect(await core.stores.runs.get(run.id)).toMatchObject({ state: "cancelled" });
  const said = (await eventsOf(core, run.id)).map(({ body }) => body);
  const notices = said.flatMap((body) => (body.kind === "notice" ? [body.text] : []));
  expect(notices).toEqual([expect.stringMatching(/^The workspace T0LOCAL removed the app\./)]);
  expect(said.findLast((body) => body.kind === "run.moved")).toMatchObject({
    to: "cancelled",
    by: null,
    why: "the workspace T0LOCAL removed the app",
  });
  // Nobody can answer what was asked.
  expect(await core.stores.approvals.ofRun(run.id)).toMatchObject([{ status: "void" }]);
});

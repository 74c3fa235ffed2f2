import { afterEach, beforeEach, expect, test } from "vitest";
import { home, teamPolicy } from "#runs/request/home.ts";
import { barred } from "#runs/request/standing.ts";
import { stopNumbered } from "#runs/request/stop.ts";
import { ANA, BO, CY, DEE, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse();
});
afterEach(async () => {
  await house.close();
});

/** Ana's request in #shop, which a lead has to allow; its card is shown. */
async function asked() {
  await house.say(ANA, "append a line to README.md");
  const run = await house.until("waiting");
  const question = await house.question(run);
  await house.show();
  return { run, question };
}

test("a question waits for whoever may answer it, with the place of its card, and for nobody else", async () => {
  const { run, question } = await asked();
  const lead = await home(house.core, BO);
  expect(lead.waiting).toMatchObject([
    {
      run: { number: run.number, team: "shop" },
      asker: "Ana",
      gate: "start",
      card: {
        channel: run.place.channel,
        thread: run.place.thread,
        messageId: `slack:${run.id}:approval:${question.id}`,
      },
    },
  ]);
  expect(lead.unread).toBe(false);
  for (const other of [ANA, CY, DEE]) expect((await home(house.core, other)).waiting, other.name).toEqual([]);
});

test("what was answered, or is of a run that is over, waits no more", async () => {
  const { run, question } = await asked();
  await house.answer(BO, question.id);
  expect((await home(house.core, BO)).waiting).toEqual([]);
  await house.until("in_review");
  expect((await home(house.core, ANA)).runs).toMatchObject([{ number: run.number, state: "in_review", over: false }]);
});

test("whoever left the group of a question finds it no more", async () => {
  await asked();
  house.directory.group({ slack_usergroup: "S0LEADS" }, []);
  expect((await home(house.core, BO)).waiting).toEqual([]);
});

test("while groups cannot be read, the Home says that there may be more", async () => {
  await asked();
  house.directory.fail("Slack is away");
  expect(await home(house.core, BO)).toMatchObject({ waiting: [], unread: true, teams: [] });
});

test("a person's own runs and teams are theirs alone", async () => {
  const { run } = await asked();
  const mine = await home(house.core, ANA);
  expect(mine.runs).toMatchObject([{ id: run.id, text: "append a line to README.md", over: false }]);
  expect(mine.teams).toContain("shop");
  expect((await home(house.core, CY)).runs).toEqual([]);
  expect((await home(house.core, DEE)).teams).toEqual([]);
});

test("what a team may do is said to its members, and to no guest", async () => {
  expect(await teamPolicy(house.core, { account: CY, team: "shop" })).toMatchObject({ kind: "policy", team: "shop" });
  house.directory.group({ slack_usergroup: "S0SHOP" }, ["U0ANA"]);
  expect(await teamPolicy(house.core, { account: CY, team: "shop" })).toMatchObject({
    refusal: { code: "not_a_member" },
  });
  expect(await teamPolicy(house.core, { account: DEE, team: "shop" })).toMatchObject({ refusal: { code: "guest" } });
  expect(await teamPolicy(house.core, { account: CY, team: "toString" })).toMatchObject({
    refusal: { code: "not_a_member" },
  });
});

test("a run is stopped by its number, by those who may stop it", async () => {
  const { run } = await asked();
  const stop = (account: typeof ANA, number: number) => stopNumbered(house.core, { number, account, place: run.place });
  expect(await stop(CY, run.number)).toMatchObject({ refusal: { code: "not_yours_to_stop" } });
  expect(await stop(ANA, run.number + 1)).toMatchObject({ refusal: { code: "no_such_run", number: run.number + 1 } });
  expect(await stop(ANA, run.number)).toMatchObject({ kind: "noted", what: "stopping" });
  await house.until("cancelled");
});

test("whoever may not ask somewhere is told before anything is begun there", async () => {
  const at = (account: typeof ANA, channel: string) =>
    barred(house.core, {
      account,
      place: { provider: "slack", workspace: "T0LOCAL", channel, thread: "" },
      first: true,
      requestKey: `command ${account.id} ${channel}`,
      text: "mend the cart",
      shared: false,
      direct: false,
    });
  expect(await at(ANA, "C0SHOP")).toBeNull();
  expect(await at(DEE, "C0SHOP")).toMatchObject({ refusal: { code: "guest" } });
  expect(await at(ANA, "C0NOWHERE")).toMatchObject({ refusal: { code: "no_mapping" } });
  expect(await house.core.stores.notes.keys("turned-away:", 10)).toEqual([
    expect.stringContaining(":slack:T0LOCAL:U0DEE:"),
    expect.stringContaining(":slack:T0LOCAL:U0ANA:"),
  ]);
  expect(await house.core.stores.runs.recent(house.core.orgId, 1)).toEqual([]);
});

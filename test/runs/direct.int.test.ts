import { afterEach, beforeEach, expect, test } from "vitest";
import type { Account } from "#ports/directory.ts";
import { choose } from "#runs/request/choose.ts";
import type { View } from "#runs/view.ts";
import { ANA, BO, CY, DEE, memoryHouse, person } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse();
});
afterEach(async () => {
  await house.close();
});

const inDm = { channel: "D0ANA" };
const only = (ids: readonly string[]) => {
  for (const group of ["S0SITE", "S0SHOP", "S0DATA"]) house.directory.group({ slack_usergroup: group }, []);
  house.directory.group({ slack_usergroup: "S0DATA" }, ids);
};
const leave = (group: string) => house.directory.group({ slack_usergroup: group }, ["U0BO"]);

function menuOf(view: View | null): Extract<View, { kind: "choose_team" }> {
  if (view?.kind !== "choose_team") throw new Error(`it is a ${view?.kind}`);
  return view;
}
const pick = (account: Account, key: string, team: string) => choose(house.core, { key, team, account });

test("in a direct message the team is the person's only one", async () => {
  only(["U0ANA"]);
  expect(await house.say(ANA, "mend the query", inDm)).toBeNull();
  const run = await house.until("in_review");
  expect(run.team).toBe("data");
  expect(run.because).toMatch(/^data is your only team \(teams\/data\.yaml:\d+:\d+\); /);
});

test("in several teams a person chooses one, and the request is that team's", async () => {
  const menu = menuOf(await house.say(ANA, "append a line to README.md", inDm));
  expect(menu.teams).toEqual(["data", "marketing", "shop", "yours"].filter((team) => menu.teams.includes(team)));
  expect(menu.teams).toEqual(expect.arrayContaining(["data", "marketing", "shop"]));
  expect(await house.core.stores.runs.recent(house.core.orgId, 1)).toEqual([]);

  expect(await pick(ANA, menu.key, "data")).toBeNull();
  const run = await house.until("in_review");
  expect(run).toMatchObject({ team: "data", text: "append a line to README.md", requester: { name: "Ana" } });
  expect(run.because).toMatch(/^you chose team data for this message/);

  // In that thread the team is known, and membership is looked at each time.
  expect(await house.say(ANA, "status", { in: run })).toMatchObject({ kind: "list", whose: "data" });
  leave("S0DATA");
  expect(await house.say(ANA, "status", { in: run })).toMatchObject({
    refusal: { code: "not_a_member", team: "data" },
  });
});

test("a choice is made once: a second click says so, for the same team and for another", async () => {
  const menu = menuOf(await house.say(ANA, "append a line to README.md", inDm));
  expect(await pick(ANA, menu.key, "data")).toBeNull();
  for (const team of ["data", "shop"]) {
    expect(await pick(ANA, menu.key, team)).toMatchObject({ refusal: { code: "already_chosen", team: "data" } });
  }
  expect(await house.core.stores.runs.recent(house.core.orgId, 10)).toHaveLength(1);
});

test("two choices at the same moment make one run, and each click is answered or seen", async () => {
  const menu = menuOf(await house.say(ANA, "append a line to README.md", inDm));
  const views = await Promise.all(["data", "shop"].map((team) => pick(ANA, menu.key, team)));
  const runs = await house.core.stores.runs.recent(house.core.orgId, 10);
  expect(runs).toHaveLength(1);
  const refused = views.filter((view) => view !== null);
  expect(refused).toMatchObject([{ refusal: { code: "already_chosen", team: runs[0]?.team } }]);
});

test("membership is looked at again on the click", async () => {
  const menu = menuOf(await house.say(ANA, "append a line to README.md", inDm));
  leave("S0DATA");
  expect(await pick(ANA, menu.key, "data")).toMatchObject({ refusal: { code: "not_a_member", team: "data" } });
  expect(await pick(ANA, menu.key, "nowhere")).toMatchObject({ refusal: { code: "not_a_member", team: "nowhere" } });
  house.directory.fail("Slack is away");
  expect(await pick(ANA, menu.key, "shop")).toMatchObject({ refusal: { code: "directory_unavailable" } });
  house.directory.fail(null);
  // None of that used the choice up.
  expect(await pick(ANA, menu.key, "shop")).toBeNull();
  expect((await house.core.stores.runs.recent(house.core.orgId, 1))[0]?.team).toBe("shop");
});

test("a menu that is too old, of somebody else or nobody's starts nothing and says so", async () => {
  const menu = menuOf(await house.say(ANA, "append a line to README.md", inDm));
  expect(await pick(CY, menu.key, "data")).toMatchObject({ refusal: { code: "stale_menu" } });
  expect(await pick(ANA, "choice:none", "data")).toMatchObject({ refusal: { code: "stale_menu" } });
  expect(await pick(ANA, "policy:1", "data")).toMatchObject({ refusal: { code: "stale_menu" } });
  house.world.offset += 25 * 60 * 60_000;
  expect(await pick(ANA, menu.key, "data")).toMatchObject({ refusal: { code: "stale_menu" } });
  expect(await house.core.stores.runs.recent(house.core.orgId, 1)).toEqual([]);
});

test("questions too are answered for the team that is chosen", async () => {
  const menu = menuOf(await house.say(ANA, "policy", inDm));
  expect(await pick(ANA, menu.key, "marketing")).toMatchObject({ kind: "policy", team: "marketing" });
});

test("a membership that cannot be read may be another one: nothing is guessed", async () => {
  only(["U0ANA"]);
  house.policy.edit("org.yaml", "{ slack_usergroup: S0SHOP }", "{ github_team: acme/shop }");
  const menu = menuOf(await house.say(ANA, "mend the query", inDm));
  expect(menu.teams).toEqual(["data"]);
  house.directory.fail("Slack is away");
  expect(await house.say(ANA, "mend the query", inDm)).toMatchObject({ refusal: { code: "directory_unavailable" } });
});

test("guests, bots, strangers and who is in no team start nothing", async () => {
  only(["U0BO"]);
  expect(await house.say(ANA, "mend it", inDm)).toMatchObject({ refusal: { code: "no_membership" } });
  expect(await house.say(DEE, "mend it", inDm)).toMatchObject({ refusal: { code: "guest" } });
  for (const kind of ["bot", "external", "deactivated"] as const) {
    expect(await house.say(person("U0BO", "Bo", kind), "mend it", inDm)).toMatchObject({ refusal: { code: "guest" } });
  }
  expect(await house.say(BO, "mend it", { ...inDm, shared: true })).toMatchObject({
    refusal: { code: "shared_channel" },
  });
});

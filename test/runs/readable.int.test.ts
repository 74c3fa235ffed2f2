import { afterEach, beforeEach, expect, test } from "vitest";
import type { Account } from "#ports/directory.ts";
import { overseen } from "#runs/account/overseen.ts";
import { readable, takesPart } from "#runs/account/readable.ts";
import type { Run } from "#runs/run.ts";
import { ANA, BO, CY, DEE, memoryHouse, person } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
let run: Run;
/** Works elsewhere: in no channel of the shop. */
const FIN = person("U0FIN", "Fin");
const EVE = person("U0EVE", "Eve");

beforeEach(async () => {
  house = await memoryHouse();
  house.directory.channel("C0SHOP", [ANA.id, CY.id]);
  house.directory.channel("C0DATA", [FIN.id]);
  await house.say(ANA, "append a line to README.md");
  run = await house.until("waiting");
  await house.question(run);
});
afterEach(async () => {
  await house.close();
});

const reads = async (who: Account) => (await readable(house.core, who, [run])).length === 1;

test("a run is read by the members of its channel and by whoever is asked about it, and by nobody else", async () => {
  expect(await reads(ANA)).toBe(true);
  expect(await reads(CY)).toBe(true);
  expect(await reads(BO)).toBe(true);
  expect(await reads(FIN)).toBe(false);
});

test("a guest of the channel reads nothing, and a member who has left it nothing more", async () => {
  house.directory.channel("C0SHOP", [CY.id, DEE.id]);
  expect(await reads(DEE)).toBe(false);
  expect(await reads(ANA)).toBe(false);
  expect(await reads({ ...CY, kind: "deactivated" })).toBe(false);
});

test("an approver who has left the group reads no more, and one who joined it later did not before", async () => {
  house.directory.group({ slack_usergroup: "S0LEADS" }, [FIN.id]);
  expect(await reads(BO)).toBe(false);
  expect(await reads(FIN)).toBe(false);
});

test("somebody who was named to answer reads what they are to answer for", async () => {
  const approval = await house.question(run);
  const asks = approval.asks.map((ask) => ({
    ...ask,
    delegates: [
      {
        by: { person: { id: "p-bo", name: "Bo" }, account: BO },
        to: { person: { id: "p-fin", name: "Fin" }, account: FIN },
      },
    ],
  }));
  await house.core.store.tx((tx) => house.core.stores.approvals.amend(tx, approval.id, asks));
  expect(await reads(FIN)).toBe(true);
  house.directory.group({ slack_usergroup: "S0LEADS" }, [CY.id]);
  expect(await reads(FIN)).toBe(false);
});

test("an auditor reads every run, as policy says now, and takes part in none", async () => {
  expect(await reads(EVE)).toBe(false);
  house.policy.edit("org.yaml", "routing:", "  audit: { people: [U0EVE] }\nrouting:");
  house.policy.edit("org.yaml", "owners:", "auditors: group:audit\nowners:");
  expect(await reads(EVE)).toBe(true);
  expect(await reads({ ...EVE, kind: "guest" })).toBe(false);
  const part = [ANA, BO, CY, EVE, FIN].map((who) => takesPart(house.core, who, run));
  expect(await Promise.all(part)).toEqual([true, true, true, false, false]);
  house.policy.current = { ok: false, problem: "broken" };
  expect(await reads(EVE)).toBe(false);
});

test("who keeps or audits the policy is told which rules are approved unread, and nobody else", async () => {
  const asked: Date[] = [];
  const rule = { at: "teams/shop.yaml:8:5", text: "ask run.start", why: null };
  const asks = (await house.core.stores.approvals.ofRun(run.id)).flatMap((one) =>
    one.asks.map((ask) => ({ ...ask, rule })),
  );
  const at = new Date();
  const answers = async (since: Date) => {
    asked.push(since);
    return Array.from({ length: 20 }, () => ({ asks, openedAt: at, account: BO, choice: "approve" as const, at }));
  };
  const told = async (who: Account | null) => (await overseen(house.core, who, answers)).map((one) => one.rule.at);
  expect(await told(null)).toEqual(["teams/shop.yaml:8:5"]);
  // Bo is of the owners' group; whoever asked, and who may read the run, is not.
  expect(await told(BO)).toEqual(["teams/shop.yaml:8:5"]);
  expect(await told(ANA)).toEqual([]);
  expect(await told(EVE)).toEqual([]);
  expect(asked).toHaveLength(2);
  expect((at.getTime() - (asked[0]?.getTime() ?? 0)) / 86_400_000).toBeCloseTo(90, 1);
  house.policy.edit("org.yaml", "routing:", "  audit: { people: [U0EVE] }\nrouting:");
  house.policy.edit("org.yaml", "owners:", "auditors: group:audit\nowners:");
  expect(await told(EVE)).toEqual(["teams/shop.yaml:8:5"]);
  expect(await told({ ...EVE, kind: "guest" })).toEqual([]);
  house.directory.fail("the network is down");
  expect(await told(BO)).toEqual([]);
});

test("while the directory does not answer nobody reads anything, and that is logged once", async () => {
  house.directory.fail("the network is down");
  expect(await reads(ANA)).toBe(false);
  expect(await reads(BO)).toBe(false);
  expect(house.logged.filter((line) => line.startsWith("who may read a run could not be asked"))).toHaveLength(2);
});

test("of many runs each channel is asked about once, and the order stays", async () => {
  const { channelMembers } = house.directory;
  const asked: string[] = [];
  house.core.directory.channelMembers = async (channel) => {
    asked.push(channel.id);
    return channelMembers(channel);
  };
  const elsewhere = { ...run, id: "018f0000-0000-7000-8000-000000000001", place: { ...run.place, channel: "C0DATA" } };
  const many = [elsewhere, run, { ...run, number: 2 }];
  expect(await readable(house.core, CY, many)).toEqual([run, { ...run, number: 2 }]);
  expect(asked.toSorted()).toEqual(["C0DATA", "C0SHOP"]);
});

test("a run of a ticket is read by who wrote in it, since a ticket has no members to ask about", async () => {
  const ticket = { ...run, place: { ...run.place, provider: "linear", workspace: "lin-1", channel: "SHOP-12" } };
  const reader = async (who: Account) => (await readable(house.core, who, [ticket])).length === 1;
  expect(await reader(ANA)).toBe(true);
  expect(await reader(BO)).toBe(true);
  expect(await reader(CY)).toBe(false);
});

test("a run of a ticket is read by the members of the channel where it is followed too, while they are in it", async () => {
  const ticket = {
    ...run,
    place: { ...run.place, provider: "linear", workspace: "lin-1", channel: "SHOP" },
    mirror: { ...run.place, channel: "C0DATA", thread: "" },
  };
  const reader = async (who: Account) => (await readable(house.core, who, [ticket])).length === 1;
  expect(await reader(FIN)).toBe(true);
  expect(await reader(EVE)).toBe(false);
  house.directory.channel("C0DATA", [DEE.id]);
  expect(await reader(FIN)).toBe(false);
  expect(await reader(DEE)).toBe(false);
  // Who wrote in it reads it also when nobody can say who is in the channel.
  house.directory.fail("the network is down");
  expect(await reader(ANA)).toBe(true);
});

test("the questions of many runs are one question to the store", async () => {
  const { ofRuns } = house.core.stores.approvals;
  const asked: (readonly string[])[] = [];
  const approvals = {
    ...house.core.stores.approvals,
    ofRun: () => Promise.reject(new Error("one by one")),
    ofRuns: (ids: readonly string[]) => {
      asked.push(ids);
      return ofRuns(ids);
    },
  };
  const core = { ...house.core, stores: { ...house.core.stores, approvals } };
  const other = { ...run, id: "018f0000-0000-7000-8000-000000000002" };
  expect(await readable(core, BO, [run, other])).toEqual([run]);
  expect(asked).toEqual([[run.id, other.id]]);
});

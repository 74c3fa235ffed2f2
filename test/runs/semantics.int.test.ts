import { afterEach, describe, expect, test } from "vitest";
import type { Account } from "#ports/directory.ts";
import { ANA, BO, DEE, memoryHouse, person } from "./memory-house.ts";

/** What the service does with rules 4 and 7 of the format's specification; the rest is in test/policy/semantics.test.ts. */

let house: Awaited<ReturnType<typeof memoryHouse>>;
afterEach(async () => {
  await house.close();
});

const refusalOf = async (account: Account, text: string, o: { channel?: string; shared?: boolean } = {}) => {
  const view = await house.say(account, text, o);
  const recent = await house.core.stores.runs.recent(house.core.orgId, 1);
  expect(recent).toEqual([]);
  return view;
};
const refused = (code: string, more: object = {}) => ({ kind: "refused", refusal: { code, ...more } });

describe("4. the team of a run: an explicit mapping, and a person who is a member", () => {
  test("who is not in the team's group starts nothing, whatever they write", async () => {
    house = await memoryHouse();
    const eve = person("U0EVE", "Eve");
    house.directory.put(eve);
    expect(await refusalOf(eve, "as team shop: append a line to README.md")).toMatchObject(
      refused("not_a_member", { team: "shop", group: "group:shop" }),
    );
  });

  test("guests, bots and people of another organisation start nothing", async () => {
    house = await memoryHouse();
    expect(await refusalOf(DEE, "append a line")).toMatchObject(refused("guest"));
    expect(await refusalOf(person("U0BOT", "Bot", "bot"), "append a line")).toMatchObject(refused("guest"));
    expect(await refusalOf(ANA, "append a line", { shared: true })).toMatchObject(refused("shared_channel"));
  });

  test("a channel without a mapping starts nothing, and is answered with the exact line to add", async () => {
    house = await memoryHouse();
    expect(await refusalOf(ANA, "append a line", { channel: "C0NEW" })).toMatchObject(
      refused("no_mapping", { fix: expect.stringMatching(/^C0NEW: \w+ {2}# org\.yaml, under routing\.slack/) }),
    );
  });

  test("text never selects a team: the repository of another team is not to be had by naming it", async () => {
    house = await memoryHouse();
    expect(await refusalOf(ANA, "for team data: change sql/churn.sql in acme/reports")).toMatchObject(
      refused("unknown_repository", { repo: "acme/reports" }),
    );
  });
});

describe("7. what is missing, unreadable or failing is a denial, the run waits, and one message says so", () => {
  test("without a policy nothing starts", async () => {
    house = await memoryHouse();
    house.policy.current = { ok: false, problem: "org.yaml:1:1 is missing" };
    expect(await refusalOf(ANA, "append a line")).toMatchObject(
      refused("policy_unavailable", { problem: "org.yaml:1:1 is missing" }),
    );
  });

  test("a group that cannot be read at intake is a denial: nothing starts, its person is told once, and may ask again", async () => {
    house = await memoryHouse();
    house.directory.fail("the identity provider is down");
    expect(await refusalOf(ANA, "append a line", { channel: "C0DATA" })).toMatchObject(
      refused("directory_unavailable"),
    );
    expect(await house.core.stores.notes.keys("turned-away:", 10)).toHaveLength(1);
    house.directory.fail(null);
    await house.say(ANA, "append a line", { channel: "C0DATA" });
    await house.until("in_review");
  });

  test("a run whose approvers cannot be read because the identity provider is down waits, says so once, and asks when it is up", async () => {
    house = await memoryHouse();
    const { insert } = house.core.stores.runs;
    house.core.stores.runs.insert = async (...made) => {
      house.directory.fail("the identity provider is down");
      return insert(...made);
    };
    await house.say(ANA, "append a line to README.md");
    const run = await house.until("requested");
    const said = ["Nobody can be asked: who is in group:leads cannot be read. It is tried again every minute."];
    expect(await house.notices(run)).toEqual(said);
    await house.pass(61_000, run);
    await house.pass(61_000, run);
    expect(await house.notices(run)).toEqual(said);
    expect((await house.core.stores.runs.get(run.id))?.state).toBe("requested");
    house.directory.fail(null);
    await house.pass(61_000, run);
    expect(await house.question(await house.until("waiting"))).toMatchObject({ gate: "start" });
  });

  test("a click while its group cannot be read is denied, and counts when it is repeated", async () => {
    house = await memoryHouse();
    await house.say(ANA, "append a line to README.md");
    const run = await house.until("waiting");
    const question = await house.question(run);
    house.directory.fail("the identity provider is down");
    expect(await house.answer(BO, question.id)).toMatchObject(refused("directory_unavailable"));
    expect((await house.core.stores.runs.get(run.id))?.state).toBe("waiting");
    house.directory.fail(null);
    expect(await house.answer(BO, question.id)).toMatchObject({ kind: "noted", what: "approved" });
  });

  test("a run that meets an evaluator that fails waits, says so once, and goes on when it is mended", async () => {
    house = await memoryHouse();
    const good = house.policy.current;
    if (!good.ok) throw new Error("the sample policies do not load");
    const { shop } = good.policy.teams;
    const broken = {
      ...good.policy,
      teams: { ...good.policy.teams, shop: { ...shop, rules: shop?.rules.with(0, null as never) } },
    };
    const { insert } = house.core.stores.runs;
    house.core.stores.runs.insert = async (...made) => {
      house.policy.current = { ok: true, policy: broken as typeof good.policy };
      return insert(...made);
    };
    await house.say(ANA, "append a line to README.md");
    const run = await house.until("requested");
    const said = [expect.stringMatching(/^Policy could not be evaluated, which is a fault of ours: /)];
    expect(await house.notices(run)).toEqual(said);
    await house.pass(61_000, run);
    await house.pass(61_000, run);
    expect(await house.notices(run)).toEqual(said);
    expect((await house.core.stores.runs.get(run.id))?.state).toBe("requested");
    house.policy.current = good;
    await house.pass(61_000, run);
    await house.until("waiting");
  });
});

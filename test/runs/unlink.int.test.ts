import { createHmac } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Account } from "#ports/directory.ts";
import { ofAccounts } from "#runs/account/link.ts";
import { redeem } from "#runs/account/redeem.ts";
import { takeBack, takenBack } from "#runs/account/unlink.ts";
import { ANA, BO, memoryHouse } from "./memory-house.ts";

let house: Awaited<ReturnType<typeof memoryHouse>>;
beforeEach(async () => {
  house = await memoryHouse(
    {},
    {
      core: {
        linkable: [{ provider: "github", workspace: "github.com", by: "code" }],
        linkMac: (text) => createHmac("sha256", "installation").update(text).digest("base64url"),
      },
    },
  );
});
afterEach(async () => {
  await house.close();
});

const account = (id: string, name: string, workspace = "github.com") => ({ provider: "github", workspace, id, name });
const OCTOCAT = account("583231", "octocat");

const link = (who: Account, what = OCTOCAT) =>
  house.core.store.tx(async (tx) => {
    const { people } = house.core.stores;
    const person = await people.resolve(tx, house.core.orgId, who, who.name);
    expect(await people.link(tx, what, person.id, "code")).toEqual({ how: "linked", from: null });
  });

const unlink = (called: string) => takeBack(house.core, { provider: "github", called, operator: "root" });

const accounts = async (who: Account) => {
  const view = await ofAccounts(house.core, { account: who, shared: false }, "link", null);
  return view.kind === "links" ? view.accounts.map(({ name }) => name) : null;
};

const LOST = { kind: "link_lost", provider: "github", account: "octocat", name: "octocat", by: { operator: "root" } };

test("what the operator takes is nobody's, its person is told once, and it says who took it and when", async () => {
  await link(BO);
  expect(await unlink("OctoCat")).toMatchObject({
    kind: "unlinked",
    account: { ...OCTOCAT, person: { name: "Bo" }, by: { operator: "root" } },
  });
  expect(await accounts(BO)).toEqual([]);
  await house.show();
  await house.show();
  expect(house.whispered).toEqual([{ to: "U0BO", view: LOST }]);
  const [taken, ...more] = await takenBack(house.core, 10);
  expect(more).toEqual([]);
  expect(taken).toMatchObject({ ...OCTOCAT, person: { name: "Bo" }, by: { operator: "root" }, at: expect.any(Date) });
  await link(ANA);
  expect(await accounts(ANA)).toEqual(["octocat"]);
});

test("its person is told when Slack is back, if it is away", async () => {
  await link(BO);
  await unlink("octocat");
  house.world.chatAway = true;
  await house.show();
  expect(house.whispered).toEqual([]);
  house.world.chatAway = false;
  await house.show();
  expect(house.whispered).toEqual([{ to: "U0BO", view: LOST }]);
});

test("the same word twice at once takes it once", async () => {
  await link(BO);
  const came = await Promise.all([unlink("octocat"), unlink("583231")]);
  expect(came.map(({ kind }) => kind).sort()).toEqual(["nobody", "unlinked"]);
  await house.show();
  expect(house.whispered).toHaveLength(1);
});

test("of several that are called so none is taken until one is named", async () => {
  await link(BO);
  await link(BO, account("583231", "bo", "ghe.example.com"));
  await link(ANA, account("7", "583231"));
  expect(await unlink("583231")).toMatchObject({
    kind: "several",
    accounts: [{ workspace: "ghe.example.com" }, { workspace: "github.com", id: "583231" }],
  });
  expect(await accounts(BO)).toEqual(["octocat", "bo"]);
  expect(await unlink("ghe.example.com/583231")).toMatchObject({ kind: "unlinked" });
  // An id says more than a name that looks like one.
  expect(await unlink("583231")).toMatchObject({ kind: "unlinked", account: { name: "octocat" } });
  expect(await accounts(ANA)).toEqual(["583231"]);
});

test("what nobody has linked is nobody's, and a chat account is no such thing", async () => {
  await link(BO);
  expect(await unlink("U0BO")).toEqual({ kind: "nobody" });
  expect(await unlink("octo%")).toEqual({ kind: "nobody" });
  await house.show();
  expect(house.whispered).toEqual([]);
});

test("what policy wants linked is wanted again, as when a person takes it back themselves", async () => {
  house.policy.edit("teams/shop.yaml", "members: group:shop", "members: group:shop\nlinked: { approvers: github }");
  await link(BO);
  await unlink("octocat");
  await house.say(ANA, "append a line");
  const { id } = await house.question(await house.until("waiting"));
  const refused = { kind: "refused", refusal: { code: "not_linked", what: "answer" } };
  expect(await house.answer(BO, id)).toMatchObject(refused);
  await link(BO);
  await ofAccounts(house.core, { account: BO, shared: false }, "unlink", "github");
  expect(await house.answer(BO, id)).toMatchObject(refused);
  await link(BO);
  expect(await house.answer(BO, id)).toMatchObject({ kind: "noted", what: "approved" });
});

test("what its owner took back stays taken back, though the message that linked it is handled again", async () => {
  const { core } = house;
  const made = await ofAccounts(core, { account: BO, shared: false }, "link", "github");
  const text = made.kind === "link_code" ? made.code : "";
  const message = { text, account: OCTOCAT, proof: "code", once: "delivery-1" } as const;
  for (const _ of ["first", "again"]) expect(await redeem(core, message)).toMatchObject({ linked: { id: "U0BO" } });
  await ofAccounts(core, { account: BO, shared: false }, "unlink", "github");
  expect(await redeem(core, message)).toMatchObject({ refused: "code_used" });
  expect(await accounts(BO)).toEqual([]);
});

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "#runs/ids.ts";
import { type House, house, type Pair } from "#test/db/house.ts";

const account = (id: string = randomUUID()) => ({ provider: "slack", workspace: "T1", id });

/** Whose account elsewhere is whose. */
export function accountsContract(name: string, open: () => Promise<Pair>): void {
  describe(name, () => {
    let opened: Pair;
    let a: House;
    let b: House;
    beforeAll(async () => {
      opened = await open();
      a = await house(opened.first, "acme");
      b = await house(opened.second, "acme");
    });
    afterAll(() => opened.close());

    test("an account elsewhere is one person's, one at a time, until it is taken back", async () => {
      const people = [account(), account()];
      const [mina, kim] = await Promise.all(
        people.map((who) => a.tx((tx) => a.people.resolve(tx, a.orgId, who, "Kim"))),
      );
      if (!mina || !kim) throw new Error("nobody was made");
      const on = { provider: "slack", workspace: people[0]?.workspace ?? "" };
      const elsewhere = () => ({ provider: "linear", workspace: "org", id: newId(new Date()), name: "kim" });
      const [one, other] = [elsewhere(), elsewhere()];
      const link = async (at: House, who: typeof one, id: string) =>
        (await at.tx((tx) => at.people.link(tx, who, id, "code"))).how;
      expect(await a.people.accountOn(one, on)).toBeNull();
      // Two persons' codes at once for one account, and two accounts at once for one person.
      expect((await Promise.all([link(a, one, mina.id), link(b, one, kim.id)])).sort()).toEqual(["linked", "theirs"]);
      const owner = (await a.people.accountOn(one, on))?.id === people[0]?.id ? mina : kim;
      expect(await link(b, one, owner.id)).toBe("linked");
      expect(await link(a, other, owner.id)).toBe("another");
      const unlink = () => a.tx((tx) => a.people.unlink(tx, owner.id, "linear"));
      const { name: _, ...bare } = one;
      expect(await a.tx((tx) => a.people.accounts(tx, owner.id))).toContainEqual(one);
      expect(await unlink()).toEqual([bare]);
      expect(await unlink()).toEqual([]);
      expect(await a.people.accountOn(one, on)).toBeNull();
      const both = await Promise.all([link(a, one, owner.id), link(b, other, owner.id)]);
      expect(both.sort()).toEqual(["another", "linked"]);
      expect(await a.tx((tx) => a.people.identities(tx, owner.id))).toHaveLength(2);
    });

    test("an account's name is the one of its last proof", async () => {
      const kim = await a.person("Kim");
      const account = { provider: "github", workspace: "github.com", id: newId(new Date()) };
      const link = (name: string | null) => a.tx((tx) => a.people.link(tx, { ...account, name }, kim.id, "code"));
      const linked = { how: "linked", from: null };
      expect([await link("kim"), await link("kim-\u0000renamed")]).toEqual([linked, linked]);
      const accounts = await b.tx((tx) => b.people.accounts(tx, kim.id));
      expect(accounts.map(({ provider, name }) => [provider, name])).toEqual([
        ["slack", null],
        ["github", "kim-\ufffdrenamed"],
      ]);
    });

    /** An account that nobody has, and how somebody links it. */
    function fresh() {
      const account = { provider: "github", workspace: "github.com", id: newId(new Date()), name: "octocat" };
      const link = (at: House, who: { id: string }, proof: "code" | "sign_in") =>
        at.tx((tx) => at.people.link(tx, account, who.id, proof));
      return { account, link };
    }

    test("whoever signs in as an account takes it from whom a code gave it, and by neither proof is it taken back", async () => {
      const [mallory, kim] = [await a.person("Mallory"), await a.person("Kim")];
      const { account, link } = fresh();
      await link(a, mallory, "code");
      expect(await link(b, kim, "code")).toEqual({ how: "theirs", holder: mallory });
      expect(await link(b, kim, "sign_in")).toEqual({ how: "linked", from: mallory });
      for (const proof of ["code", "sign_in"] as const)
        expect(await link(a, mallory, proof)).toEqual({ how: "theirs", holder: kim });
      expect(await a.tx((tx) => a.people.accounts(tx, mallory.id))).toHaveLength(1);
      expect(await a.tx((tx) => a.people.accounts(tx, kim.id))).toContainEqual(account);
    });

    test("a stronger proof stays: a code that its person writes later makes it no weaker", async () => {
      const [mallory, kim] = [await a.person("Mallory"), await a.person("Kim")];
      const { link } = fresh();
      for (const proof of ["code", "sign_in", "code"] as const)
        expect(await link(a, kim, proof)).toEqual({ how: "linked", from: null });
      expect(await link(b, mallory, "sign_in")).toEqual({ how: "theirs", holder: kim });
    });

    test("an account of before proofs were written down is taken by none", async () => {
      const kim = await a.person("Kim");
      const { account, link } = fresh();
      const before = await a.tx((tx) => a.people.resolve(tx, a.orgId, account, "octocat"));
      expect(await link(b, kim, "sign_in")).toEqual({ how: "theirs", holder: before });
    });

    test("of two who sign in at once as an account that a code gave to a third, one has it", async () => {
      const [mallory, kim, mina] = [await a.person("Mallory"), await a.person("Kim"), await a.person("Mina")];
      const { link } = fresh();
      await link(a, mallory, "code");
      const came = await Promise.all([link(a, kim, "sign_in"), link(b, mina, "sign_in")]);
      expect(came.map(({ how }) => how).sort()).toEqual(["linked", "theirs"]);
      expect(came).toContainEqual({ how: "linked", from: mallory });
    });

    test("an account is found by its name in any case, by its id and by its place, and released it is nobody's", async () => {
      const kim = await a.person("Kim");
      const { account, link } = fresh();
      account.name = `Octo-${account.id}`;
      await link(a, kim, "code");
      const called = (text: string, provider = "github") => b.tx((tx) => b.people.called(tx, provider, text));
      for (const text of [`octo-${account.id}`, account.id, `github.com/${account.id}`])
        expect(await called(text)).toEqual([{ ...account, person: kim }]);
      expect(await called(account.id, "linear")).toEqual([]);
      expect(await called(`ghe.example.com/${account.id}`)).toEqual([]);
      await b.tx((tx) => b.people.release(tx, account));
      expect(await called(account.id)).toEqual([]);
      expect(await a.tx((tx) => a.people.accounts(tx, kim.id))).toHaveLength(1);
    });
  });
}

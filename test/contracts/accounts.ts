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
      const link = (at: House, who: typeof one, id: string) => at.tx((tx) => at.people.link(tx, who, id));
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
      const link = (name: string | null) => a.tx((tx) => a.people.link(tx, { ...account, name }, kim.id));
      expect([await link("kim"), await link("kim-\u0000renamed")]).toEqual(["linked", "linked"]);
      const accounts = await b.tx((tx) => b.people.accounts(tx, kim.id));
      expect(accounts.map(({ provider, name }) => [provider, name])).toEqual([
        ["slack", null],
        ["github", "kim-\ufffdrenamed"],
      ]);
    });

    test("who is known by one account alone is whoever links it, and what they are an author of is theirs", async () => {
      const [mina, kim] = [await a.person("Mina"), await a.person("Kim")];
      const account = { provider: "github", workspace: "github.com", id: newId(new Date()) };
      const run = await a.run({ requester: mina });
      const octocat = await a.tx(async (tx) => {
        const person = await a.people.resolve(tx, a.orgId, account, "octocat");
        await a.people.addAuthor(tx, run.id, mina.id);
        await a.people.addAuthor(tx, run.id, person.id);
        await a.turns.add(tx, { runId: run.id, cause: "review", person, text: "and a test" });
        return person;
      });
      const link = (at: House, id: string) => at.tx((tx) => at.people.link(tx, { ...account, name: "octocat" }, id));
      const came = await Promise.all([link(a, mina.id), link(b, kim.id)]);
      expect(came.sort()).toEqual(["linked", "theirs"]);
      const owner = (await a.people.accountOn(account, { provider: "slack", workspace: "T1" })) ?? { id: "" };
      const authors = (await b.tx((tx) => b.people.authors(tx, run.id))).map(({ id }) => id);
      expect(authors).not.toContain(octocat.id);
      const chat = await Promise.all(authors.map((id) => b.tx((tx) => b.people.identities(tx, id))));
      expect(chat.flat().map(({ id }) => id)).toContain(owner.id);
      expect((await b.turns.all(run.id)).map(({ person }) => person?.id)).not.toContain(octocat.id);
      // Twice the same author is one.
      expect(new Set(authors).size).toBe(authors.length);
    });

    test("somebody who has asked or answered under an account is nobody else's by linking it", async () => {
      const mina = await a.person("Mina");
      const account = { provider: "linear", workspace: "org", id: newId(new Date()) };
      const other = await a.tx((tx) => a.people.resolve(tx, a.orgId, account, "kim"));
      await a.run({ requester: other });
      expect(await a.tx((tx) => a.people.link(tx, { ...account, name: null }, mina.id))).toBe("theirs");
    });
  });
}

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
      const elsewhere = () => ({ provider: "linear", workspace: "org", id: newId(new Date()) });
      const [one, other] = [elsewhere(), elsewhere()];
      const link = (at: House, who: typeof one, id: string) => at.tx((tx) => at.people.link(tx, who, id));
      expect(await a.people.accountOn(one, on)).toBeNull();
      // Two persons' codes at once for one account, and two accounts at once for one person.
      expect((await Promise.all([link(a, one, mina.id), link(b, one, kim.id)])).sort()).toEqual(["linked", "theirs"]);
      const owner = (await a.people.accountOn(one, on))?.id === people[0]?.id ? mina : kim;
      expect(await link(b, one, owner.id)).toBe("linked");
      expect(await link(a, other, owner.id)).toBe("another");
      const unlink = () => a.tx((tx) => a.people.unlink(tx, owner.id, "linear"));
      expect(await unlink()).toEqual([one]);
      expect(await unlink()).toEqual([]);
      expect(await a.people.accountOn(one, on)).toBeNull();
      const both = await Promise.all([link(a, one, owner.id), link(b, other, owner.id)]);
      expect(both.sort()).toEqual(["another", "linked"]);
      expect(await a.tx((tx) => a.people.identities(tx, owner.id))).toHaveLength(2);
    });
  });
}
